"""Which device runs a partition, and what happens when one can't."""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import onnxruntime as ort

from dovetail.plan import BackendSpec, Plan, PlanDevice, PlanPartition, RunError, shown
from dovetail.runtime.backends import OpenRequest, PartitionSession, has_own_sessions, open_backend
from dovetail.runtime.devices import Devices
from dovetail.runtime.events import Event, EventKind
from dovetail.runtime.providers import CPU_PROVIDER, is_simulated
from dovetail.runtime.sessions import DeviceFailure, SessionRequest, open_session
from dovetail.runtime.values import Value
from dovetail.runtime.words import one_line
from dovetail.runtime.worker import DeviceSilence, Worker

_logger = logging.getLogger("dovetail.runtime")

_CPU: Final = BackendSpec(CPU_PROVIDER)


class Dispatcher:
    """A worker for every partition of a plan, replaced by one on the next allowed device when its device fails."""

    def __init__(self, plan: Plan, folder: Path, devices: Devices) -> None:
        """Make every worker.

        Raises:
            RunError: If no device takes a partition, or in strict mode not the first.
        """
        self._folder = folder
        self._devices = devices
        self._lock = threading.Lock()
        self._closed = False
        self._version, self._resets = devices.version, devices.resets
        self._workers = {partition.id: self._place(partition) for partition in plan.partitions}

    def placement(self) -> dict[str, str]:
        """Partition -> where it really runs."""
        return {partition: worker.label for partition, worker in self._workers.items()}

    def close(self) -> None:
        """Drop all workers and their sessions."""
        self._closed, self._workers = True, {}

    def workers(self) -> dict[str, Worker]:
        """The workers as they are now; of a device that is left alone or tried again, as they have to be.

        Raises:
            RunError: If no device takes a partition any more, or if the dispatcher is closed.
        """
        with self._lock:
            if self._closed:
                raise RunError("the executor is closed; make a new one")
            if self._version != self._devices.version:
                self._refresh()
            return self._workers

    def worker(self, partition: str) -> Worker:
        """The worker of a partition as it is now; see `workers`."""
        found = self._workers.get(partition) if self._version == self._devices.version else None
        return found or self.workers()[partition]

    def run_elsewhere(self, failed: Worker, inputs: Sequence[Value], failure: DeviceFailure) -> list[Value]:
        """Run a partition whose device failed on the next device that can, and leave it there.

        Inputs on which all devices fail are no fault of the first: nothing moves then.

        Raises:
            RunError: If no device can, or in strict mode.
        """
        with self._lock:
            current = self._workers.get(failed.partition.id)
            if current is not None and current.device != failed.device:  # another thread has replaced it
                try:
                    return current.run(inputs)
                except DeviceFailure as problem:
                    failed, failure = current, problem
            return self._climb(failed, inputs, failure)

    def _climb(self, failed: Worker, inputs: Sequence[Value], failure: DeviceFailure) -> list[Value]:
        partition, ladder = failed.partition, _ladder(failed.partition)
        name, moves = failed.device, list[Event]()
        while True:
            rest = ladder[ladder.index(name) :]
            kind: EventKind = "timed-out" if isinstance(failure, DeviceSilence) else "run-failed"
            moves.append(self._devices.move(partition.id, rest, kind, str(failure)))
            worker = self._open(partition, rest[1:], moves)
            try:
                outputs = worker.run(inputs)
            except DeviceFailure as problem:
                name, failure = worker.device, problem
                continue
            self._workers = {**self._workers, partition.id: worker}
            self._devices.record(moves)
            for move in moves:
                if move.kind in ("run-failed", "timed-out"):
                    self._devices.note_failure(move.kind, move.device)
            return outputs

    def _refresh(self) -> None:
        """Load again what is on a device that is left alone and, after a reset, what is not where it was planned."""
        was_reset, self._resets = self._resets != self._devices.resets, self._devices.resets
        self._version = self._devices.version
        fresh = dict(self._workers)
        for name, worker in self._workers.items():
            has_moved = was_reset and worker.device != worker.partition.device
            if has_moved or self._devices.is_left_alone(worker.device):
                fresh[name] = self._place(worker.partition)
        self._workers = fresh

    def _place(self, partition: PlanPartition) -> Worker:
        moves: list[Event] = []
        try:
            return self._open(partition, _ladder(partition), moves)
        finally:  # where no device takes it, the log says what each was asked
            self._devices.record(moves)

    def _open(self, partition: PlanPartition, ladder: Sequence[str], moves: list[Event]) -> Worker:
        """A worker on the first device of the ladder that takes the partition; what happened is added to the moves."""
        devices = self._devices
        for position, name in enumerate(ladder):
            device, rest = devices[name], ladder[position:]
            emulated = devices.options.emulate and device.kind == "npu" and name == partition.device
            if not emulated and (reason := devices.why_not(name)):
                moves.append(devices.move(partition.id, rest, *reason))
                continue
            try:
                if emulated:
                    worker = self._emulate(partition, device)
                    moves.append(Event("emulated", partition.id, name, ladder[-1], "emulation was asked for"))
                    return worker
                return self._load(partition, device)
            except DeviceFailure as failure:
                moves.append(devices.move(partition.id, rest, "compile-failed", str(failure)))
        raise AssertionError("the last device of a ladder has no next, which move does not allow")

    def _emulate(self, partition: PlanPartition, device: PlanDevice) -> Worker:
        session = self._native(partition.emulated_file or partition.file, None)
        return Worker(partition, device.id, session, emulated=device.numerics, watch=self._devices.watch)

    def _load(self, partition: PlanPartition, device: PlanDevice) -> Worker:
        backend = device.backend or _CPU
        session = (
            self._foreign(partition, backend)
            if has_own_sessions(backend.provider)
            else self._compiled(partition, device) or self._native(partition.file, device)
        )
        return Worker(
            partition,
            device.id,
            session,
            backend.provider,
            simulated=is_simulated(device.backend),
            turn=self._devices.turn(device.id),
            watch=self._devices.watch,
        )

    def _compiled(self, partition: PlanPartition, device: PlanDevice) -> ort.InferenceSession | None:
        """A session of what the device's compiler made of a partition; None where there is nothing that it loads."""
        if partition.compiled_file is None or device.id != partition.device:
            return None
        try:
            return self._native(partition.compiled_file, device)
        except DeviceFailure as failure:  # of another version of the vendor's library: it is compiled again
            _logger.info("partition %s: its compiled form is not used, %s", shown(partition.id), failure)
            return None

    def _foreign(self, partition: PlanPartition, backend: BackendSpec) -> PartitionSession:
        names = [tuple(spec.name for spec in specs) for specs in (partition.inputs, partition.outputs)]
        try:
            return open_backend(
                backend.provider, OpenRequest(self._folder / partition.file, names[0], names[1], backend.options)
            )
        except Exception as problem:  # whatever a backend raises is its refusal
            raise DeviceFailure(one_line(str(problem)) or type(problem).__name__) from problem

    def _native(self, file: str, device: PlanDevice | None) -> ort.InferenceSession:
        """A session of ONNX Runtime for a file on a device, or on the CPU where the device is None."""
        options = self._devices.options
        backend = device.backend if device is not None else None
        kind = device.kind if device is not None else "cpu"
        return open_session(
            SessionRequest(
                self._folder / file, backend or _CPU, kind, options.optimize, options.threads, options.share_weights
            )
        )


def _ladder(partition: PlanPartition) -> tuple[str, ...]:
    return (partition.device, *partition.fallback)
