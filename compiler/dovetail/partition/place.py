"""Placement by cost, with a proven bound: the one function that the compiler calls."""

import contextlib
import itertools
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from dovetail.partition import greedy, limits
from dovetail.partition.arrays import Ints, Weights, make_arrays, make_weights
from dovetail.partition.bounded import Limit, keeps, minimise_within
from dovetail.partition.infeasible import explain_infeasible
from dovetail.partition.lagrange import Bracket, Effort, relative_gap
from dovetail.partition.phases import Grouper
from dovetail.partition.pipeline import balance_loads
from dovetail.partition.problem import Placement, Problem
from dovetail.partition.product import least_product
from dovetail.partition.program import Limits, solve_program
from dovetail.partition.search import Search, memory_weights, partition_weights
from dovetail.partition.simple import simple_placements
from dovetail.plan.errors import PartitionError

Objective = Literal["latency", "energy", "edp", "throughput"]
Solver = Literal["auto", "exact", "fast", "greedy"]

OBJECTIVES: Final[tuple[Objective, ...]] = ("latency", "energy", "edp", "throughput")
SOLVERS: Final[tuple[Solver, ...]] = ("auto", "exact", "fast", "greedy")

_CUTS = ((2_000, 60), (20_000, 32), (np.inf, 24))
"""Cuts on two devices, for as many units at most."""
_CUTS_OF_MANY = 16
_EXACT_UNITS = {2: 10_000}
"""Units up to which `auto` lets HiGHS close the gap, by the number of devices."""
_EXACT_UNITS_OF_MANY = 300
"""With three and more devices: for 1,000 units HiGHS takes 2 s and more, and gains less than 0.5 %."""
_WIDE_UNITS_OF_MANY, _WIDE_GAP = 1_500, 0.01
"""Up to so many, it is asked where the gap is wide all the same."""

_EXACT_SUMS_UNITS = 1_500
"""Two devices: up to here `auto` lets HiGHS solve the weighted sums of a product that are open, each as one program."""
_BLOCKS_UNITS = 30_000
"""Two devices: up to here `auto` lets HiGHS solve blocks of what cuts leave open, 1 to 2 s for 10,000 units."""
_BALANCE_S = 10.0
"""Seconds that `auto` gives HiGHS for a throughput, whose largest of several loads is hard to prove."""
_MANY_UNITS, _GOOD_GAP = 2_000, 1e-3
"""Beyond so many units `auto` is content with such a gap: HiGHS takes 3 to 20 s for 10,000 and gains less."""
_FEW_PLACEMENTS = 5_000
"""That are gone through one by one before a problem is called infeasible."""
_GOOD_BALANCE = 0.01
"""Gap of a throughput at which `auto` is content."""


@dataclass(frozen=True, slots=True)
class PlaceOptions:
    """What is made smallest, within what, and how hard it is tried."""

    objective: Objective = "latency"
    max_latency_ms: float | None = None
    max_energy_mj: float | None = None
    solver: Solver = "auto"
    """`fast`: minimum cuts and their bound. `exact`: HiGHS closes the gap. `auto`: HiGHS where it is affordable.
    `greedy`: no search, every unit on the first device that takes it; nothing is proven."""
    gap: float = 1e-4
    """The relative gap between value and bound at which the search may stop."""
    overlap: bool = True
    """Look for placements that are faster where devices work at the same time; for latency."""
    time_limit_s: float = 20.0
    """Results are the same on every run, unless this is hit."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A placement, what it is worth, and the proof."""

    placement: Placement
    value: float
    """Of the objective: microseconds, microjoules, their product, or microseconds between two requests."""
    bound: float
    """No placement of the problem has a smaller one, partitions run one after the other."""
    solver: str
    """What found it."""
    timed_out: bool

    @property
    def gap(self) -> float:
        """How far the value can be above the optimum, as a part of the bound."""
        return relative_gap(self.value, self.bound)


def place(problem: Problem, options: PlaceOptions) -> Placed:
    """Place the units of a problem with costs.

    The result is never worse than the greedy placement, nor than any single device that takes everything, under the
    same costs and limits. Deterministic, unless `Placed.timed_out`.

    Raises:
        PartitionError: no device allows a unit, a pin can't be kept, the edges have a cycle, or no placement keeps all
            limits; the text says which contradict each other, and by how much.
    """
    search = make_search(problem, options)
    arrays, deadline = search.arrays, search.effort.deadline
    goals = _goals(problem, options.objective)
    bounds = limits_of(problem, search, options, goals[0])
    if options.solver == "greedy":
        nothing = Bracket(search.start, np.inf)
        return _choose(search, options, goals, bounds, nothing, "greedy", timed_out=False)
    found = _solve(search, options, goals, bounds)
    solver, timed_out = "mixed-integer programs of blocks" if search.has_blocks else "minimum cuts", False
    if _wants_program(options, search, found):
        # no linear program has a product for its goal: there it only finds a placement where nothing else did
        aims = goals[:1] if options.objective == "edp" else goals
        quantities = Limits(tuple((limit.weights, limit.most) for limit in bounds))
        if options.solver == "auto" and len(aims) > 1:
            deadline = min(deadline, time.monotonic() + _BALANCE_S)
        solution = solve_program(arrays, aims, quantities, gap=options.gap, deadline=deadline)
        timed_out = solution.timed_out
        if solution.infeasible and not np.isfinite(found.value):
            raise explain_infeasible(search, bounds)
        if options.objective != "edp" and not solution.infeasible:
            found.bound = max(found.bound, solution.bound)
        if solution.labels is not None and keeps(search, bounds, solution.labels):
            value = _score(search, options.objective, goals, solution.labels)
            if value < found.value:
                found.offer(solution.labels, value)
                solver = "mixed-integer program"
    return _choose(search, options, goals, bounds, found, solver, timed_out)


def make_search(problem: Problem, options: PlaceOptions) -> Search:
    """The solvers for a problem, from the greedy placement on.

    Raises:
        PartitionError: no device allows a unit, a pin can't be kept, or the edges have a cycle.
    """
    deadline = time.monotonic() + options.time_limit_s
    first = greedy.place(problem)
    arrays = make_arrays(problem)
    two = next(cuts for most, cuts in _CUTS if arrays.units <= most)
    effort = Effort(options.gap, two if arrays.devices == 2 else _CUTS_OF_MANY, deadline)
    return Search(problem, arrays, Grouper(problem), effort, arrays.labels(first.device_of))


def _goals(problem: Problem, objective: Objective) -> tuple[Weights, ...]:
    """What the objective is made of: one quantity; latency and energy; or the load of each device."""
    ones = np.ones(len(problem.devices))
    latency, energy = make_weights(problem, ones, 0.0), make_weights(problem, 0.0 * ones, 1.0)
    if objective == "throughput":
        return tuple(make_weights(problem, row, 0.0) for row in np.eye(len(problem.devices)))
    return {"latency": (latency,), "energy": (energy,), "edp": (latency, energy)}[objective]


def limits_of(problem: Problem, search: Search, options: PlaceOptions, like: Weights) -> tuple[Limit, ...]:
    """Bounds of the user, and what devices can hold."""
    costs = problem.costs
    assert costs is not None
    ones = np.ones(len(problem.devices))
    limits_: list[Limit] = []
    if options.max_latency_ms is not None:
        weights = make_weights(problem, ones, 0.0)
        limits_.append(Limit("latency", "us", weights, 1e3 * options.max_latency_ms))
    if options.max_energy_mj is not None:
        limits_.append(Limit("energy", "uJ", make_weights(problem, 0.0 * ones, 1.0), 1e3 * options.max_energy_mj))
    for device, name in enumerate(problem.devices):
        most = float(costs.capacity[device])
        if np.isfinite(most) and float(costs.memory[:, device].sum()) > most:
            weights = memory_weights(search.arrays, like, costs.memory, device)
            limits_.append(Limit(f"memory of {name}", "B", weights, most))
        own = problem.limits.get(device)
        if own is not None and own.max_partitions is not None:
            weights = partition_weights(like, device)
            limits_.append(Limit(f"partitions on {name}", "", weights, float(own.max_partitions)))
    return tuple(limits_)


def _score(search: Search, objective: Objective, goals: Sequence[Weights], labels: Ints) -> float:
    values = [search.value(goal, labels) for goal in goals]
    return float(np.prod(values)) if objective == "edp" else max(values)


def _solve(search: Search, options: PlaceOptions, goals: tuple[Weights, ...], bounds: Sequence[Limit]) -> Bracket:
    """A placement by cuts, and a bound. One that keeps no limit has an infinite value."""
    if options.objective == "throughput":
        found = balance_loads(search, goals)
    elif options.objective == "edp":
        return least_product(
            search,
            goals[0],
            goals[1],
            bounds,
            blocks=_may_split(options, search, bounds),
            whole=_may_close(options, search),
        )
    elif _may_split(options, search, bounds):
        found = search.minimise(goals[0])
        search.close_pair(goals[0], found, options.gap)
        return found
    else:
        labels, value, bound = minimise_within(search, goals[0], bounds)
        return Bracket(search.start if labels is None else labels, value, bound)
    if bounds and not keeps(search, bounds, found.labels):
        within = [labels for labels in _within(search, goals, bounds) if keeps(search, bounds, labels)]
        found.value = np.inf
        for labels in within:
            found.offer(labels, _score(search, options.objective, goals, labels))
    return found


def _may_split(options: PlaceOptions, search: Search, bounds: Sequence[Limit]) -> bool:
    """Whether what cuts leave open may be solved in blocks."""
    if not search.can_split or bounds:
        return False
    return options.solver == "exact" or (options.solver == "auto" and search.arrays.units <= _BLOCKS_UNITS)


def _may_close(options: PlaceOptions, search: Search) -> bool:
    """Whether HiGHS may be asked for one weighted sum after the other, each as one program."""
    if search.arrays.devices == 1:
        return False
    most = _EXACT_SUMS_UNITS if search.arrays.devices == 2 else _EXACT_UNITS_OF_MANY
    return options.solver == "exact" or (options.solver == "auto" and search.arrays.units <= most)


def _within(search: Search, goals: tuple[Weights, ...], bounds: Sequence[Limit]) -> Iterator[Ints]:
    """Placements within limits for objectives that no sum expresses: the best for each sum that stands for them."""
    for goal in goals:
        labels, _, _ = minimise_within(search, goal, bounds)
        if labels is not None:
            yield labels


def _wants_program(options: PlaceOptions, search: Search, found: Bracket) -> bool:
    if search.arrays.devices == 1:
        return False
    stranded = not np.isfinite(found.value)
    is_proven = found.gap <= options.gap and not stranded  # both are infinite where nothing keeps the limits
    if options.solver == "fast" or is_proven or search.effort.is_over():
        return False
    if options.objective == "edp" and not stranded:
        return False
    if options.objective == "throughput" and found.gap <= _GOOD_BALANCE and options.solver == "auto":
        return False
    if options.solver == "exact":
        return True
    if search.arrays.units > _MANY_UNITS and found.gap <= _GOOD_GAP:
        return False
    wide = options.objective != "throughput" and found.gap > _WIDE_GAP
    many = _WIDE_UNITS_OF_MANY if wide else _EXACT_UNITS_OF_MANY
    return search.arrays.units <= _EXACT_UNITS.get(search.arrays.devices, many)


def _choose(
    search: Search,
    options: PlaceOptions,
    goals: tuple[Weights, ...],
    bounds: Sequence[Limit],
    found: Bracket,
    solver: str,
    timed_out: bool,
) -> Placed:
    """The best of what was found and of the simple placements, each brought within the limits of devices."""
    problem = search.problem
    candidates = list(simple_placements(problem))
    if options.solver == "greedy":
        candidates = [("greedy", limits.enforce(problem, greedy.place(problem)))]
    elif np.isfinite(found.value):
        candidates = [*_enforced(search, solver, found.labels), *candidates]
    best = _best(search, options, goals, bounds, candidates)
    if best is None and options.solver != "greedy":
        everything = (pair for labels in _every(search) for pair in _enforced(search, "enumeration", labels))
        best = _best(search, options, goals, bounds, everything)
    if best is None:
        limits.enforce(problem, greedy.place(problem))  # names a device's limit, if it is one that nothing keeps
        raise explain_infeasible(search, bounds)
    value, name, placement = best
    late = timed_out or search.timed_out or search.effort.is_over()
    return Placed(placement, value, min(found.bound, value), name, late)


def _best(
    search: Search,
    options: PlaceOptions,
    goals: Sequence[Weights],
    bounds: Sequence[Limit],
    candidates: Iterable[tuple[str, Placement]],
) -> tuple[float, str, Placement] | None:
    """The candidate of the smallest value within bounds; of equal ones the first."""
    best: tuple[float, str, Placement] | None = None
    for name, placement in candidates:
        labels = search.arrays.labels(placement.device_of)
        if keeps(search, bounds, labels):
            value = _score(search, options.objective, goals, labels)
            if best is None or value < best[0] * (1 - 1e-12):
                best = (value, name, placement)
    return best


def _enforced(search: Search, name: str, labels: Ints) -> Iterator[tuple[str, Placement]]:
    """A placement within the limits of devices; none where giving units back can't keep them."""
    with contextlib.suppress(PartitionError):
        yield name, limits.enforce(search.problem, Placement(tuple(labels[: search.arrays.units].tolist())))


def _every(search: Search) -> Iterator[Ints]:
    """All placements of a problem with few: the last resort where limits contradict each other nearly everywhere."""
    choices = [np.flatnonzero(row).tolist() for row in search.arrays.allowed[: search.arrays.units]]
    if math.prod(map(len, choices)) <= _FEW_PLACEMENTS:
        for device_of in itertools.product(*choices):
            yield search.arrays.labels(device_of)
