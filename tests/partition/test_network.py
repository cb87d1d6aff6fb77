"""Minimum cuts with prices on switches, against all placements."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.partition.costed import MAGNITUDES, Floats, Ints, costed_problems, every_placement

from dovetail.partition import Problem
from dovetail.partition.arrays import Arrays, Weights, make_arrays, make_weights, serial_parts
from dovetail.partition.launches import switch_costs
from dovetail.partition.network import Network

some = settings(max_examples=40, deadline=None)
PRICES = st.sampled_from([0.0, 0.25, 0.5, 1.0])


def priced(arrays: Arrays, weights: Weights, labels: Ints, prices: Floats) -> float:
    """Units, transfers, the first launch, and the switches at their prices."""
    switches = prices * switch_costs(arrays, weights, labels)
    return serial_parts(arrays, weights, labels) + float(weights.launch[labels[arrays.root]] + switches.sum())


def check_cut(problem: Problem, pair: tuple[int, int], start: Ints, data: st.DataObject) -> None:
    """The cut is the best of all placements in which units of the pair stay in it and the others do not move."""
    arrays = make_arrays(problem)
    weights = make_weights(problem, np.ones(arrays.devices), 0.0)
    edges = len(arrays.edge_source)
    prices = data.draw(hnp.arrays(np.float64, edges, elements=PRICES, fill=st.nothing()))
    every = [row for row in every_placement(problem).device_of if reachable(row, start, pair)]
    assert every, "the start is a placement"
    labels = arrays.labels(start)
    network = Network(arrays, weights, pair, labels, (arrays.edge_source, arrays.edge_target))
    cut = network.cut(prices)
    root = labels[arrays.root]
    roots = [root] if root not in pair else pair
    best = np.inf
    for row in every:
        candidate = arrays.labels(row)
        for candidate[arrays.root] in roots:
            best = min(best, priced(arrays, weights, candidate, prices))
    assert cut.bound <= best * (1 + 1e-9)
    assert np.isclose(cut.bound, best, rtol=1e-6, atol=1e-6)
    assert np.isclose(priced(arrays, weights, cut.labels, prices), best, rtol=1e-6, atol=1e-6)
    assert reachable(cut.labels[: arrays.units], start, pair)


def reachable(row: Ints, start: Ints, pair: tuple[int, int]) -> bool:
    return bool(((row == start) | (np.isin(row, pair) & np.isin(start, pair))).all())


@some
@given(costed_problems(2, 8), st.data())
def test_prices_are_paid_for_the_device_that_is_entered(problem: Problem, data: st.DataObject) -> None:
    start = make_arrays(problem).allowed[:-2].argmax(axis=1)
    check_cut(problem, (0, 1), start, data)


@some
@given(costed_problems(3, 5), st.data())
def test_units_elsewhere_stay_and_are_paid(problem: Problem, data: st.DataObject) -> None:
    every = every_placement(problem).device_of
    start = every[data.draw(st.integers(0, len(every) - 1))]
    pair = data.draw(st.sampled_from([(0, 1), (0, 2), (1, 2), (2, 0)]))
    check_cut(problem, pair, start, data)


@some
@given(costed_problems(2, 8, amounts=MAGNITUDES, limited=False), st.sampled_from([1e-9, 1.0, 1e9]))
def test_costs_of_any_magnitude_wrap_around_nowhere(problem: Problem, factor: float) -> None:
    """Capacities are 32 bits: 2^31 would become a flow of nothing, and a bound of nothing or a placement of chance."""
    arrays = make_arrays(problem)
    weights = make_weights(problem, np.full(arrays.devices, factor), 0.0)
    start = arrays.allowed.argmax(axis=1)
    free = np.zeros(len(arrays.edge_source))
    cut = Network(arrays, weights, (0, 1), start, (arrays.edge_source, arrays.edge_target)).cut(free)
    values = []
    for row in every_placement(problem).device_of:
        labels = arrays.labels(row)
        for labels[arrays.root] in (0, 1):
            values.append(priced(arrays, weights, labels, free))
    best, lost = min(values), max(values) * 1e-6
    assert best - lost <= cut.bound <= best * (1 + 1e-9)
    assert priced(arrays, weights, cut.labels, free) <= best + lost


@pytest.mark.parametrize("device", [0, 1])
def test_small_differences_count_where_all_units_agree(device: int) -> None:
    """No flow is possible then, and differences below 1 are all there is."""
    problem = Problem(("npu", "cpu"), ("a", "b"), ((True, True),) * 2, ((0, 1),), (1, 1), pins={}, limits={})
    arrays = make_arrays(problem)
    unit = np.zeros((4, 2))
    unit[:2, 1 - device] = 1e-3, 1e-6
    weights = Weights(unit, np.zeros((0, 2, 2)), np.zeros(2))
    edges = arrays.edge_source, arrays.edge_target
    for start in (0, 1):
        cut = Network(arrays, weights, (0, 1), np.array([start, start, 1, start]), edges).cut(np.zeros(2))
        assert cut.labels[:2].tolist() == [device, device]
        assert cut.bound == 0
