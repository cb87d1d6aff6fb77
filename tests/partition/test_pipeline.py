"""The period of a pipeline of requests against all placements."""

import time
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.partition.costed import costed_problems, every_placement

from dovetail.cost import CostTable
from dovetail.partition import PlaceOptions, Problem, Tensor, pipeline, place
from dovetail.partition.arrays import make_arrays, make_weights
from dovetail.partition.lagrange import Bracket
from dovetail.partition.pipeline import balance_loads
from dovetail.partition.place import make_search
from dovetail.partition.program import Limits, solve_program
from dovetail.partition.search import Search

ANY = st.sampled_from([1, 2, 2, 3]).flatmap(lambda devices: costed_problems(devices, 10 - devices, limited=False))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ANY)
def test_the_busiest_device_is_bounded_from_both_sides(problem: Problem) -> None:
    search, everything = make_search(problem, PlaceOptions()), every_placement(problem)
    loads = tuple(make_weights(problem, row, 0.0) for row in np.eye(len(problem.devices)))
    found = balance_loads(search, loads)
    values = everything.loads.max(axis=1)
    row = everything.row(found.labels[: search.arrays.units].tolist())
    assert np.isclose(found.value, values[row])
    assert found.bound <= float(values.min()) * (1 + 1e-6)


def chain(units: int, devices: int) -> Problem:
    """Units of 10 us on every device, in a chain whose tensors cost 0.5 us to move; nothing else costs anything."""
    tensors = tuple(Tensor(4, u, (u + 1,) if u + 1 < units else ()) for u in range(units))
    transfer = np.broadcast_to(0.5 * (1 - np.eye(devices)), (units, devices, devices))
    return Problem(
        devices=("npu", "gpu", "dsp", "cpu")[4 - devices :],
        names=tuple(f"unit{u}" for u in range(units)),
        allowed=((True,) * devices,) * units,
        edges=tuple((u, u + 1) for u in range(units - 1)),
        sizes=(1,) * units,
        pins={},
        limits={},
        tensors=tensors,
        costs=CostTable(
            np.full((units, devices), 10.0),
            np.ones((units, devices)),
            transfer,
            transfer,
            np.zeros(devices),
            np.zeros(devices),
            np.zeros((units, devices)),
            np.full(devices, np.inf),
        ),
    )


@pytest.mark.parametrize(("devices", "period"), [(1, 120.0), (2, 60.5), (3, 40.5), (4, 30.5)])
def test_equal_work_is_shared_equally(devices: int, period: float) -> None:
    """Each device takes as much; all but the first one wait for a tensor."""
    placed = place(chain(12, devices), PlaceOptions("throughput", solver="exact"))
    assert placed.value == pytest.approx(period)
    assert placed.bound == pytest.approx(period, rel=1e-3)


@pytest.mark.parametrize("devices", [2, 3])
def test_the_bound_is_that_of_weighted_sums_not_their_value(devices: int) -> None:
    """Solvers of weighted sums that prove nothing leave nothing proven."""
    problem = chain(8, devices)
    search = make_search(problem, PlaceOptions())
    loads = tuple(make_weights(problem, row, 0.0) for row in np.eye(devices))
    real = Search.minimise

    def unproven(*args: Any, **options: Any) -> Bracket:
        found = real(*args, **options)
        return Bracket(found.labels, found.value, 0.0, play=found.play)

    with mock.patch.object(Search, "minimise", unproven), mock.patch.object(pipeline, "LARGEST_PROGRAM", 0):
        assert balance_loads(search, loads).bound == 0


@pytest.mark.parametrize("seed", [0, 2, 5])
def test_loads_of_minutes_are_balanced_as_those_of_microseconds(seed: int) -> None:
    """HiGHS has absolute tolerances: rows of such numbers cut off the best placement, and the bound was above it."""
    problem = apart(seed, us=1e7)
    best = float(every_placement(problem).objective("throughput").min())
    placed = place(problem, PlaceOptions("throughput", solver="exact"))
    assert placed.bound <= best * (1 + 1e-6)
    assert placed.value == pytest.approx(best, rel=2 * PlaceOptions().gap)


@pytest.mark.parametrize("seed", [0, 2, 3])
def test_programs_of_minutes_within_limits_bound_nothing_away(seed: int) -> None:
    problem = apart(seed, us=1e7)
    everything, arrays = every_placement(problem), make_arrays(problem)
    most = float(np.quantile(everything.energy, 0.1)) * 1.001
    kept = everything.energy <= most
    limits = Limits(((make_weights(problem, np.zeros(2), 1.0), most),))
    loads = tuple(make_weights(problem, row, 0.0) for row in np.eye(2))
    sums = (make_weights(problem, np.ones(2), 0.0),)
    for goals, values in ((loads, everything.objective("throughput")), (sums, everything.latency)):
        found = solve_program(arrays, goals, limits, gap=1e-6, deadline=time.monotonic() + 60)
        best = float(values[kept].min())
        assert found.bound == pytest.approx(best, rel=1e-5)
        assert found.labels is not None
        assert values[everything.row(found.labels[: arrays.units].tolist())] == pytest.approx(best, rel=1e-5)


def apart(seed: int, us: float) -> Problem:
    """Units that exchange nothing; what they cost are whole numbers of `us`."""
    draw, units = np.random.default_rng(seed), 6
    latency, energy = np.round(draw.lognormal(3.0, 1.0, (2, units, 2))) * us
    launch = np.round(draw.lognormal(4.0, 1.0, 2)) * us
    none = np.zeros((0, 2, 2))
    costs = CostTable(latency, energy, none, none, launch, launch, np.zeros((units, 2)), np.full(2, np.inf))
    names = tuple(map(str, range(units)))
    return Problem(("npu", "cpu"), names, ((True, True),) * units, (), (1,) * units, {}, {}, costs=costs)
