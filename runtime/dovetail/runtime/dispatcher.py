"""Which device runs a partition, and what happens when one can't."""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dovetail.plan import BackendSpec, Plan, PlanDevice, PlanPartition, RunError, shown
from dovetail.runtime.events import Event, EventKind
from dovetail.runtime.providers import CPU_PROVIDER, check_backend, why_missing
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
        self._workers = {partition.id: self._open(partition, _ladder(partition)) for partition in plan.partitions}

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
        while True:
            worker = self._workers.get(partition)
            if worker is None:
                raise RunError("the executor is closed; make a new one")
            try:
                return worker.run(inputs)
            except DeviceFailure as failure:
                self._replace(worker, str(failure))

    def _replace(self, failed: Worker, cause: str) -> None:
        partition = failed.partition
        with self._lock:
            if self._workers.get(partition.id) is not failed:
                return  # another thread has replaced it
            ladder = _ladder(partition)
            rest = ladder[ladder.index(failed.device) :]
            self._leave(partition, rest, "run-failed", cause)
            self._workers[partition.id] = self._open(partition, rest[1:])

    def _open(self, partition: PlanPartition, ladder: Sequence[str]) -> Worker:
        """A worker on the first device of the ladder that takes the partition."""
        for position, name in enumerate(ladder):
            device = self._devices[name]
            emulated = self._options.emulate and device.kind == "npu" and name == partition.device
            if not emulated and (cause := self._why_missing(device)):
                self._leave(partition, ladder[position:], "device-missing", cause)
                continue
            try:
                if emulated:
                    return self._emulate(partition, device, ladder[-1])
                return Worker(partition, name, open_session(self._request(partition.file, device)))
            except DeviceFailure as failure:
                self._leave(partition, ladder[position:], "compile-failed", str(failure))
        raise AssertionError("the last device of a ladder has no next, which _leave does not allow")

    def _emulate(self, partition: PlanPartition, device: PlanDevice, host: str) -> Worker:
        request = self._request(partition.emulated_file or partition.file, None)
        worker = Worker(partition, device.id, open_session(request), emulated=device.numerics)
        self.events.append(Event("emulated", partition.id, device.id, host, "emulation was asked for"))
        return worker

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

    def _leave(self, partition: PlanPartition, ladder: Sequence[str], kind: EventKind, cause: str) -> None:
        """Record that a partition leaves the first device of its ladder.

        Raises:
            RunError: If it must not, or if there is no next.
        """
        device, *rest = ladder
        what = f"partition {shown(partition.id)}: device {shown(device)} {_WORDS[kind]}, {cause}"
        if self._options.strict:
            raise RunError(f"{what}; strict mode allows no other device")
        if not rest:
            raise RunError(f"{what}; no other device may run it")
        known = any((event.kind, event.device) == (kind, device) for event in self.events)
        self.events.append(Event(kind, partition.id, device, rest[0], cause))
        if kind != "device-missing":
            _logger.warning("%s; it moves to %s", what, shown(rest[0]))
        elif not known:
            _logger.warning("device %s is missing, %s; its partitions move to %s", shown(device), cause, shown(rest[0]))


def _ladder(partition: PlanPartition) -> tuple[str, ...]:
    return (partition.device, *partition.fallback)
