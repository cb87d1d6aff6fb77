"""A lowered partition: kernels in order over a list of slots."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from dovetail.gpu.registry import Kernel


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One kernel and the slots it reads and fills."""

    label: str
    """Of the node, for messages."""
    kernel: Kernel
    inputs: tuple[int | None, ...]
    """None where an input is left out."""
    outputs: tuple[int | None, ...]
    """None where nobody reads an output."""
    last_use: tuple[int, ...] = ()
    """Slots that nothing reads afterwards."""


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A partition on a device; it holds no state, so threads may run it at once."""

    device: torch.device
    slots: tuple[Any, ...]
    """The constants, in their places; None elsewhere."""
    weights: frozenset[int]
    """Memory of the constants."""
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    steps: tuple[Step, ...]
    can_capture: bool
    """Whether no step waits for data of the device, moves some from the host, or draws random numbers."""

    def run(self, feeds: Sequence[Any]) -> list[Any]:
        """Run once; tensors of the device in, in the partition's order, and tensors of the device out.

        Raises:
            RuntimeError: Torch's, with the node's name in a note.
        """
        return self.own(self.compute(feeds), feeds)

    def compute(self, feeds: Sequence[Any]) -> list[Any]:
        """As `run`, but an output may lie on the memory of a feed or of a weight."""
        slots = list(self.slots)
        for slot, feed in zip(self.inputs, feeds, strict=True):
            slots[slot] = feed
        for step in self.steps:
            _take(step, slots)
        return [slots[slot].contiguous() for slot in self.outputs]

    def own(self, outputs: Sequence[Any], feeds: Sequence[Any]) -> list[Any]:
        """Outputs on memory of their own: a feed's is its owner's again after the run, and weights must not change."""
        borrowed = self.weights.union(map(memory_of, feeds))
        return [output.clone() if memory_of(output) in borrowed else output for output in outputs]


def memory_of(tensor: Any) -> int:
    """Where the memory begins that a tensor shares with its views."""
    return int(tensor.untyped_storage().data_ptr())


def _take(step: Step, slots: list[Any]) -> None:
    arguments = [None if slot is None else slots[slot] for slot in step.inputs]
    try:
        results = step.kernel(arguments)
    except Exception as problem:
        problem.add_note(step.label)
        raise
    for slot, value in zip(step.outputs, results, strict=False):
        if slot is not None:
            slots[slot] = value
    for slot in step.last_use:
        slots[slot] = None
