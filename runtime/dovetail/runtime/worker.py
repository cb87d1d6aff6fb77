"""A partition on the device where it really runs."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import onnxruntime as ort

from dovetail.plan import PlanPartition, TensorSpec, shown
from dovetail.runtime.backends import TORCH_PROVIDER, PartitionSession
from dovetail.runtime.sessions import DeviceFailure
from dovetail.runtime.values import Value, dtype_of, shape_of, to_array, to_ort
from dovetail.runtime.watch import NoAnswer, Watch
from dovetail.runtime.words import one_line

SIMULATOR: Final = " (simulator)"


class DeviceSilence(DeviceFailure):
    """A device gave no answer in time."""


@dataclass(frozen=True, slots=True, eq=False)
class Worker:
    """A loaded partition."""

    partition: PlanPartition
    device: str
    session: ort.InferenceSession | PartitionSession
    provider: str = ""
    emulated: str = ""
    """The numerics that the CPU imitates; empty where the device itself runs."""
    simulated: bool = False
    """The vendor's simulator runs it: right in its numbers, not in its time."""
    turn: threading.Lock = field(default_factory=threading.Lock)
    """Of the device: sessions that are not ONNX Runtime's run one at a time."""
    watch: Watch | None = None

    @property
    def label(self) -> str:
        """The device, for people: `npu`, `npu (simulator)`, or `npu (emulated fp16)`."""
        if self.emulated:
            return f"{self.device} (emulated {self.emulated})"
        return self.device + SIMULATOR if self.simulated else self.device

    @property
    def can_bind(self) -> bool:
        """Whether ONNX Runtime can be told once where its inputs and outputs lie."""
        specs = (*self.partition.inputs, *self.partition.outputs)
        is_native = isinstance(self.session, ort.InferenceSession)
        return is_native and self.watch is None and all(spec.dtype != "string" for spec in specs)

    def run(self, inputs: Sequence[Value]) -> list[Value]:
        """Run the partition once; safe to call from several threads.

        Args:
            inputs: A value per input of the partition, in its order. None is copied that lies in the host's memory.

        Returns:
            A value per output of the partition, in its order.

        Raises:
            DeviceSilence: If the device gives no answer in time. What it writes later is in no value of ours.
            DeviceFailure: If the device fails; nothing has been changed then.
        """
        try:
            return self._run(inputs) if self.watch is None else self.watch.call(lambda: self._run(inputs))
        except NoAnswer as problem:
            raise DeviceSilence(str(problem)) from problem
        except DeviceFailure:
            raise
        except Exception as problem:  # ONNX Runtime's errors have no common class
            raise DeviceFailure(one_line(str(problem)) or type(problem).__name__) from problem

    def _run(self, inputs: Sequence[Value]) -> list[Value]:
        named = list(zip(self.partition.inputs, inputs, strict=True))
        session = self.session
        if isinstance(session, ort.InferenceSession):
            feeds = {spec.name: to_ort(value, spec.name) for spec, value in named}
            if all(isinstance(value, ort.OrtValue) for value in feeds.values()):
                return self._run_bound(session, feeds)
            return self._run_text(session, feeds)
        values = [self._own_form(spec, value) for spec, value in named]
        with self.turn:
            outputs = session.run(values)
        check_outputs(self.partition, outputs)
        return outputs

    def _own_form(self, spec: TensorSpec, value: Value) -> Value:
        is_theirs = self.provider == TORCH_PROVIDER and not isinstance(value, ort.OrtValue)
        return value if is_theirs else to_array(value, spec.name)

    def _run_bound(self, session: ort.InferenceSession, feeds: dict[str, ort.OrtValue]) -> list[Value]:
        # one binding per run: a binding holds its tensors, and threads must not share it
        binding = session.io_binding()
        for name, value in feeds.items():
            binding.bind_ortvalue_input(name, value)
        for spec in self.partition.outputs:
            binding.bind_output(spec.name, "cpu")
        session.run_with_iobinding(binding)
        return list(binding.get_outputs())

    def _run_text(self, session: ort.InferenceSession, feeds: dict[str, ort.OrtValue]) -> list[Value]:
        names = [spec.name for spec in self.partition.outputs]
        arrays = {name: to_array(value, name) for name, value in feeds.items()}
        return [to_ort(array, name) for name, array in zip(names, session.run(names, arrays), strict=True)]


def check_outputs(partition: PlanPartition, outputs: object) -> None:
    """See that a backend gave what the partition makes.

    Raises:
        DeviceFailure: If the number, a type or a shape is another.
    """
    specs = partition.outputs
    if not isinstance(outputs, list | tuple) or len(outputs) != len(specs):
        got = len(outputs) if isinstance(outputs, list | tuple) else type(outputs).__name__
        raise DeviceFailure(f"it must give {len(specs)} outputs, got {got}")
    for spec, value in zip(specs, outputs, strict=True):
        dtype, shape = dtype_of(value), shape_of(value)
        if dtype != spec.dtype:
            raise DeviceFailure(f"output {shown(spec.name)} must be {spec.dtype}, got {dtype or type(value).__name__}")
        if spec.shape is not None and not _fits(spec, shape):
            raise DeviceFailure(f"output {shown(spec.name)} must have shape {list(spec.shape)}, got {list(shape)}")


def _fits(spec: TensorSpec, shape: tuple[int, ...]) -> bool:
    wanted = spec.shape or ()
    pairs = zip(wanted, shape, strict=False)
    return len(wanted) == len(shape) and all(not isinstance(dim, int) or dim == size for dim, size in pairs)
