"""The front between latency and energy and the lines below it, against all placements."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.partition.costed import EveryPlacement, costed_problems, every_placement

from dovetail.partition import PlaceOptions, Problem, pareto
from dovetail.partition.arrays import Bools, Weights, make_weights
from dovetail.partition.bounded import Limit
from dovetail.partition.hull import trace_front
from dovetail.partition.place import make_search
from dovetail.partition.product import _tangent, least_product, lowest_corner
from dovetail.partition.search import Search, memory_weights
from dovetail.plan.errors import PartitionError

some = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ANY = st.sampled_from([2, 2, 3]).flatmap(lambda devices: costed_problems(devices, 9 if devices == 2 else 5))


def setup(problem: Problem, most: float | None) -> tuple[Search, Weights, Weights, list[Limit]]:
    """Latency and energy to be weighed, with a limit on the memory of the first device."""
    search, ones, costs = make_search(problem, PlaceOptions()), np.ones(len(problem.devices)), problem.costs
    assert costs is not None
    latency, energy = make_weights(problem, ones, 0.0), make_weights(problem, 0 * ones, 1.0)
    limits = []
    if most is not None:
        limits.append(Limit("memory of npu", "B", memory_weights(search.arrays, latency, costs.memory, 0), most))
    return search, latency, energy, limits


def kept_rows(everything: EveryPlacement, most: float | None) -> Bools:
    return np.ones(len(everything.device_of), np.bool_) if most is None else everything.memory[:, 0] <= most


MEMORY = st.none() | st.integers(0, 30).map(float)


@some
@given(ANY, MEMORY)
def test_all_placements_lie_above_the_lines(problem: Problem, most: float | None) -> None:
    search, latencies, energies, limits = setup(problem, most)
    front, everything = trace_front(search, latencies, energies, limits), every_placement(problem)
    kept = kept_rows(everything, most)
    latency, energy = everything.latency[kept], everything.energy[kept]
    for a, b, least in front.lines:
        assert least <= float((a * latency + b * energy).min(initial=np.inf)) * (1 + 1e-6)
    for point in front.points:
        row = everything.row(point.labels[: search.arrays.units].tolist())
        assert kept[row]
        assert np.isclose(point.latency, everything.latency[row])
        assert np.isclose(point.energy, everything.energy[row])
    for faster, slower in pairwise(front.points):
        assert faster.latency <= slower.latency
        assert faster.energy > slower.energy


@some
@given(ANY, MEMORY, st.booleans())
def test_the_least_product_lies_between_its_bound_and_its_placement(
    problem: Problem, most: float | None, close: bool
) -> None:
    search, latency, energy, limits = setup(problem, most)
    found, everything = (
        least_product(search, latency, energy, limits, blocks=False, whole=close),
        every_placement(problem),
    )
    kept = kept_rows(everything, most)
    least = float((everything.latency * everything.energy)[kept].min(initial=np.inf))
    assert found.bound <= least * (1 + 1e-6)
    if not np.isfinite(found.value):
        return
    row = everything.row(found.labels[: search.arrays.units].tolist())
    assert kept[row]
    assert np.isclose(found.value, everything.latency[row] * everything.energy[row])
    if close and len(problem.devices) == 2:  # sums are exact there; the hull has a corner that is best without limits
        assert most is not None or found.value <= least * (1 + 1e-3)


@some
@given(ANY, st.none() | st.integers(-1, 20).map(lambda twentieth: twentieth / 20))
def test_a_front_is_of_what_keeps_the_limits(problem: Problem, part: float | None) -> None:
    everything = every_placement(problem)
    options = PlaceOptions()
    if part is not None:
        most = float(np.quantile(everything.latency, max(part, 0.0), method="lower")) * (1 + 1e-6 if part >= 0 else 0.9)
        options = PlaceOptions(max_latency_ms=most / 1e3)
    within = everything.within(problem, options)
    if not within.any():
        with pytest.raises(PartitionError, match=r"^(placement|device)"):
            pareto(problem, options)
        return
    front = pareto(problem, options)
    assert front
    for choice in front:
        row = everything.row(choice.placement.device_of)
        assert within[row]
        assert choice.partitions == everything.partitions[row].sum()
        others = [other for other in front if other is not choice]
        assert not any(o.latency <= choice.latency and o.energy <= choice.energy for o in others)


@pytest.mark.parametrize(
    ("lines", "corner"),
    [
        # no line ends the energy: it is 0 somewhere
        ([(1.0, 1.0, 10.0)], (0.0, 10.0)),
        # no latency below 3
        ([(1.0, 1.0, 10.0), (1.0, 0.0, 3.0), (0.0, 1.0, 4.0)], (3.0, 7.0)),
        # no energy below 4: from where both meet, the product grows
        ([(1.0, 1.0, 10.0), (1.0, 0.0, 5.0), (0.0, 1.0, 4.0)], (6.0, 4.0)),
        # a corner in between, where two lines that are no one's end meet
        ([(2.0, 1.0, 12.0), (1.0, 2.0, 12.0), (1.0, 0.0, 3.9), (0.0, 1.0, 3.9)], (4.0, 4.0)),
    ],
)
def test_the_lowest_corner_above_lines_by_hand(
    lines: list[tuple[float, float, float]], corner: tuple[float, float]
) -> None:
    assert lowest_corner(lines) == pytest.approx(corner)


@pytest.mark.parametrize(
    ("corner", "factors"),
    [((2.0, 4.0), (1.0, 0.5)), ((3.0, 0.0), (0.0, 1.0)), ((0.0, 0.0), (1.0, 1.0)), ((1e9, 1.0), (1e-9, 1.0))],
)
def test_the_next_sum_touches_the_product_in_its_corner(
    corner: tuple[float, float], factors: tuple[float, float]
) -> None:
    assert _tangent(corner) == pytest.approx(factors)
