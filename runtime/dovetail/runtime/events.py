"""What happened to partitions that do not run where the plan put them, and to batches that it was not made for."""

from dataclasses import dataclass
from typing import Literal

EventKind = Literal[
    "device-missing", "compile-failed", "run-failed", "timed-out", "device-left-alone", "emulated", "batch"
]


@dataclass(frozen=True, slots=True)
class Event:
    """A partition that moved from a device to another or is emulated, or a batch size that the plan does not have."""

    kind: EventKind
    partition: str
    """Empty for a batch."""
    device: str
    """The device that it left, or that is emulated; empty for a batch."""
    moved_to: str
    """The device that takes it, or tries to; empty for a batch."""
    cause: str
    """One line, in the words of the library that refused; for a batch, what is done with it."""
