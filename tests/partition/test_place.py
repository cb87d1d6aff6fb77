"""Placement by cost against all placements: the optimum, the bound, and what is never worse."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from tests.partition.costed import MAGNITUDES, EveryPlacement, costed_problems, devices_of, every_placement

from dovetail.cost import CostTable
from dovetail.partition import (
    OBJECTIVES,
    DeviceLimits,
    Objective,
    Placed,
    Placement,
    PlaceOptions,
    Problem,
    Solver,
    Tensor,
    evaluate,
    greedy,
    objective_of,
    phases,
    place,
    simple_placements,
    verify_partitions,
)
from dovetail.plan.errors import PartitionError

EXACT = 1e-4
"""The gap at which a solver claims the optimum."""
ROUNDING = 1e-6


@dataclass(frozen=True)
class Wish:
    """An objective, and bounds as parts of the way from the smallest value to the largest; below 0 is out of reach."""

    objective: Objective
    solver: Solver
    latency: float | None
    energy: float | None

    def options(self, everything: EveryPlacement) -> PlaceOptions:
        return PlaceOptions(
            self.objective,
            max_latency_ms=_bound(self.latency, everything.latency),
            max_energy_mj=_bound(self.energy, everything.energy),
            solver=self.solver,
        )


def _bound(part: float | None, values: np.typing.NDArray[np.float64]) -> float | None:
    if part is None:
        return None
    if part < 0:
        return float(values.min()) * (1 + part) / 1e3
    return float(np.quantile(values, part, method="lower")) * (1 + ROUNDING) / 1e3


parts = st.none() | st.none() | st.integers(-1, 20).map(lambda twentieth: twentieth / 20)
wishes = st.builds(
    Wish, st.sampled_from(OBJECTIVES), st.sampled_from(["auto", "auto", "exact", "fast"]), latency=parts, energy=parts
)
problems = st.sampled_from([2, 2, 3, 1]).flatmap(lambda devices: costed_problems(devices))


def check_against_all(problem: Problem, wish: Wish) -> None:
    everything = every_placement(problem)
    options = wish.options(everything)
    within = everything.within(problem, options)
    if not within.any():
        event(f"{options.objective}, {options.solver}: infeasible")
        with pytest.raises(PartitionError, match=r"^(placement|device)"):
            place(problem, options)
        return
    placed = place(problem, options)
    assert not placed.timed_out

    values = everything.objective(options.objective)
    optimum = float(values[within].min())
    row = everything.row(placed.placement.device_of)
    assert within[row], "a limit is broken"
    assert placed.value == pytest.approx(values[row], rel=1e-9)
    assert placed.bound <= optimum * (1 + ROUNDING)
    assert placed.bound <= placed.value
    if placed.gap <= EXACT:
        assert placed.value <= optimum * (1 + EXACT + ROUNDING)
    for name, simple in simple_placements(problem):
        other = everything.row(simple.device_of)
        assert not within[other] or placed.value <= values[other] * (1 + 1e-9), name
    found = "optimal" if placed.value <= optimum * (1 + EXACT) else "above the optimum"
    event(f"{options.objective}, {options.solver}: {found}{', proven' if placed.gap <= EXACT else ''}")


few = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
many = settings(few, max_examples=2000)
twice = settings(few, max_examples=25)


@few
@given(problems, wishes)
def test_no_placement_is_better(problem: Problem, wish: Wish) -> None:
    check_against_all(problem, wish)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@many
@given(problems, wishes)
def test_no_placement_is_better_in_2000_problems(problem: Problem, wish: Wish) -> None:
    check_against_all(problem, wish)


def outcome(problem: Problem, options: PlaceOptions) -> Placed | str:
    try:
        return place(problem, options)
    except PartitionError as error:
        return str(error)


@twice
@given(problems, wishes)
def test_the_result_is_the_same_again(problem: Problem, wish: Wish) -> None:
    options = wish.options(every_placement(problem))
    assert outcome(problem, options) == outcome(problem, options)


@few
@given(
    st.sampled_from([2, 3]).flatmap(lambda devices: costed_problems(devices, 8 // (devices - 1), amounts=MAGNITUDES)),
    st.sampled_from(OBJECTIVES),
    st.sampled_from(["auto", "fast"]),
)
def test_bounds_hold_for_costs_of_any_magnitude(problem: Problem, objective: Objective, solver: Solver) -> None:
    """Solvers with 32 bits, or with absolute tolerances, prove nothing false; the optimum is not asked of them."""
    everything = every_placement(problem)
    options = PlaceOptions(objective, solver=solver)
    within = everything.within(problem, options)
    if within.any():
        placed = place(problem, options)
        values = everything.objective(objective)
        assert placed.bound <= float(values[within].min()) * (1 + 1e-5)
        assert placed.value == pytest.approx(values[everything.row(placed.placement.device_of)], rel=1e-9)


other_limits = st.builds(
    DeviceLimits,
    max_partitions=st.none() | st.integers(0, 2),
    contiguous=st.booleans(),
    prefix_only=st.booleans(),
    one_precision=st.booleans(),
    min_operators=st.integers(1, 3),
)


@few
@given(
    st.sampled_from([2, 3]).flatmap(lambda devices: costed_problems(devices, 8 // (devices - 1), limited=False)),
    other_limits,
    st.lists(st.sampled_from([("int8",), ("float32",), ()]), min_size=8, max_size=8),
    st.sampled_from(OBJECTIVES),
)
def test_every_limit_of_a_device_is_kept(
    problem: Problem, own: DeviceLimits, precisions: list[tuple[str, ...]], objective: Objective
) -> None:
    """Solvers do not know them all: what is found is mended, and the gap says what that costs."""
    problem = replace(problem, limits={0: own}, precisions=tuple(precisions[: len(problem.names)]))
    everything = every_placement(problem)
    values = everything.objective(objective)
    feasible = [number for number, row in enumerate(everything.device_of) if is_verified(problem, row.tolist())]
    if not feasible:
        with pytest.raises(PartitionError):
            place(problem, PlaceOptions(objective))
        return
    placed = place(problem, PlaceOptions(objective))
    row = everything.row(placed.placement.device_of)
    assert row in feasible
    assert placed.value == pytest.approx(values[row], rel=1e-9)
    assert placed.bound <= float(values[feasible].min()) * (1 + ROUNDING)


def is_verified(problem: Problem, device_of: list[int]) -> bool:
    placement = Placement(tuple(device_of))
    try:
        verify_partitions(problem, placement, phases.partition(problem, placement))
    except PartitionError:
        return False
    return True


def layers(units: int, devices: int, seed: int) -> Problem:
    """A graph of many units in layers of up to four, with costs that spread like those of networks."""
    random = np.random.default_rng(seed)
    readers: list[set[int]] = [set() for _ in range(units)]
    for unit in range(1, units):
        for maker in random.integers(max(0, unit - 4), unit, size=2).tolist():
            readers[maker].add(unit)
    tensors = tuple(Tensor(64, unit, tuple(sorted(each)), not each) for unit, each in enumerate(readers))
    latency = random.lognormal(2, 1, (units, 1)) * random.lognormal(0, 1, (units, devices))
    transfer = random.lognormal(1, 1, (units, 1, 1)) * (1 - np.eye(devices))
    allowed = random.random((units, devices)) > 0.2
    allowed[:, -1] = True
    launch = np.array([60.0, 20.0, 3.0][-devices:])
    return Problem(
        devices=devices_of(devices),
        names=tuple(f"unit{unit}" for unit in range(units)),
        allowed=tuple(map(tuple, allowed.tolist())),
        edges=tuple((unit, reader) for unit, each in enumerate(readers) for reader in sorted(each)),
        sizes=(1,) * units,
        pins={},
        limits={},
        tensors=(Tensor(64, None, (0,)), *tensors),
        costs=CostTable(
            unit_latency=latency,
            unit_energy=latency * np.array([2.0, 9.0, 15.0][-devices:]),
            transfer_latency=np.concatenate([transfer[:1], transfer]),
            transfer_energy=np.concatenate([transfer[:1], transfer]),
            launch_latency=launch,
            launch_energy=launch,
            memory=np.ones((units, devices)),
            capacity=np.full(devices, np.inf),
        ),
    )


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(("units", "devices", "gap"), [(300, 2, 2e-3), (80, 3, 2e-2)])
def test_larger_graphs_are_nearly_settled(units: int, devices: int, gap: float, objective: Objective) -> None:
    problem = layers(units, devices, seed=devices)
    placed = place(problem, PlaceOptions(objective))
    assert placed.gap <= (0.05 if objective == "throughput" else gap)
    random = np.random.default_rng(0)
    options = [np.flatnonzero(row) for row in np.array(problem.allowed)]
    for _ in range(20):
        device_of = tuple(int(random.choice(each)) for each in options)
        assert value_of(problem, device_of, objective) >= placed.bound
    for _ in range(100):  # one unit elsewhere gains no more than the gap
        unit = int(random.integers(units))
        moved = list(placed.placement.device_of)
        moved[unit] = int(random.choice(options[unit]))
        assert value_of(problem, tuple(moved), objective) >= placed.bound


def value_of(problem: Problem, device_of: tuple[int, ...], objective: Objective) -> float:
    return objective_of(evaluate(problem, phases.partition(problem, Placement(device_of))), PlaceOptions(objective))


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("devices", [2, 3])
def test_without_time_the_bound_is_modest_and_true(devices: int, objective: Objective) -> None:
    problem = layers(60, devices, seed=1)
    hurried = place(problem, PlaceOptions(objective, time_limit_s=0.0))
    settled = place(problem, PlaceOptions(objective))
    assert hurried.timed_out
    assert not settled.timed_out
    assert hurried.bound <= settled.value
    assert settled.value <= hurried.value


def test_the_greedy_solver_proves_nothing() -> None:
    problem = layers(30, 3, seed=2)
    placed = place(problem, PlaceOptions(solver="greedy"))
    assert placed.placement == greedy.place(problem)
    assert (placed.solver, placed.bound, placed.gap) == ("greedy", 0.0, np.inf)
    assert place(problem, PlaceOptions()).value <= placed.value


def test_no_units_cost_nothing() -> None:
    problem = layers(1, 2, seed=0)
    assert problem.costs is not None
    costs = replace(
        problem.costs,
        unit_latency=np.zeros((0, 2)),
        unit_energy=np.zeros((0, 2)),
        memory=np.zeros((0, 2)),
        transfer_latency=np.zeros((0, 2, 2)),
        transfer_energy=np.zeros((0, 2, 2)),
    )
    nothing = replace(problem, names=(), allowed=(), sizes=(), tensors=(), costs=costs)
    for objective in OBJECTIVES:
        placed = place(nothing, PlaceOptions(objective))
        assert (placed.placement.device_of, placed.value) == ((), 0.0)
