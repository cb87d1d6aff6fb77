"""What one run at a time has for itself: memory for the tensors between partitions, and calls that are bound to it.

ONNX Runtime is told once where the inputs and outputs of a partition lie. What is left of a step is one call of
native code, 1.5 us; telling it for every run took 25 us. Tensors that are large, whose size is not known ahead, that
hold text, or that another library makes are handed over one by one.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any, Final

import numpy as np
import onnxruntime as ort

from dovetail.plan import Plan, Step, TensorSpec
from dovetail.runtime.binding import Binding
from dovetail.runtime.memory import LINE, lay_out
from dovetail.runtime.observing import Observer, observed
from dovetail.runtime.values import Value, to_array, to_ort
from dovetail.runtime.wiring import Wiring
from dovetail.runtime.worker import Worker

_SMALL: Final = 2**18
"""Bytes. Larger tensors are ONNX Runtime's: it has them in one arena with the insides of the partitions, where one
takes the place of the other, and what it takes to hand them over is nothing beside what it takes to fill them."""


class RunState:
    """The slots of a plan, and a call per step. For one run at a time."""

    def __init__(
        self,
        plan: Plan,
        wiring: Wiring,
        workers: Mapping[str, Worker],
        version: int,
        current: Callable[[str], Worker],
        unsure: frozenset[int] = frozenset(),
        observer: Observer | None = None,
    ) -> None:
        """Bind everything that does not change from run to run.

        Args:
            plan: Whose slots these are.
            wiring: Of the plan.
            workers: Partition -> its worker.
            version: Of the workers.
            current: Partition -> the worker that it has by now, for partitions that are not bound.
            unsure: Slots of outputs that were found to have other shapes than the model says.
            observer: Is told of every step that ran well.
        """
        self.version = version
        self.workers = [workers[step.partition] for step in wiring.steps]
        self.fixed = _fixed_tensors(plan, wiring, self.workers)
        self.values: list[Value | None] = [self.fixed.get(slot) for slot in range(len(plan.slots))]
        given = {spec.name for spec in plan.inputs}
        self.unsure = unsure
        self.presumed: set[int] = set()
        """Steps that fail where an output's shape is not the one that the model says."""
        self._current = current
        self._fed = {slot for slot, spec in enumerate(plan.slots) if spec.name in given}
        self.freed = [
            tuple(slot for slot in step.free if slot not in self.fixed and slot not in wiring.kept)
            for step in wiring.steps
        ]
        self.calls = [self._call(position, step) for position, step in enumerate(wiring.steps)]
        if observer is not None:
            self.calls = [
                partial(observed, call, partial(self.workers.__getitem__, position), observer)
                for position, call in enumerate(self.calls)
            ]

    def inputs(self, step: Step) -> list[Value]:
        """The values that a step reads."""
        return [self.values[slot] for slot in step.inputs]

    def store(self, step: Step, outputs: Sequence[Value]) -> None:
        """Take the values that a step has made elsewhere than where it was bound to."""
        for slot, value in zip(step.outputs, outputs, strict=True):
            if slot in self.fixed:
                np.copyto(to_array(self.fixed[slot], ""), to_array(value, ""), casting="no")
            else:
                self.values[slot] = value

    def release(self, slots: Sequence[int]) -> None:
        """Forget tensors; memory of our own stays for the next run."""
        for slot in slots:
            if slot not in self.fixed:
                self.values[slot] = None

    def _call(self, position: int, step: Step) -> Callable[[], None]:
        worker = self.workers[position]
        if not worker.can_bind or not isinstance(worker.session, ort.InferenceSession):
            return partial(self._run_loose, position, step)
        return self._bound(position, step, worker, worker.session)

    def _run_loose(self, position: int, step: Step) -> None:
        # a device that an earlier step of this run found hanging is not waited for once more
        worker = self.workers[position] = self._current(step.partition)
        self.store(step, worker.run(self.inputs(step)))

    def _bound(self, position: int, step: Step, worker: Worker, session: ort.InferenceSession) -> Callable[[], None]:
        binding = Binding(session)
        reads = list(zip([spec.name for spec in worker.partition.inputs], step.inputs, strict=True))
        makes = list(zip(worker.partition.outputs, step.outputs, strict=True))
        # tensors of ONNX Runtime's own must not outlive their last use, and only all inputs can be let go together
        lets_go = any(slot not in self.fixed and slot not in self._fed for _, slot in reads)
        for name, slot in reads:
            if slot in self.fixed:
                binding.read(name, self.fixed[slot])
        for spec, slot in makes:
            if slot in self.fixed:
                binding.write(spec.name, self.fixed[slot])
            else:
                binding.make(spec.name)
        loose = [(name, slot) for name, slot in reads if lets_go or slot not in self.fixed]
        open_ = [(place, spec, slot) for place, (spec, slot) in enumerate(makes) if slot not in self.fixed]
        forms = {slot: None if slot in self.unsure else known_form(spec) for _, spec, slot in open_}
        fresh = [(spec.name, slot, *form) for _, spec, slot in open_ if (form := forms[slot]) is not None]
        made = [(place, spec.name, slot) for place, spec, slot in open_ if forms[slot] is None]
        if fresh:
            self.presumed.add(position)
        if not loose and not fresh and not made:
            return binding.run
        return partial(_run_rebound, binding, self.values, loose, fresh, made, lets_go)


def _run_rebound(
    binding: Binding,
    values: list[Value | None],
    reads: Sequence[tuple[str, int]],
    fresh: Sequence[tuple[str, int, np.dtype[Any], tuple[int, ...]]],
    made: Sequence[tuple[int, str, int]],
    lets_go: bool,
) -> None:
    """Run a partition some of whose tensors are others than in the last run.

    Args:
        binding: Of the partition.
        values: The slots.
        reads: Names of inputs that are bound anew, with their slots.
        fresh: Names of outputs of known form that get memory of their own in every run, since the caller keeps it.
        made: Places and names of outputs that ONNX Runtime makes, with their slots.
        lets_go: Whether inputs must not be held after the run.
    """
    converted = []  # a binding keeps nothing alive
    for name, slot in reads:
        value = values[slot]
        assert value is not None
        if not isinstance(value, np.ndarray | ort.OrtValue):
            value = to_ort(value, name)
            converted.append(value)
        binding.read(name, value)
    for name, slot, dtype, shape in fresh:
        array = np.empty(shape, dtype)
        values[slot] = array
        binding.write(name, array)
    binding.run()
    if made:
        outputs = binding.made()
        for place, name, slot in made:
            values[slot] = outputs[place]
            binding.make(name)  # the next run must not write into what this one hands out
    if lets_go:
        binding.let_go()


def _fixed_tensors(plan: Plan, wiring: Wiring, workers: Sequence[Worker]) -> dict[int, ort.OrtValue]:
    """Slot -> a tensor in memory of our own: where its size is known, and ONNX Runtime alone makes and reads it."""
    makers: dict[int, int] = {}
    foreign: set[int] = set(wiring.kept)
    for index, (step, worker) in enumerate(zip(wiring.steps, workers, strict=True)):
        makers.update(dict.fromkeys(step.outputs, index))
        if not worker.can_bind:
            foreign |= {*step.inputs, *step.outputs}
    forms = {slot: form for slot in makers if slot not in foreign and (form := known_form(plan.slots[slot]))}
    sizes = {slot: dtype.itemsize * prod(shape) for slot, (dtype, shape) in forms.items()}
    places, total = lay_out(sizes, makers, wiring.users, wiring.before)
    memory = np.empty(total + LINE, np.uint8)
    start = -memory.ctypes.data % LINE
    return {
        slot: ort.OrtValue.ortvalue_from_numpy(
            memory[start + place : start + place + sizes[slot]].view(forms[slot][0]).reshape(forms[slot][1])
        )
        for slot, place in places.items()
    }


def known_form(spec: TensorSpec) -> tuple[np.dtype[Any], tuple[int, ...]] | None:
    """Type and shape of a small tensor of numbers; None where a size or NumPy's type is not known, or a size is 0."""
    if spec.shape is None or spec.dtype == "string":
        return None
    shape: tuple[int, ...] = tuple(dim for dim in spec.shape if isinstance(dim, int))
    try:
        dtype = np.dtype(spec.dtype)
    except TypeError:
        return None
    is_known = len(shape) == len(spec.shape) and 0 not in shape and dtype.kind in "biuf"
    return (dtype, shape) if is_known and prod(shape) * dtype.itemsize <= _SMALL else None
