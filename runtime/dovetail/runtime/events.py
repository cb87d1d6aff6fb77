"""What happened to partitions that do not run where the plan put them."""

from dataclasses import dataclass
from typing import Literal

EventKind = Literal["device-missing", "compile-failed", "run-failed", "emulated"]


@dataclass(frozen=True, slots=True)
class Event:
    """A partition that moved from a device to another, or that is emulated."""

    kind: EventKind
    partition: str
    device: str
    """The device that it left, or that is emulated."""
    moved_to: str
    """The device that takes it, or tries to."""
    cause: str
    """One line, in the words of the library that refused."""
