"""The smallest cost within limits on others, against all placements."""

from dataclasses import dataclass

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.partition.costed import EveryPlacement, Floats, costed_problems, every_placement

from dovetail.cost import CostTable
from dovetail.partition import PlaceOptions, Problem, Tensor
from dovetail.partition.arrays import Weights, make_weights
from dovetail.partition.bounded import Limit, keeps, minimise_within
from dovetail.partition.place import make_search
from dovetail.partition.search import Search, dearest, memory_weights, partition_weights

some = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ANY = st.sampled_from([2, 2, 3]).flatmap(lambda devices: costed_problems(devices, 8 if devices == 2 else 5))


@dataclass(frozen=True)
class Case:
    """A problem, all its placements, and what they can be limited in: weights and the value of each placement."""

    problem: Problem
    search: Search
    everything: EveryPlacement
    goal: Weights
    quantities: tuple[tuple[Weights, Floats], ...]


def case_of(problem: Problem) -> Case:
    search, everything = make_search(problem, PlaceOptions()), every_placement(problem)
    ones, costs = np.ones(len(problem.devices)), problem.costs
    assert costs is not None
    latency, energy = make_weights(problem, ones, 0.0), make_weights(problem, 0 * ones, 1.0)
    memory = memory_weights(search.arrays, latency, costs.memory, 0)
    partitions = partition_weights(latency, 0)
    quantities = (
        (energy, everything.energy),
        (memory, everything.memory[:, 0]),
        (partitions, everything.partitions[:, 0].astype(float)),
    )
    return Case(problem, search, everything, latency, quantities)


@some
@given(ANY, st.data())
def test_every_quantity_is_counted_as_it_runs(problem: Problem, data: st.DataObject) -> None:
    case = case_of(problem)
    row = data.draw(st.integers(0, len(case.everything.device_of) - 1))
    labels = case.search.arrays.labels(case.everything.device_of[row])
    for weights, values in ((case.goal, case.everything.latency), *case.quantities):
        assert np.isclose(case.search.value(weights, labels), values[row])
        assert dearest(case.search.arrays, weights) > values[row]
        limit = Limit("it", "", weights, float(values[row]))
        assert keeps(case.search, [limit], labels)
        below = Limit("it", "", weights, float(values[row]) - 0.01)
        assert not keeps(case.search, [below], labels)


@some
@given(ANY, st.lists(st.integers(0, 12), min_size=3, max_size=3), st.sets(st.integers(0, 2), min_size=1))
def test_limits_are_kept_and_the_bound_holds(problem: Problem, parts: list[int], chosen: set[int]) -> None:
    case = case_of(problem)
    limits, within = [], np.ones(len(case.everything.device_of), np.bool_)
    for number in sorted(chosen):
        weights, values = case.quantities[number]
        most = float(np.quantile(values, parts[number] / 12, method="lower")) * (1 + 1e-6)
        limits.append(Limit(f"quantity {number}", "", weights, most))
        within &= values <= most
    labels, value, bound = minimise_within(case.search, case.goal, limits)
    best = float(case.everything.latency[within].min(initial=np.inf))
    assert bound <= best * (1 + 1e-6)
    if labels is None:
        assert value == np.inf
    else:
        row = case.everything.row(labels[: case.search.arrays.units].tolist())
        assert within[row]
        assert np.isclose(value, case.everything.latency[row])


@some
@given(ANY)
def test_a_limit_that_nothing_keeps_is_proven(problem: Problem) -> None:
    """The bound grows over all that a placement can cost."""
    case = case_of(problem)
    energy, values = case.quantities[0]
    limit = Limit("energy", "uJ", energy, float(values.min()) / 2 - 1.0)
    labels, _, bound = minimise_within(case.search, case.goal, [limit])
    assert labels is None
    assert bound > case.everything.latency.max()


def test_nothing_fits_and_the_bound_is_no_more_than_the_optimum() -> None:
    """A multiplier for a limit of 0 must not be so large that HiGHS's absolute tolerances hide all other costs."""
    away = np.broadcast_to(1 - np.eye(3), (2, 3, 3))
    problem = Problem(
        devices=("npu", "gpu", "cpu"),
        names=("a", "b"),
        allowed=((True, True, True),) * 2,
        edges=(),
        sizes=(1, 1),
        pins={},
        limits={},
        tensors=(Tensor(8, 0, ()), Tensor(8, 1, ())),
        costs=CostTable(
            np.ones((2, 3)),
            np.ones((2, 3)),
            away,
            away,
            np.array([1 / 16, 1.0, 1.0]),
            np.zeros(3),
            np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]),
            np.full(3, np.inf),
        ),
    )
    case = case_of(problem)
    memory, values = case.quantities[1]
    assert float(case.everything.latency[values == 0].min()) == 3
    labels, value, bound = minimise_within(case.search, case.goal, [Limit("memory of npu", "B", memory, 0.0)])
    assert labels is not None
    assert value == 3
    assert bound <= 3 + 1e-9
