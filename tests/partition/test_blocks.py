"""Blocks of a graph solved as programs, and the prices that hold them together, against all placements."""

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.partition.costed import MAGNITUDES, costed_problems, every_placement

from dovetail.cost import CostTable
from dovetail.partition import Objective, PlaceOptions, Problem, Tensor, place
from dovetail.partition.arrays import Arrays, Floats, Ints, Weights, make_arrays, make_weights
from dovetail.partition.blocks import blocks_of, solve_blocks
from dovetail.partition.lagrange import Effort, solve_pair
from dovetail.partition.network import Network
from dovetail.partition.prices import Prices
from dovetail.partition.program import Solution, solve_program
from dovetail.partition.search import dearest

ROUNDING = 1e-6
GAP = 1e-9
some = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TWO = costed_problems(devices=2, max_units=9, limited=False)
SEEDS = st.integers(0, 1 << 20)
SEED = 584
"""A rung of `ladder` in which a mixture of placements is better than all of them."""


def weighed(problem: Problem) -> tuple[Arrays, Weights]:
    return make_arrays(problem), make_weights(problem, np.ones(2), 0.0)


def whole(arrays: Arrays, weights: Weights) -> Network:
    start = arrays.allowed.argmax(axis=1)
    return Network(arrays, weights, (0, 1), start, (arrays.edge_source, arrays.edge_target))


def drawn(arrays: Arrays, seed: int) -> Prices:
    """Any unit flow at all: prices need not be good for a bound to hold."""
    draw, prices = np.random.default_rng(seed), Prices(arrays)
    for _ in range(seed % 4):
        prices.learn(draw.lognormal(0.0, 2.0, len(arrays.edge_source)))
    return prices


def solved(
    arrays: Arrays, weights: Weights, prices: Floats, units: int, known: Ints | None = None, limit_s: float = 60.0
) -> Solution:
    known = arrays.allowed.argmax(axis=1) if known is None else known
    network, deadline = whole(arrays, weights), time.monotonic() + limit_s
    return solve_blocks(arrays, weights, network, prices, known, gap=GAP, deadline=deadline, units=units)


# --- prices


@some
@given(TWO, SEEDS)
def test_prices_are_a_unit_flow(problem: Problem, seed: int) -> None:
    arrays = make_arrays(problem)
    flow = drawn(arrays, seed).flow()
    entering = np.bincount(arrays.edge_target, flow, arrays.units + 2)
    leaving = np.bincount(arrays.edge_source, flow, arrays.units + 2)
    assert (flow >= 0).all()
    assert entering[arrays.root] == 0
    if arrays.units:
        assert leaving[arrays.root] == pytest.approx(1.0)
    has_readers = np.isin(np.arange(arrays.units), arrays.edge_source)
    assert leaving[: arrays.units][has_readers] == pytest.approx(entering[: arrays.units][has_readers])


def test_prices_go_where_the_launches_are() -> None:
    arrays = make_arrays(branches())
    edge = {(int(s), int(t)): n for n, (s, t) in enumerate(zip(arrays.edge_source, arrays.edge_target, strict=True))}
    prices = Prices(arrays)
    assert prices.flow()[[edge[0, 1], edge[0, 2]]].tolist() == [0.5, 0.5]
    costs = np.zeros(len(edge))
    costs[edge[0, 2]] = 7.0
    prices.learn(costs)
    assert prices.flow()[[edge[0, 1], edge[0, 2]]].tolist() == [0.0, 1.0]
    assert Prices(arrays, prices.regrets).flow().tolist() == prices.flow().tolist()


def test_prices_that_go_on_leave_the_first_play_as_it_was() -> None:
    arrays = make_arrays(branches())
    first = Prices(arrays)
    before = first.regrets.copy()
    Prices(arrays, first.regrets).learn(np.arange(len(arrays.edge_source), dtype=float))
    assert first.regrets.tolist() == before.tolist()


def branches() -> Problem:
    """0 -> 1 -> 3 and 0 -> 2 -> 3."""
    edges = ((0, 1), (0, 2), (1, 3), (2, 3))
    return Problem(("npu", "cpu"), ("a", "b", "c", "d"), ((True, True),) * 4, edges, (1,) * 4, {}, {})


# --- blocks


@some
@given(TWO, SEEDS, st.integers(1, 9))
def test_no_placement_is_below_the_blocks_nor_they_below_the_cut(problem: Problem, seed: int, units: int) -> None:
    arrays, weights = weighed(problem)
    prices = drawn(arrays, seed).flow()
    found, best = solved(arrays, weights, prices, units), every_placement(problem).latency.min()
    assert found.labels is not None
    assert arrays.allowed[np.arange(arrays.units + 2), found.labels].all()
    assert found.bound <= best * (1 + ROUNDING) + ROUNDING
    assert found.bound >= whole(arrays, weights).cut(prices).bound - 1e-4 * dearest(arrays, weights)


@some
@given(costed_problems(devices=2, max_units=8, amounts=MAGNITUDES, limited=False), SEEDS, st.integers(1, 8))
def test_blocks_bound_costs_of_fifteen_orders_of_magnitude(problem: Problem, seed: int, units: int) -> None:
    arrays, weights = weighed(problem)
    found = solved(arrays, weights, drawn(arrays, seed).flow(), units)
    assert found.bound <= every_placement(problem).latency.min() * (1 + ROUNDING)


@some
@given(TWO, SEEDS)
def test_one_block_is_the_whole_program(problem: Problem, seed: int) -> None:
    arrays, weights = weighed(problem)
    found = solved(arrays, weights, drawn(arrays, seed).flow(), units=100)
    best = float(every_placement(problem).latency.min())
    assert best - 1e-4 * dearest(arrays, weights) <= found.bound <= best * (1 + ROUNDING) + ROUNDING
    assert found.labels is not None


@some
@given(TWO, st.integers(1, 9))
def test_blocks_follow_one_another(problem: Problem, units: int) -> None:
    arrays = make_arrays(problem)
    blocks = blocks_of(arrays, units)
    assert (blocks[arrays.edge_source] <= blocks[arrays.edge_target]).all()
    sizes = np.bincount(blocks[list(arrays.order)])
    assert (sizes > 0).all()
    assert sizes.max() <= max(round(units * 1.25), 1)


def test_blocks_end_where_the_fewest_edges_cross() -> None:
    """Diamonds one behind the other: 0, 1 and 2, 3, 4 and 5, 6, ..: one edge crosses before and behind each join."""
    edges = [(3 * n + a, 3 * n + b) for n in range(8) for a, b in ((0, 1), (0, 2), (1, 3), (2, 3))]
    units = 3 * 8 + 1
    names = tuple(map(str, range(units)))
    arrays = make_arrays(Problem(("npu", "cpu"), names, ((True, True),) * units, tuple(edges), (1,) * units, {}, {}))
    blocks = blocks_of(arrays, units=8)
    crossing = blocks[arrays.edge_source] != blocks[arrays.edge_target]
    assert blocks.max() >= 2
    assert crossing.sum() <= 2 * blocks.max()


def test_blocks_close_what_the_best_prices_leave_open() -> None:
    """Where mixtures beat all placements in many places that do not touch, each block sees its own."""
    arrays, weights = weighed(ladder(rungs=12))
    found = solve_pair(arrays, weights, arrays.allowed.argmax(axis=1), Effort(1e-9, 200, time.monotonic() + 60))
    best = solve_program(arrays, [weights], gap=1e-7, deadline=time.monotonic() + 60).bound
    assert found.play is not None
    closed = solved(arrays, weights, found.play.prices.flow(), units=33)
    assert found.bound < best * (1 - 5e-3)
    assert best * (1 - 5e-4) <= closed.bound <= best * (1 + 1e-5)


@pytest.mark.parametrize("objective", ["latency", "edp"])
def test_large_problems_are_proven_by_blocks(objective: Objective) -> None:
    problem = ladder(rungs=30)
    fast = place(problem, PlaceOptions(objective=objective, solver="fast"))
    proven = place(problem, PlaceOptions(objective=objective))
    assert proven.gap <= PlaceOptions().gap < fast.gap
    assert proven.value <= fast.value
    assert proven.bound > fast.bound
    assert proven.solver == "mixed-integer programs of blocks"


def test_a_product_that_small_blocks_leave_open_is_proven_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dovetail.partition.search._BLOCK_UNITS", 6)
    solved_whole = list[float]()

    def counted(*arguments: Any, **options: Any) -> Solution:
        solved_whole.append(options["gap"])
        return solve_program(*arguments, **options)

    monkeypatch.setattr("dovetail.partition.product.solve_program", counted)
    assert place(ladder(rungs=3), PlaceOptions(objective="edp")).gap <= PlaceOptions().gap
    assert solved_whole


def test_when_time_is_over_there_is_what_was_known() -> None:
    arrays, weights = weighed(ladder(rungs=4))
    prices, known = Prices(arrays).flow(), arrays.labels(np.ones(arrays.units, np.int64))
    late = solved(arrays, weights, prices, 8, known, limit_s=0.0)
    assert late.labels is not None
    assert late.labels.tolist() == known.tolist()
    assert late.bound == pytest.approx(whole(arrays, weights).cut(prices).bound, rel=1e-6)
    assert late.timed_out


@some
@given(TWO, SEEDS, st.integers(1, 9))
def test_blocks_that_are_known_to_be_best_are_left_alone(problem: Problem, seed: int, units: int) -> None:
    """The bound does not depend on what is known, as blocks are skipped only where there is nothing to gain."""
    arrays, weights = weighed(problem)
    prices, everything = drawn(arrays, seed).flow(), every_placement(problem)
    best = arrays.labels(everything.device_of[int(everything.latency.argmin())])
    first, second = (solved(arrays, weights, prices, units, known) for known in (None, best))
    assert second.bound == pytest.approx(first.bound, abs=1e-4 * dearest(arrays, weights))
    assert second.bound <= everything.latency.min() * (1 + ROUNDING) + ROUNDING


def ladder(rungs: int, seed: int = SEED) -> Problem:
    """The same rung again and again, each reading the end of the last; of sums that read two units before them."""
    draw, rung = np.random.default_rng(seed), list[tuple[int, ...]]([(-1,), (-1,)])
    for _ in range(10):
        states = [0, 1, *range(4, len(rung), 3)]
        rung += [(int(draw.choice(states)),), (int(draw.choice(states)),), (len(rung), len(rung) + 1)]
    read = {unit for reads in rung for unit in reads}
    rung.append(tuple(unit for unit in range(len(rung)) if unit not in read))
    size = len(rung)
    reads = [tuple(size * n + unit for unit in one if n or unit >= 0) for n in range(rungs) for one in rung]
    units = size * rungs
    readers: list[list[int]] = [[] for _ in range(units)]
    for reader, one in enumerate(reads):
        for unit in one:
            readers[unit].append(reader)
    tensors = tuple(Tensor(1, unit, tuple(readers[unit]), not readers[unit]) for unit in range(units))
    latency = np.tile(draw.lognormal(0.0, 1.0, (size, 2)) * (15.0, 60.0), (rungs, 1))
    transfer = np.tile(draw.lognormal(4.0, 0.3, (size, 1, 1)), (rungs, 1, 1)) * (1.0 - np.eye(2))
    launch, allowed = np.array([300.0, 20.0]), np.ones((size, 2), bool)
    allowed[:, 0] = draw.random(size) > 0.1
    costs = CostTable(latency, latency, transfer, transfer, launch, launch, np.zeros((units, 2)), np.full(2, np.inf))
    edges = tuple((unit, reader) for reader, one in enumerate(reads) for unit in one)
    names, supports = tuple(map(str, range(units))), tuple(map(tuple, allowed.tolist())) * rungs
    return Problem(("npu", "cpu"), names, supports, edges, (1,) * units, {}, {}, tensors=tensors, costs=costs)
