"""Three devices: swaps and bounds beyond what the linear program takes, against all placements."""

from unittest import mock

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.partition.costed import COUNTS, MAGNITUDES, costed_problems, every_placement

from dovetail.partition import PlaceOptions, Problem, multiway
from dovetail.partition.arrays import make_weights
from dovetail.partition.multiway import run_value, solve_many, swap
from dovetail.partition.place import make_search

some = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ANY = st.sampled_from([COUNTS, None, MAGNITUDES]).flatmap(
    lambda amounts: costed_problems(3, 6, amounts=amounts, limited=False)
)


@some
@given(ANY, st.booleans())
def test_bounds_without_the_program_hold(problem: Problem, quick: bool) -> None:
    """Two of the three devices taken for one: an easier problem, whose cuts bound this one."""
    search, everything = make_search(problem, PlaceOptions()), every_placement(problem)
    weights = make_weights(problem, np.ones(3), 0.0)
    with mock.patch.object(multiway, "LARGEST_PROGRAM", 0):
        found = solve_many(search.arrays, weights, search.run, search.start, search.effort, quick)
    best = float(everything.latency.min())
    assert found.bound <= best * (1 + 1e-9)
    row = everything.row(found.labels[: search.arrays.units].tolist())
    assert np.isclose(found.value, everything.latency[row])
    assert found.value <= run_value(search.arrays, weights, search.run, search.start) * (1 + 1e-9)


@some
@given(costed_problems(3, 6, limited=False), st.data())
def test_a_swap_is_the_best_for_its_order(problem: Problem, data: st.DataObject) -> None:
    """Launches are those along the given order, which any placement can be run in."""
    search, everything = make_search(problem, PlaceOptions()), every_placement(problem)
    arrays, weights = search.arrays, make_weights(problem, np.ones(3), 0.0)
    start = everything.device_of[data.draw(st.integers(0, len(everything.device_of) - 1))]
    pair = data.draw(st.sampled_from([(0, 1), (0, 2), (1, 2)]))
    labels = arrays.labels(start)
    order = search.run(labels)[0]
    partitions = everything.partitions @ weights.launch

    runs = everything.device_of[:, order]
    entered = np.concatenate([np.ones((len(runs), 1), np.bool_), runs[:, 1:] != runs[:, :-1]], axis=1)
    in_order = everything.latency - partitions + (weights.launch[runs] * entered).sum(axis=1)
    moves = (everything.device_of == start) | (np.isin(start, pair) & np.isin(everything.device_of, pair))
    best = float(in_order[moves.all(axis=1)].min())

    swapped = everything.row(swap(arrays, weights, order, labels, pair)[: arrays.units].tolist())
    assert moves[swapped].all()
    assert in_order[swapped] <= best * (1 + 1e-6) + 1e-6
