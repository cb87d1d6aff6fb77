"""The devices of a plan on this machine: which are here, which have failed, and what is done about it."""

import logging
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dovetail.plan import PlanDevice, RunError, shown
from dovetail.runtime.events import Event, EventKind
from dovetail.runtime.observing import Observer
from dovetail.runtime.providers import check_backend, why_missing
from dovetail.runtime.watch import Watch

_logger = logging.getLogger("dovetail.runtime")

_WORDS: Final[Mapping[EventKind, str]] = {
    "device-missing": "is missing",
    "compile-failed": "refused it",
    "run-failed": "failed while it ran",
    "timed-out": "did not end its run",
    "device-left-alone": "is left alone",
}
_FAILED: Final = ("compile-failed", "run-failed", "timed-out")


@dataclass(frozen=True, slots=True)
class ExecutorOptions:
    """How an executor treats its plan; see `Executor`."""

    strict: bool = False
    emulate: bool = False
    optimize: bool = True
    threads: int = 0
    timeout_s: float | None = None
    max_failures: int = 3
    share_weights: bool = False
    observer: Observer | None = None


class Devices:
    """What is known of the devices, for all batch sizes of a plan together."""

    def __init__(self, devices: Sequence[PlanDevice], options: ExecutorOptions) -> None:
        """Know nothing yet.

        Raises:
            PlanError: If a device's options are not safe.
        """
        self.events: list[Event] = []
        self.options = options
        self.watch = None if options.timeout_s is None else Watch(options.timeout_s)
        self.version = 0
        """Changes whenever a partition may have to be loaded elsewhere."""
        self.resets = 0
        self._devices = {device.id: device for device in devices}
        self._missing: dict[str, str] = {}
        self._failures: Counter[str] = Counter()
        self._left: dict[str, str] = {}
        self._turns: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        for device in devices:
            if device.backend is not None:
                check_backend(device.backend, device.id)

    def __getitem__(self, name: str) -> PlanDevice:
        return self._devices[name]

    def turn(self, name: str) -> threading.Lock:
        """The lock of a device whose sessions run one at a time."""
        with self._lock:
            return self._turns.setdefault(name, threading.Lock())

    def why_not(self, name: str) -> tuple[EventKind, str] | None:
        """Why no partition is loaded on a device; None where it may be. Looked up once."""
        if name in self._left:
            return "device-left-alone", self._left[name]
        device = self._devices[name]
        if name not in self._missing:
            is_plain_cpu = device.kind == "cpu" and device.backend is None
            self._missing[name] = "" if is_plain_cpu else why_missing(device.backend)
        return ("device-missing", self._missing[name]) if self._missing[name] else None

    def is_left_alone(self, name: str) -> bool:
        """Whether a device has failed too often, or hangs."""
        return name in self._left

    def note_failure(self, kind: EventKind, name: str) -> None:
        """Count a failure that another device made good; a device that hangs, or fails too often, is left alone."""
        with self._lock:
            self._failures[name] += 1
            count = self._failures[name]
            if kind == "timed-out":
                self._left[name] = "it gave no answer once; reset() tries it again"
                self._turns.pop(name, None)  # the call that hangs may never give it back
            elif count >= self.options.max_failures:
                self._left[name] = f"it failed {count} times; reset() tries it again"
            self.version += 1

    def reset(self) -> None:
        """Forget what failed and what was missing."""
        with self._lock:
            self._missing.clear()
            self._failures.clear()
            self._left.clear()
            self.resets += 1
            self.version += 1

    def move(self, partition: str, ladder: Sequence[str], kind: EventKind, cause: str) -> Event:
        """A partition's step from the first device of its ladder to the next.

        Raises:
            RunError: If it must not, or if there is no next.
        """
        device, *rest = ladder
        what = _what_happened(partition, device, kind, cause)
        if self.options.strict:
            raise RunError(f"{what}, and strict mode allows no other device; leave it out to fall back")
        if not rest:
            raise RunError(f"{what}, and no other device may run it; check the inputs, or compile the model again")
        return Event(kind, partition, device, rest[0], cause)

    def record(self, events: Sequence[Event]) -> None:
        """Keep events, with a warning for each failure and for each device, not each partition, that is not used."""
        for event in events:
            known = any((each.kind, each.device) == (event.kind, event.device) for each in self.events)
            self.events.append(event)
            device, goal = shown(event.device), shown(event.moved_to)
            if event.kind in _FAILED:
                what = _what_happened(event.partition, event.device, event.kind, event.cause)
                _logger.warning("%s; it moves to %s", what, goal)
            elif event.kind in ("device-missing", "device-left-alone") and not known:
                words = _WORDS[event.kind]
                _logger.warning("device %s %s, %s; its partitions move to %s", device, words, event.cause, goal)


def _what_happened(partition: str, device: str, kind: EventKind, cause: str) -> str:
    return f"partition {shown(partition)}: device {shown(device)} {_WORDS[kind]}, {cause}"
