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
    on_host: tuple[bool, ...]
    """For each input, whether the kernel reads it on the host."""
    outputs: tuple[int | None, ...]
    """None where nobody reads an output."""
    last_use: tuple[int, ...]
    """Slots that nothing reads afterwards."""


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A partition on a device; it holds no state, so threads may run it at once."""

    device: torch.device
    slots: tuple[Any, ...]
    """The constants, in their places; None elsewhere."""
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    steps: tuple[Step, ...]
    can_capture: bool
    """Whether no step waits for data of the device on the host, or moves some from there."""

    def run(self, feeds: Sequence[Any]) -> list[Any]:
        """Run once; tensors of the device in, in the partition's order, and tensors of the device out.

        Raises:
            RuntimeError: Torch's, with the node's name in a note.
        """
        slots = list(self.slots)
        for slot, feed in zip(self.inputs, feeds, strict=True):
            slots[slot] = feed
        for step in self.steps:
            self._take(step, slots)
        return [slots[slot].to(self.device).contiguous() for slot in self.outputs]

    def _take(self, step: Step, slots: list[Any]) -> None:
        arguments = [
            None if slot is None else slots[slot].to("cpu" if host else self.device)
            for slot, host in zip(step.inputs, step.on_host, strict=True)
        ]
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
