"""Graphs of CUDA: a program whose shapes are known costs one launch instead of one per kernel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch

from dovetail.gpu.fusing import fused
from dovetail.gpu.program import Program
from dovetail.gpu.recent import Recent

_Stream: Any = torch.cuda.Stream
_WARM_UPS: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class _Captured:
    graph: Any
    inputs: list[Any]
    staging: list[Any]
    """Pinned memory of the host, from which a copy does not stop the CPU."""
    outputs: Sequence[Any]


class GraphCache:
    """Captured graphs of a program by the shapes of its inputs; used by one thread at a time."""

    def __init__(self, program: Program, fuse: bool) -> None:
        self._program = program
        self._fuse = fuse
        self._copies = _Stream(program.device)
        self._graphs: Recent[_Captured] = Recent(self._capture)

    def run(self, tensors: Sequence[Any]) -> list[Any]:
        """Replay, after capturing where the shapes are new; the outputs are copies that no replay writes to."""
        with torch.cuda.device(self._program.device):
            captured = self._graphs.of(tensors)
            self._feed(captured, tensors)
            captured.graph.replay()
            results = [output.clone() for output in captured.outputs]
            # the staging memory and the results are ready for anyone, on any stream
            torch.cuda.current_stream().synchronize()
        return results

    def _capture(self, tensors: Sequence[Any]) -> _Captured:
        inputs = [tensor.to(self._program.device, copy=True).contiguous() for tensor in tensors]
        staging = [torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True) for tensor in tensors]
        compute = fused(self._program, inputs) if self._fuse else self._program.compute
        aside = _Stream(self._program.device)
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UPS):
                compute(inputs)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        # other threads may copy and allocate meanwhile
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            outputs = compute(inputs)
        return _Captured(graph, inputs, staging, outputs)

    def _feed(self, captured: _Captured, tensors: Sequence[Any]) -> None:
        self._copies.wait_stream(torch.cuda.current_stream())  # a tensor of the device may still be in the making
        with torch.cuda.stream(self._copies):
            for tensor, fixed, pinned in zip(tensors, captured.inputs, captured.staging, strict=True):
                if tensor.device.type == "cpu":
                    pinned.copy_(tensor)
                    fixed.copy_(pinned, non_blocking=True)
                else:
                    fixed.copy_(tensor, non_blocking=True)
        torch.cuda.current_stream().wait_stream(self._copies)
