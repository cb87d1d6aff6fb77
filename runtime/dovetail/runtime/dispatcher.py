"""Which device runs a partition, and what happens when one can't."""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dovetail.plan import BackendSpec, Plan, PlanDevice, PlanPartition, RunError, shown
from dovetail.runtime.events import Event, EventKind
from dovetail.runtime.providers import CPU_PROVIDER, check_backend, is_simulated, why_missing
from dovetail.runtime.sessions import DeviceFailure, SessionRequest, open_session
from dovetail.runtime.worker import Value, Worker

_logger = logging.getLogger("dovetail.runtime")

_CPU: Final = BackendSpec(CPU_PROVIDER)
_WORDS: Final[Mapping[EventKind, str]] = {
    "device-missing": "is missing",
    "compile-failed": "refused it",
    "run-failed": "failed while it ran",
}


@dataclass(frozen=True, slots=True)
class ExecutorOptions:
    """How an executor treats its plan; see `Executor`."""

    strict: bool
    emulate: bool
    optimize: bool
    threads: int


class Dispatcher:
    """A worker for every partition of a plan, replaced by one on the next allowed device when its device fails."""

    def __init__(self, plan: Plan, folder: Path, options: ExecutorOptions) -> None:
        """Make every worker.

        Raises:
            PlanError: If a device's options are not safe.
            RunError: If no device takes a partition, or in strict mode not the first.
        """
        self.events: list[Event] = []
        self._folder = folder
        self._options = options
        self._devices = {device.id: device for device in plan.devices}
        self._missing: dict[str, str] = {}
        self._lock = threading.Lock()
        for device in plan.devices:
            if device.backend is not None:
                check_backend(device.backend, device.id)
        self._workers = {partition.id: self._place(partition) for partition in plan.partitions}

    def placement(self) -> dict[str, str]:
        """Partition -> where it really runs."""
        return {partition: worker.label for partition, worker in self._workers.items()}

    def close(self) -> None:
        """Drop all workers and their sessions."""
        self._workers = {}

    def run(self, partition: str, inputs: Sequence[Value]) -> list[Value]:
        """Run a partition once, on the first device that can.

        Raises:
            RunError: If no device can, in strict mode if the first can't, or if the dispatcher is closed.
        """
        worker = self._workers.get(partition)
        if worker is None:
            raise RunError("the executor is closed; make a new one")
        try:
            return worker.run(inputs)
        except DeviceFailure as failure:
            cause = str(failure)
        with self._lock:
            if self._workers.get(partition) is worker:
                return self._run_elsewhere(worker, inputs, cause)
        return self.run(partition, inputs)  # another thread has replaced it

    def _run_elsewhere(self, failed: Worker, inputs: Sequence[Value], cause: str) -> list[Value]:
        """Run on the next device that can, and stay there: inputs on which all fail are no fault of the first."""
        partition, name = failed.partition, failed.device
        moves: list[Event] = []
        while True:
            ladder = _ladder(partition)
            rest = ladder[ladder.index(name) :]
            moves.append(self._move(partition, rest, "run-failed", cause))
            worker = self._open(partition, rest[1:], moves)
            try:
                outputs = worker.run(inputs)
            except DeviceFailure as failure:
                name, cause = worker.device, str(failure)
                continue
            self._record(moves)
            self._workers[partition.id] = worker
            return outputs

    def _place(self, partition: PlanPartition) -> Worker:
        moves: list[Event] = []
        try:
            return self._open(partition, _ladder(partition), moves)
        finally:  # where no device takes it, the log says what each was asked
            self._record(moves)

    def _open(self, partition: PlanPartition, ladder: Sequence[str], moves: list[Event]) -> Worker:
        """A worker on the first device of the ladder that takes the partition; what happened is added to the moves."""
        for position, name in enumerate(ladder):
            device = self._devices[name]
            emulated = self._options.emulate and device.kind == "npu" and name == partition.device
            if not emulated and (cause := self._why_missing(device)):
                moves.append(self._move(partition, ladder[position:], "device-missing", cause))
                continue
            try:
                if emulated:
                    worker = self._emulate(partition, device)
                    moves.append(Event("emulated", partition.id, name, ladder[-1], "emulation was asked for"))
                    return worker
                session = open_session(self._request(partition.file, device))
                return Worker(partition, name, session, simulated=is_simulated(device.backend))
            except DeviceFailure as failure:
                moves.append(self._move(partition, ladder[position:], "compile-failed", str(failure)))
        raise AssertionError("the last device of a ladder has no next, which _move does not allow")

    def _emulate(self, partition: PlanPartition, device: PlanDevice) -> Worker:
        request = self._request(partition.emulated_file or partition.file, None)
        return Worker(partition, device.id, open_session(request), emulated=device.numerics)

    def _request(self, file: str, device: PlanDevice | None) -> SessionRequest:
        """What to open: a file on a device, or on the CPU where the device is None."""
        options = self._options
        backend = device.backend if device is not None else None
        kind = device.kind if device is not None else "cpu"
        return SessionRequest(self._folder / file, backend or _CPU, kind, options.optimize, options.threads)

    def _why_missing(self, device: PlanDevice) -> str:
        """Why a device is not here; looked up once."""
        if device.id not in self._missing:
            is_plain_cpu = device.kind == "cpu" and device.backend is None
            self._missing[device.id] = "" if is_plain_cpu else why_missing(device.backend)
        return self._missing[device.id]

    def _move(self, partition: PlanPartition, ladder: Sequence[str], kind: EventKind, cause: str) -> Event:
        """A partition's step from the first device of its ladder to the next.

        Raises:
            RunError: If it must not, or if there is no next.
        """
        device, *rest = ladder
        what = _what_happened(partition.id, device, kind, cause)
        if self._options.strict:
            raise RunError(f"{what}; strict mode allows no other device")
        if not rest:
            raise RunError(f"{what}; no other device may run it")
        return Event(kind, partition.id, device, rest[0], cause)

    def _record(self, moves: Sequence[Event]) -> None:
        for event in moves:
            known = any((each.kind, each.device) == (event.kind, event.device) for each in self.events)
            self.events.append(event)
            device, goal = shown(event.device), shown(event.moved_to)
            if event.kind in ("compile-failed", "run-failed"):
                what = _what_happened(event.partition, event.device, event.kind, event.cause)
                _logger.warning("%s; it moves to %s", what, goal)
            elif event.kind == "device-missing" and not known:
                _logger.warning("device %s is missing, %s; its partitions move to %s", device, event.cause, goal)


def _what_happened(partition: str, device: str, kind: EventKind, cause: str) -> str:
    return f"partition {shown(partition)}: device {shown(device)} {_WORDS[kind]}, {cause}"


def _ladder(partition: PlanPartition) -> tuple[str, ...]:
    return (partition.device, *partition.fallback)
