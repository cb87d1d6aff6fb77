"""One run whose steps begin as soon as what they need is there, each in the thread of its device."""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Protocol

from dovetail.plan import RunError
from dovetail.runtime.feeds import Array
from dovetail.runtime.lanes import Job, Lanes
from dovetail.runtime.state import RunState
from dovetail.runtime.wiring import Wiring

Results = dict[str, Array]


class Runnable(Protocol):
    """What a request runs: a plan with its workers; see `Program`."""

    wiring: Wiring

    def acquire(self) -> RunState: ...

    def release(self, state: RunState) -> None: ...

    def feed(self, state: RunState, arrays: Mapping[str, Array]) -> None: ...

    def results(self, state: RunState, arrays: Mapping[str, Array], names: Sequence[str]) -> Results: ...

    def rescue(self, state: RunState, position: int, problem: Exception) -> None: ...


class Request:
    """A run under way. The first error ends it; steps that have begun then are not waited for."""

    def __init__(self, program: Runnable, lanes: Lanes, arrays: Mapping[str, Array], names: Sequence[str]) -> None:
        """Begin nothing yet."""
        self.future: Future[Results] = Future()
        self._program = program
        self._lanes = lanes
        self._arrays = arrays
        self._names = names
        self._state: RunState | None = None
        self._home = ""
        self._inbox: SimpleQueue[Job | None] = SimpleQueue()
        wiring = program.wiring
        self._waits = list(wiring.waits_for)
        self._readers = list(wiring.readers)
        self._left = len(wiring.steps)
        self._ended = False
        self._lock = threading.Lock()

    def start(self) -> "Future[Results]":
        """Let the threads of the devices do everything. Nothing is set aside before the first of them begins."""
        self._begin()
        return self.future

    def run_here(self, home: str) -> Results:
        """Do the steps of one device in this thread; the result once all is done."""
        self._home = home
        self._begin()
        while (job := self._inbox.get()) is not None:
            job()
        return self.future.result()

    def _begin(self) -> None:
        if not self._waits:  # a plan may have no partition at all
            self._open()
            self._finish()
            return
        for position, count in enumerate(self._program.wiring.waits_for):
            if count == 0:
                self._send(position)

    def _send(self, position: int) -> None:
        device = self._program.wiring.lanes[position]
        job = partial(self._step, position)
        if device == self._home:
            self._inbox.put(job)
            return
        try:
            self._lanes.put(device, job)
        except RuntimeError:
            self._fail(RunError("the executor is closed; make a new one"))

    def _step(self, position: int) -> None:
        try:
            state = self._open()
            if state is not None:
                self._run(state, position)
        except BaseException as problem:
            self._fail(problem)

    def _open(self) -> RunState | None:
        """The state of this run; None where it is cancelled or has failed."""
        with self._lock:
            if self._ended:
                return None
            if self._state is None:
                if not self.future.set_running_or_notify_cancel():
                    self._ended = True
                    return None
                self._state = self._program.acquire()
                self._program.feed(self._state, self._arrays)
            return self._state

    def _run(self, state: RunState, position: int) -> None:
        try:
            state.calls[position]()
        except Exception as problem:  # ONNX Runtime's errors have no common class
            self._program.rescue(state, position, problem)
        wiring = self._program.wiring
        with self._lock:
            if self._ended:
                return
            self._free(state, position)
            ready = []
            for follower in wiring.followers[position]:
                self._waits[follower] -= 1
                if not self._waits[follower]:
                    ready.append(follower)
            self._left -= 1
            done = not self._left
        for follower in ready:
            self._send(follower)
        if done:
            self._finish()

    def _free(self, state: RunState, position: int) -> None:
        """Let go of what nobody reads any more."""
        step, kept = self._program.wiring.steps[position], self._program.wiring.kept
        for slot in set(step.inputs):
            self._readers[slot] -= 1
        gone = {slot for slot in (*step.inputs, *step.outputs) if not self._readers[slot]}
        state.release([slot for slot in gone if slot not in kept])

    def _finish(self) -> None:
        state = self._state
        if state is not None:
            results = self._program.results(state, self._arrays, self._names)
            with self._lock:
                self._ended, self._state, self._arrays = True, None, {}
            self._program.release(state)
            self.future.set_result(results)
        self._inbox.put(None)

    def _fail(self, problem: BaseException) -> None:
        with self._lock:
            if self._ended:
                return
            self._ended = True
            self._state = None  # a step of another device may be at work in it: it is not used again
        if self.future.running() or self.future.set_running_or_notify_cancel():
            self.future.set_exception(problem)
        self._inbox.put(None)
