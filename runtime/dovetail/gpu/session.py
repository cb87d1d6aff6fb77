"""A partition on torch: on CUDA where there is one, else on torch's CPU device."""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnxruntime as ort
import torch
import torch.utils.dlpack

from dovetail.gpu.fusing import FusedPrograms
from dovetail.gpu.graphs import GraphCache
from dovetail.gpu.lowering import lower
from dovetail.gpu.program import Program
from dovetail.gpu.reading import to_torch
from dovetail.runtime.sessions import DeviceFailure
from dovetail.runtime.words import one_line

_Result = TypeVar("_Result")


class TorchSession:
    """Runs a partition; threads may call `run` at once."""

    def __init__(self, program: Program, fuse: bool = False) -> None:
        self._program = program
        self._lock = threading.Lock()
        self._by_shapes: GraphCache | FusedPrograms | None = None
        # a program that waits for data of the device runs kernel by kernel
        if program.can_capture and program.device.type == "cuda":
            self._by_shapes = GraphCache(program, fuse)
        elif program.can_capture and fuse:
            self._by_shapes = FusedPrograms(program)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self._program.device

    def run(self, inputs: Sequence[Any]) -> list[Any]:
        """Run the partition once.

        Args:
            inputs: An array, a tensor of torch or one of ONNX Runtime for each input, in the partition's order.

        Returns:
            A tensor of torch for each output, on the device; nothing writes to it afterwards, and it shares no memory
            with an input.

        Raises:
            DeviceFailure: With the words of torch and the node.
        """
        return _guarded(lambda: self._run([_as_tensor(value) for value in inputs]))

    def _run(self, tensors: list[Any]) -> list[Any]:
        with torch.inference_mode():
            if self._by_shapes is not None:
                with self._lock:  # a graph's memory is for one run at a time
                    return self._by_shapes.run(tensors)
            return self._program.run([tensor.to(self._program.device) for tensor in tensors])


def open_session(
    model: Path, inputs: Sequence[str], outputs: Sequence[str], options: Mapping[str, str]
) -> TorchSession:
    """Load a partition.

    Args:
        model: A stand-alone ONNX model, its weights beside it.
        inputs: Names, in the order in which `run` takes them.
        outputs: Names, in the order in which `run` gives them.
        options: `device`: a device of torch, such as `cuda:1`; without it the first card, or the CPU where there is
            none. `fuse`: 1 to compile it with torch's own compiler at the first run of each set of shapes.

    Raises:
        DeviceFailure: If the model can't be read, lowered or put on the device.
    """
    return _guarded(lambda: _open(model, inputs, outputs, options))


def _open(model: Path, inputs: Sequence[str], outputs: Sequence[str], options: Mapping[str, str]) -> TorchSession:
    device = torch.device(options.get("device") or ("cuda" if torch.cuda.is_available() else "cpu"))
    if device.type == "cuda":
        # without a number it would be the current card of whichever thread runs it
        device = torch.device("cuda", torch.cuda.current_device() if device.index is None else device.index)
        # float32 is float32: TF32 has 10 bits of fraction, and its errors are a hundred times those of ONNX Runtime
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
    with torch.inference_mode():
        return TorchSession(lower(model, inputs, outputs, device), options.get("fuse") == "1")


def _guarded(work: Callable[[], _Result]) -> _Result:
    try:
        return work()
    except DeviceFailure:
        raise
    except Exception as problem:  # torch's errors have no common class
        notes = "".join(f"{note}: " for note in getattr(problem, "__notes__", ()))
        raise DeviceFailure(one_line(f"{notes}{problem}" if str(problem) else type(problem).__name__)) from problem


def _as_tensor(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value
    if isinstance(value, ort.OrtValue):
        value = value.numpy()
    if isinstance(value, np.ndarray):
        return to_torch(value)
    return torch.utils.dlpack.from_dlpack(value)
