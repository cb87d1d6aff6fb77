"""Fewer and longer kernels: torch's own compiler makes them of what a program calls, for one set of shapes."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.fx.experimental.proxy_tensor import make_fx

from dovetail.gpu.program import Program
from dovetail.gpu.recent import Recent

Compute = Callable[[Sequence[Any]], Sequence[Any]]


def fused(program: Program, feeds: Sequence[Any]) -> Compute:
    """Compile a program for shapes; takes seconds to minutes, and a C++ compiler on the CPU or Triton on CUDA.

    Args:
        program: One that `can_capture`: what it calls must depend on shapes alone.
        feeds: Tensors of the shapes, on the program's device.
    """
    traced = make_fx(lambda *tensors: list(program.compute(tensors)))(*feeds)
    compiled: Any = torch.compile(traced, dynamic=False)
    return lambda tensors: compiled(*tensors)


class FusedPrograms:
    """A program, compiled anew for each set of shapes; used by one thread at a time."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._compiled: Recent[Compute] = Recent(lambda feeds: fused(program, feeds))

    def run(self, feeds: Sequence[Any]) -> list[Any]:
        """As `Program.run`."""
        return self._program.own(self._compiled.of(feeds)(feeds), feeds)
