"""Binding inputs and outputs before a run, as onnxruntime does it. Everything is in the memory of the host."""

from collections.abc import Sequence

import numpy as np
import onnxruntime as ort

from dovetail.plan import RunError, shown
from dovetail.runtime import Array, Executor, Value, to_array, to_value


class IOBinding:
    """The inputs and wanted outputs of runs of one session. Not for several threads at once."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._inputs: dict[str, Value] = {}
        self._outputs: dict[str, ort.OrtValue | None] = {}
        self._results: list[Value] = []

    def bind_cpu_input(self, name: str, arr_on_cpu: Array) -> None:
        """Bind an array; every run reads what it holds then."""
        self._inputs[name] = arr_on_cpu

    def bind_ortvalue_input(self, name: str, ortvalue: ort.OrtValue) -> None:
        """Bind a tensor of onnxruntime; every run reads what it holds then."""
        self._inputs[name] = ortvalue

    def bind_output(self, name: str, device_type: str = "cpu", device_id: int = 0) -> None:
        """Want an output, in memory that the run allocates.

        Raises:
            RunError: If it is wanted elsewhere than in the memory of the host.
        """
        if (device_type, device_id) != ("cpu", 0):
            raise RunError(f"output {shown(name)}: a plan gives results to the host, got {device_type}; bind it to cpu")
        self._outputs[name] = None

    def bind_ortvalue_output(self, name: str, ortvalue: ort.OrtValue) -> None:
        """Want an output in a tensor that is there already; every run copies into it."""
        self._outputs[name] = ortvalue

    def clear_binding_inputs(self) -> None:
        """Forget the inputs."""
        self._inputs.clear()

    def clear_binding_outputs(self) -> None:
        """Forget the wanted outputs and the results."""
        self._outputs.clear()
        self._results.clear()

    def synchronize_inputs(self) -> None:
        """Do nothing: the host's memory needs no waiting. Here for onnxruntime's callers."""

    def synchronize_outputs(self) -> None:
        """Do nothing: a run ends when its outputs are there. Here for onnxruntime's callers."""

    def get_outputs(self) -> Sequence[Value]:
        """The results of the last run, in the order in which they were bound; text is in NumPy arrays."""
        return list(self._results)

    def copy_outputs_to_cpu(self) -> list[Array]:
        """The results of the last run as arrays."""
        return [to_array(value, name) for name, value in zip(self._outputs, self._results, strict=True)]

    def run(self) -> None:
        """Run the plan once on what is bound."""
        feeds = {name: to_array(value, name) for name, value in self._inputs.items()}
        results = self._executor.run(feeds, list(self._outputs))
        self._results = [self._stored(name, array) for name, array in results.items()]

    def _stored(self, name: str, array: Array) -> Value:
        value, bound = to_value(array, name), self._outputs[name]
        if bound is None:
            return value
        if isinstance(value, np.ndarray):
            raise RunError(f"output {shown(name)}: holds text, which can't be copied into a tensor; use bind_output")
        # onnxruntime copies the bytes and asks for nothing but their number
        if value.data_type() != bound.data_type():
            got, there = value.data_type(), bound.data_type()
            raise RunError(f"output {shown(name)}: is a {got}, bound to a {there}; bind another")
        if value.shape() != bound.shape():
            got, there = value.shape(), bound.shape()
            raise RunError(f"output {shown(name)}: has shape {got}, bound to a tensor of shape {there}; bind another")
        bound.update_inplace(array)
        return bound
