"""From a placement to the partitions that run: one after the other or, where that is faster, at the same time."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from dovetail.partition import limits, phases
from dovetail.partition.concurrent import partition_concurrently
from dovetail.partition.evaluate import Evaluation, evaluate
from dovetail.partition.place import Placed, PlaceOptions
from dovetail.partition.problem import Partition, Placement, Problem
from dovetail.partition.simple import simple_placements
from dovetail.partition.timeline import Timeline, schedule
from dovetail.partition.verify import verify_partitions
from dovetail.plan.errors import PartitionError

_STYLES: Final = ((0.0, False), (1.0, False), (0.0, True), (0.5, True))
"""Closing price and whether forks close, of the placements that are tried; none is best everywhere."""
_MANY_UNITS: Final = 20_000
"""Beyond, the last of them alone is tried: each takes 2 s for 100,000 units."""
_ROUNDING: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What is run, and what it costs."""

    placement: Placement
    partitions: tuple[Partition, ...]
    """In run order."""
    timeline: Timeline
    """With all devices and links working at the same time where they can."""
    serial: Evaluation
    """The same partitions one after the other."""
    energy: float
    """Microjoules, with the static power of the timeline."""
    concurrent: bool
    """Made for concurrent devices: the placement is not the one with the proven bound, it is faster."""


def arrange(problem: Problem, placed: Placed, options: PlaceOptions) -> Arrangement:
    """Partition a placement, check all guarantees, and look for a faster one with concurrent devices.

    Raises:
        PartitionError: a guarantee does not hold, which is a fault of the solver.
    """
    partitions = phases.partition(problem, placed.placement)
    best = _arrangement(problem, placed.placement, partitions, concurrent=False)
    _check_value(problem, placed, best.serial, options)
    if options.objective == "latency" and options.overlap and options.solver != "greedy":
        for candidate in _concurrent(problem, placed.placement):
            latency = candidate.timeline.latency
            if (
                latency < best.timeline.latency * (1 - 1e-9)
                and _keeps(problem, options, candidate.serial.memory, latency, candidate.energy)
                and limits.are_kept(problem, candidate.partitions)
            ):
                best = candidate
    verify_partitions(problem, best.placement, best.partitions)
    return best


def _arrangement(
    problem: Problem, placement: Placement, partitions: tuple[Partition, ...], concurrent: bool
) -> Arrangement:
    serial, timeline = evaluate(problem, partitions), schedule(problem, partitions)
    assert problem.costs is not None
    energy = serial.energy - problem.costs.static_power * (serial.latency - timeline.latency)
    return Arrangement(placement, partitions, timeline, serial, energy, concurrent)


def _concurrent(problem: Problem, placement: Placement) -> Iterator[Arrangement]:
    """The same placement cut for concurrency, and placements made for it."""
    settled: list[tuple[int, ...]] = [(device,) for device in placement.device_of]
    free: list[tuple[int, ...]] = [
        (problem.pins[unit],) if unit in problem.pins else tuple(d for d, may in enumerate(row) if may)
        for unit, row in enumerate(problem.allowed)
    ]
    styles = _STYLES if len(free) <= _MANY_UNITS else _STYLES[-1:]
    for choices, (price, forks) in ((settled, _STYLES[0]), *((free, style) for style in styles)):
        partitions = partition_concurrently(problem, choices, price, forks)
        device_of = [0] * len(free)
        for part in partitions:
            for unit in part.units:
                device_of[unit] = part.device
        yield _arrangement(problem, replace(placement, device_of=tuple(device_of)), partitions, concurrent=True)


def _keeps(problem: Problem, options: PlaceOptions, memory: tuple[float, ...], latency: float, energy: float) -> bool:
    """Whether a placement fits on its devices and keeps the user's bounds."""
    assert problem.costs is not None
    fits = all(used <= most for used, most in zip(memory, problem.costs.capacity.tolist(), strict=True))
    fast = options.max_latency_ms is None or latency <= 1e3 * options.max_latency_ms
    saves = options.max_energy_mj is None or energy <= 1e3 * options.max_energy_mj
    return fits and fast and saves


def objective_of(serial: Evaluation, options: PlaceOptions) -> float:
    """The value of an objective, in the units of `Placed.value`."""
    values = {
        "latency": serial.latency,
        "energy": serial.energy,
        "edp": serial.latency * serial.energy,
        "throughput": max(serial.loads, default=0.0),
    }
    return values[options.objective]


def _check_value(problem: Problem, placed: Placed, serial: Evaluation, options: PlaceOptions) -> None:
    """Compare the solver's value with the evaluation, and with the simple placements that keep all limits."""
    value = objective_of(serial, options)
    if abs(value - placed.value) > _ROUNDING * max(value, placed.value):
        raise _fault(f"the solver counts {placed.value:.9g} for the placement, the evaluation {value:.9g}")
    if placed.bound > value * (1 + _ROUNDING):
        raise _fault(f"the bound {placed.bound:.9g} is above the value {value:.9g}")
    for name, simple in simple_placements(problem) if options.solver != "greedy" else ():
        other = evaluate(problem, phases.partition(problem, simple))
        keeps = _keeps(problem, options, other.memory, other.latency, other.energy)
        if keeps and objective_of(other, options) < value * (1 - _ROUNDING):
            raise _fault(f"the placement '{name}' has {objective_of(other, options):.9g}, the solver's {value:.9g}")


def _fault(what: str) -> PartitionError:
    return PartitionError(f"placement: {what}; this is a fault of the solver, please report it")
