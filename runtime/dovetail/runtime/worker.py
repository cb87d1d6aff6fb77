"""A partition on the device where it really runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import onnxruntime as ort

from dovetail.plan import PlanPartition, RunError, shown
from dovetail.runtime.feeds import Array
from dovetail.runtime.sessions import DeviceFailure
from dovetail.runtime.words import one_line

Value: TypeAlias = ort.OrtValue | Array
"""A tensor between partitions. ONNX Runtime holds it, but for strings, which it can't take over from NumPy."""

SIMULATOR: Final = " (simulator)"


@dataclass(frozen=True, slots=True, eq=False)
class Worker:
    """A session for one partition."""

    partition: PlanPartition
    device: str
    session: ort.InferenceSession
    emulated: str = ""
    """The numerics that the CPU imitates; empty where the device itself runs."""
    simulated: bool = False
    """The vendor's simulator runs it: right in its numbers, not in its time."""

    @property
    def label(self) -> str:
        """The device, for people: `npu`, `npu (simulator)`, or `npu (emulated fp16)`."""
        if self.emulated:
            return f"{self.device} (emulated {self.emulated})"
        return self.device + SIMULATOR if self.simulated else self.device

    def run(self, inputs: Sequence[Value]) -> list[Value]:
        """Run the partition once; safe to call from several threads.

        Args:
            inputs: A value per input of the partition, in its order. None is copied.

        Returns:
            A value per output of the partition, in its order.

        Raises:
            DeviceFailure: If the device fails; nothing has been changed then.
        """
        try:
            if any(isinstance(value, np.ndarray) for value in inputs):
                return self._run_strings(inputs)
            return self._run_bound(inputs)
        except Exception as problem:  # ONNX Runtime's errors have no common class
            raise DeviceFailure(one_line(str(problem))) from problem

    def _run_bound(self, inputs: Sequence[Value]) -> list[Value]:
        # one binding per run: a binding holds its tensors, and threads must not share it
        binding = self.session.io_binding()
        for spec, value in zip(self.partition.inputs, inputs, strict=True):
            binding.bind_ortvalue_input(spec.name, value)
        for spec in self.partition.outputs:
            binding.bind_output(spec.name, "cpu")
        self.session.run_with_iobinding(binding)
        return list(binding.get_outputs())

    def _run_strings(self, inputs: Sequence[Value]) -> list[Value]:
        names = [spec.name for spec in self.partition.outputs]
        feeds = {spec.name: value for spec, value in zip(self.partition.inputs, inputs, strict=True)}
        results = self.session.run(names, feeds)
        return [to_value(array, name) for name, array in zip(names, results, strict=True)]


def to_value(array: Array, name: str) -> Value:
    """A tensor for ONNX Runtime on the memory of an array, which must live as long.

    Raises:
        RunError: If ONNX Runtime has no such type in NumPy's form.
    """
    if array.dtype == object:
        return array
    try:
        return ort.OrtValue.ortvalue_from_numpy(array)
    except RuntimeError as problem:
        raise RunError(
            f"tensor {shown(name)}: ONNX Runtime takes no {array.dtype.name} from NumPy; cast it in the model"
        ) from problem


def to_array(value: Value, name: str) -> Array:
    """An array on the memory of a tensor, which it keeps alive.

    Raises:
        RunError: If NumPy has no such type.
    """
    if isinstance(value, np.ndarray):
        return value
    try:
        return np.asarray(value.numpy())
    except RuntimeError as problem:
        raise RunError(
            f"output {shown(name)}: NumPy has no type for {value.data_type()}; cast it in the model"
        ) from problem
