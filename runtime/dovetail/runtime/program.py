"""A plan for one batch size, ready to run: its workers, and the states of its runs."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Final

from dovetail.plan import Plan, RunError, meant, shown
from dovetail.runtime.devices import Devices
from dovetail.runtime.dispatcher import Dispatcher
from dovetail.runtime.feeds import Array, FeedCheck
from dovetail.runtime.lanes import Lanes
from dovetail.runtime.observing import observed
from dovetail.runtime.providers import CPU_PROVIDER
from dovetail.runtime.request import Request
from dovetail.runtime.sessions import DeviceFailure
from dovetail.runtime.state import RunState
from dovetail.runtime.values import Value, to_array, to_value
from dovetail.runtime.wiring import wire
from dovetail.runtime.words import one_line

_PLAIN: Final = frozenset({"float32", "float64", "float16", "bool"}) | {
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}
"""Types that ONNX Runtime takes from NumPy."""


class Program:
    """Runs a plan that has no variants. Safe to use from several threads."""

    def __init__(self, plan: Plan, folder: Path, devices: Devices, lanes: Lanes) -> None:
        """Make a session for every partition.

        Raises:
            RunError: If no device takes a partition, or in strict mode not the first.
        """
        self.plan = plan
        self._devices = devices
        self._lanes = lanes
        self._observer = devices.options.observer
        self._dispatcher = Dispatcher(plan, folder, devices)
        workers = self._dispatcher.workers()
        self.wiring = wire(plan, {name: worker.device for name, worker in workers.items()})
        # a caller that waits for a device leaves its core to the CPU's thread; one that computes holds up the others
        others = [lane for lane in self.wiring.lanes if devices[lane].kind != "cpu"]
        self._home = next(iter((*others, *self.wiring.lanes)), "")
        self._check = FeedCheck(plan.inputs)
        self._slot_of = {spec.name: slot for slot, spec in enumerate(plan.slots)}
        fed = [spec for spec in plan.inputs if spec.name in self._slot_of]
        self._fed = [(spec.name, self._slot_of[spec.name], spec.dtype not in _PLAIN) for spec in fed]
        self._given = {spec.name for spec in plan.inputs}
        self._ends = list(self.wiring.kept)
        self._names = [spec.name for spec in plan.outputs]
        self._idle: list[RunState] = []
        self._unsure: frozenset[int] = frozenset()
        self.release(self.acquire())  # so that what can't be bound is said now

    def placement(self) -> dict[str, str]:
        """Partition -> where it really runs."""
        return self._dispatcher.placement()

    def close(self) -> None:
        """Drop sessions and memory."""
        self._dispatcher.close()
        self._idle.clear()

    def run(self, feeds: Mapping[str, Array], names: Sequence[str]) -> dict[str, Array]:
        """Run once, in the thread of the caller as far as the plan's devices do not overlap."""
        arrays = self._check(feeds)
        if self.wiring.overlaps:
            request = Request(self, self._lanes, arrays, names)
            return request.run_here(self._home)
        state = self.acquire()
        self.feed(state, arrays)
        todo = iter(enumerate(zip(state.calls, state.freed, strict=True)))
        while True:
            try:
                for position, (call, freed) in todo:  # noqa: B007 - what is left of the loop when a call fails
                    call()
                    if freed:
                        state.release(freed)
                break
            except Exception as problem:  # ONNX Runtime's errors have no common class
                self.rescue(state, position, problem)
                state.release(freed)
        results = self.results(state, arrays, names)
        self.release(state)
        return results

    def submit(self, feeds: Mapping[str, Array], names: Sequence[str]) -> "Future[dict[str, Array]]":
        """Run once, each step in the thread of its device."""
        request = Request(self, self._lanes, self._check(feeds), names)
        return request.start()

    def output_names(self, wanted: Sequence[str] | None) -> list[str]:
        """The outputs wanted.

        Raises:
            RunError: If the plan has no such output.
        """
        for name in wanted or ():
            if name not in self._names:
                raise RunError(f"output {shown(name)}: the plan has no such output; {meant(name, self._names)}")
        return self._names if wanted is None else list(wanted)

    def acquire(self) -> RunState:
        """A state that nobody uses, bound to the workers as they are now."""
        version = self._devices.version
        while self._idle:
            try:
                state = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if state.version == version:
                return state
        workers = self._dispatcher.workers()
        return RunState(self.plan, self.wiring, workers, version, self._dispatcher.worker, self._unsure, self._observer)

    def release(self, state: RunState) -> None:
        """Give a state back after a run that ended well; after another it may be in use somewhere still."""
        state.release(self._ends)
        if state.version == self._devices.version and state.unsure is self._unsure:
            self._idle.append(state)

    def feed(self, state: RunState, arrays: Mapping[str, Array]) -> None:
        """Put the inputs into their slots."""
        for name, slot, needs_look in self._fed:
            state.values[slot] = to_value(arrays[name], name) if needs_look else arrays[name]

    def results(self, state: RunState, arrays: Mapping[str, Array], names: Sequence[str]) -> dict[str, Array]:
        """The outputs as arrays that nothing else writes to."""
        return {
            name: arrays[name].copy() if name in self._given else _own(state.values[self._slot_of[name]], name)
            for name in names
        }

    def rescue(self, state: RunState, position: int, problem: Exception) -> None:
        """Run a step elsewhere whose device has failed.

        Raises:
            RunError: If no device can.
        """
        if isinstance(problem, RunError):
            raise problem
        again = partial(self._rescue, state, position, problem)
        if self._observer is None:
            again()
        else:
            name = self.wiring.steps[position].partition
            observed(again, partial(self._dispatcher.worker, name), self._observer)

    def _rescue(self, state: RunState, position: int, problem: Exception) -> None:
        failure = problem if isinstance(problem, DeviceFailure) else DeviceFailure(one_line(str(problem)))
        step, worker = self.wiring.steps[position], state.workers[position]
        if position in state.presumed and worker.provider in ("", CPU_PROVIDER):
            # models exist whose outputs have other shapes than they say, and ONNX Runtime only warns of it
            try:
                state.store(step, worker.run(state.inputs(step)))
            except DeviceFailure as again:
                failure = again
            else:
                self._unsure |= set(step.outputs)
                return
        state.store(step, self._dispatcher.run_elsewhere(worker, state.inputs(step), failure))


def _own(value: Value | None, name: str) -> Array:
    assert value is not None
    array = to_array(value, name)
    return array if array.flags.writeable else array.copy()  # what NumPy takes over from others it may not write to
