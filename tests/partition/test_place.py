"""Placement by cost against all placements: the optimum, the bound, and what is never worse."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from tests.partition.costed import EveryPlacement, costed_problems, every_placement

from dovetail.partition import OBJECTIVES, Objective, Placed, PlaceOptions, Problem, Solver, place, simple_placements
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
