"""The solvers below `place`, each against all placements: cuts, prices, the program, swaps, fronts."""

import math
import time
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.partition.costed import MAGNITUDES, EveryPlacement, costed_problems, every_placement

from dovetail.partition import PlaceOptions, Problem, pareto
from dovetail.partition.arrays import Arrays, Weights, make_arrays, make_weights, serial_parts
from dovetail.partition.lagrange import Effort, path_value, relative_gap, solve_pair
from dovetail.partition.launches import heaviest_path, path_launches
from dovetail.partition.multiway import solve_many
from dovetail.partition.network import Network
from dovetail.partition.place import make_search
from dovetail.partition.product import lowest_corner
from dovetail.partition.program import Limits, solve_program
from dovetail.partition.search import dearest

ROUNDING = 1e-6
some = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TWO = costed_problems(devices=2, max_units=10, limited=False)
THREE = costed_problems(devices=3, max_units=6, limited=False)


def weighed(problem: Problem) -> tuple[Arrays, Weights]:
    return make_arrays(problem), make_weights(problem, np.ones(len(problem.devices)), 0.0)


def effort() -> Effort:
    return Effort(gap=1e-6, cuts=40, deadline=time.monotonic() + 60)


def optimum(everything: EveryPlacement) -> float:
    return float(everything.latency.min())


def close(value: float, wanted: float) -> bool:
    return abs(value - wanted) <= ROUNDING * max(abs(wanted), 1.0)


@some
@given(costed_problems(devices=2, max_units=10, limited=False, launches=False))
def test_without_launches_one_cut_is_the_optimum(problem: Problem) -> None:
    arrays, weights = weighed(problem)
    start = arrays.allowed.argmax(axis=1)
    network = Network(arrays, weights, (0, 1), start, (arrays.edge_source, arrays.edge_target))
    cut = network.cut(np.zeros(len(arrays.edge_source)))
    best = optimum(every_placement(problem))
    assert close(serial_parts(arrays, weights, cut.labels), best)
    assert cut.bound <= best * (1 + 1e-9) + 1e-9
    assert close(cut.bound, best)


@some
@given(costed_problems(devices=3, max_units=6, limited=False, launches=False), st.data())
def test_a_cut_of_two_devices_leaves_the_third_alone(problem: Problem, data: st.DataObject) -> None:
    arrays, weights = weighed(problem)
    everything = every_placement(problem)
    pair = data.draw(st.sampled_from([(0, 1), (0, 2), (1, 2)]))
    start = everything.device_of[data.draw(st.integers(0, len(everything.device_of) - 1))]
    labels = arrays.labels(start)
    network = Network(arrays, weights, pair, labels, (arrays.edge_source, arrays.edge_target))
    cut = network.cut(np.zeros(len(arrays.edge_source)))
    moves = np.isin(start, pair)
    same = (everything.device_of == start) | (moves & np.isin(everything.device_of, pair))
    assert close(serial_parts(arrays, weights, cut.labels), float(everything.latency[same.all(axis=1)].min()))


@some
@given(costed_problems(devices=2, max_units=8, amounts=MAGNITUDES, limited=False))
def test_bounds_hold_over_fifteen_orders_of_magnitude(problem: Problem) -> None:
    """Capacities have 32 bits: what is lost by that is taken off the bound."""
    arrays, weights = weighed(problem)
    found = solve_pair(arrays, weights, arrays.allowed.argmax(axis=1), effort())
    best = optimum(every_placement(problem))
    assert found.bound <= best * (1 + 1e-9)
    assert found.value >= best * (1 - 1e-9)


@some
@given(TWO)
def test_prices_give_a_bound_and_a_placement(problem: Problem) -> None:
    arrays, weights = weighed(problem)
    found = solve_pair(arrays, weights, arrays.allowed.argmax(axis=1), effort())
    everything = every_placement(problem)
    assert found.bound <= optimum(everything) * (1 + 1e-9) + 1e-9
    real = float(everything.latency[everything.row(found.labels[:-2].tolist())])
    assert found.value >= real * (1 - ROUNDING) - ROUNDING, "the run may start on the other device than the root"
    if found.gap == 0:
        assert close(found.value, optimum(everything))


@some
@given(TWO)
def test_launches_are_those_of_the_worst_path(problem: Problem) -> None:
    arrays, weights = weighed(problem)
    everything = every_placement(problem)
    for row in (0, len(everything.device_of) // 2, len(everything.device_of) - 1):
        labels = arrays.labels(everything.device_of[row])
        values = []
        for first in (0, 1):
            labels[arrays.root] = first
            values.append(path_value(arrays, weights, labels))
        assert close(min(values), float(everything.latency[row]))
        assert path_launches(arrays, weights, labels) >= float(weights.launch[labels[arrays.root]])


def test_the_heaviest_path_by_hand() -> None:
    problem = Problem(
        devices=("npu", "cpu"),
        names=("a", "b", "c"),
        allowed=((True, True),) * 3,
        edges=((0, 1), (1, 2), (0, 2)),
        sizes=(1, 1, 1),
        pins={},
        limits={},
    )
    arrays = make_arrays(problem)
    edge = {(int(s), int(t)): n for n, (s, t) in enumerate(zip(arrays.edge_source, arrays.edge_target, strict=True))}
    cost = np.zeros(len(edge))
    cost[edge[0, 1]], cost[edge[1, 2]], cost[edge[0, 2]] = 2.0, 3.0, 4.0
    assert heaviest_path(arrays, cost) == (5.0, [edge[1, 2], edge[0, 1], edge[arrays.root, 0]])


@some
@given(TWO)
def test_the_program_is_exact_for_two_devices(problem: Problem) -> None:
    arrays, weights = weighed(problem)
    everything = every_placement(problem)
    found = solve_program(arrays, [weights], gap=1e-9, deadline=effort().deadline)
    assert found.labels is not None
    assert found.bound <= optimum(everything) * (1 + ROUNDING)
    assert found.bound >= optimum(everything) * (1 - ROUNDING) - ROUNDING * dearest(arrays, weights)
    assert close(float(everything.latency[everything.row(found.labels[:-2].tolist())]), optimum(everything))
    relaxed = solve_program(arrays, [weights], gap=1e-9, deadline=effort().deadline, relax=True)
    assert relaxed.bound <= found.bound * (1 + ROUNDING) + ROUNDING


@some
@given(THREE)
def test_three_devices_are_bounded_from_both_sides(problem: Problem) -> None:
    arrays, weights = weighed(problem)
    everything = every_placement(problem)
    best = optimum(everything)
    search = make_search(problem, PlaceOptions())
    found = solve_many(arrays, weights, search.run, search.start, effort())
    assert found.bound <= best * (1 + ROUNDING) + ROUNDING
    assert close(found.value, float(everything.latency[everything.row(found.labels[:-2].tolist())]))
    assert (
        solve_program(arrays, [weights], gap=1e-9, deadline=effort().deadline).bound <= best * (1 + ROUNDING) + ROUNDING
    )


def test_a_program_without_a_solution_says_so() -> None:
    problem = Problem(
        devices=("npu", "cpu"),
        names=("a",),
        allowed=((False, True),),
        edges=(),
        sizes=(1,),
        pins={},
        limits={},
    )
    arrays = make_arrays(problem)
    weights = Weights(np.ones((3, 2)), np.zeros((0, 2, 2)), np.ones(2))
    found = solve_program(arrays, [weights], Limits(((weights, 0.5),)), gap=1e-4, deadline=effort().deadline)
    assert found.infeasible
    late = solve_program(arrays, [weights], gap=1e-4, deadline=0.0)
    assert (late.labels, late.bound, late.timed_out) == (None, 0.0, True)


@some
@given(TWO | THREE)
def test_nothing_is_better_than_the_front_in_both(problem: Problem) -> None:
    everything = every_placement(problem)
    front = pareto(problem, PlaceOptions())
    for faster, slower in pairwise(front):
        assert faster.latency < slower.latency
        assert faster.energy > slower.energy
    for choice in front:
        row = everything.row(choice.placement.device_of)
        assert close(choice.latency, float(everything.latency[row]))
        assert close(choice.energy, float(everything.energy[row]))
    ends = (front[0].latency, front[-1].energy)
    assert ends[0] >= everything.latency.min() * (1 - 1e-9) - 1e-9
    assert ends[1] >= everything.energy.min() * (1 - 1e-9) - 1e-9


@given(st.lists(st.tuples(st.floats(1, 100), st.floats(1, 100)), min_size=2, max_size=8))
def test_no_point_above_the_lines_has_a_smaller_product(points: list[tuple[float, float]]) -> None:
    """Lines that touch a set of points from below, as exact solvers would give them."""
    where: npt.NDArray[np.float64] = np.array(points)
    directions = [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, 3.0), (2.0, 0.5)]
    lines = [(a, b, float((where @ np.array([a, b])).min())) for a, b in directions]
    assert math.prod(lowest_corner(lines)) <= float(where.prod(axis=1).min()) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("value", "bound", "gap"), [(1.0, 1.0, 0.0), (1.1, 1.0, 0.1), (1.0, 0.0, np.inf), (0.0, 0.0, 0.0), (1.0, 2.0, 0.0)]
)
def test_gaps(value: float, bound: float, gap: float) -> None:
    assert relative_gap(value, bound) == pytest.approx(gap)
