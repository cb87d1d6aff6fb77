"""Placement on three and more devices: two devices at a time.

Which of two devices each of their units is on, all others staying where they are, is a minimum cut. A *swap* cuts
with the launches along the order of the current run: where that gets cheaper, so does the placement. Swaps end where
none helps, so they start from several places: the best placements on two devices alone (with the others for what
these do not take), and the solution of the linear program where that is affordable.

No placement costs less than the linear program. Where it is too large, the bound is that of problems of two devices
that are easier than this one: two devices taken for one, with the better cost of both.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import combinations

import numpy as np

from dovetail.partition.arrays import Arrays, Ints, Weights, serial_parts
from dovetail.partition.lagrange import Bracket, Effort, solve_pair
from dovetail.partition.network import Network
from dovetail.partition.program import solve_program

LARGEST_PROGRAM = 3_000
"""Units up to which the linear program is solved: 0.6 s there, 2 to 19 s at 10,000."""
_SWAPS = 24
_CUTS_OF_BOUND = 6
"""Cuts for the bound of an easier problem, which is weak however good it is."""

Run = Callable[[Ints], tuple[Ints, Ints]]
"""From the devices of all nodes to the units in the order of a run, and the device of each of its partitions."""


def solve_many(arrays: Arrays, weights: Weights, run: Run, start: Ints, effort: Effort, quick: bool = False) -> Bracket:
    """Place on any number of devices.

    Args:
        arrays: the structure.
        weights: what is made smallest.
        run: how a placement is run.
        start: a placement that is allowed.
        effort: when to stop; `cuts` is for each pair of devices.
        quick: swap from `start` alone, beside the linear program.
    """
    best = Bracket(start, run_value(arrays, weights, run, start))
    small = arrays.units <= LARGEST_PROGRAM
    if small:
        relaxed = solve_program(arrays, [weights], gap=effort.gap, deadline=effort.deadline, relax=True)
        best.bound = relaxed.bound
        if relaxed.labels is not None:
            _descend(arrays, weights, run, relaxed.labels, effort, best)
    for pair in combinations(range(arrays.devices), 2):
        if quick or best.gap <= effort.gap or effort.is_over():
            break
        found = solve_pair(arrays, weights, _only(arrays, weights, pair), effort, pair)
        _descend(arrays, weights, run, found.labels, effort, best)
        if not small:
            best.bound = max(best.bound, _easier(arrays, weights, pair, replace(effort, cuts=_CUTS_OF_BOUND)))
    _descend(arrays, weights, run, best.labels, effort, best)
    return best


def run_value(arrays: Arrays, weights: Weights, run: Run, labels: Ints) -> float:
    """What a placement costs, run in that order."""
    return serial_parts(arrays, weights, labels) + float(weights.launch[run(labels)[1]].sum())


def _descend(arrays: Arrays, weights: Weights, run: Run, start: Ints, effort: Effort, best: Bracket) -> None:
    """Swap between two devices at a time until no swap helps, and offer what comes out."""
    labels, (order, devices) = start, run(start)
    value = serial_parts(arrays, weights, labels) + float(weights.launch[devices].sum())
    pairs = list(combinations(range(arrays.devices), 2))
    in_vain = 0
    for step in range(_SWAPS):
        if in_vain == len(pairs) or effort.is_over():
            break
        moved = swap(arrays, weights, order, labels, pairs[step % len(pairs)])
        in_vain += 1
        other_order, devices = run(moved)
        cost = serial_parts(arrays, weights, moved) + float(weights.launch[devices].sum())
        if cost < value * (1 - 1e-12):
            labels, order, value, in_vain = moved, other_order, cost, 0
    best.offer(labels, value)


def swap(arrays: Arrays, weights: Weights, order: Ints, labels: Ints, pair: tuple[int, int]) -> Ints:
    """The best placement for a run in this order in which only units on two devices change between these."""
    chain = np.concatenate([[arrays.root], order])
    network = Network(arrays, weights, pair, labels, (chain[:-1], chain[1:]))
    return network.cut(np.ones(len(order))).labels if network.has_choice else labels


def _only(arrays: Arrays, weights: Weights, pair: Iterable[int]) -> Ints:
    """Every node on the cheaper of two devices, or on the cheapest other one where it is allowed on neither."""
    cost = np.where(arrays.allowed, weights.unit, np.inf)
    outside = cost.copy()
    outside[:, list(pair)] = np.inf
    cost[:, [device for device in range(arrays.devices) if device not in set(pair)]] = np.inf
    chosen: Ints = np.where(np.isfinite(cost).any(axis=1), cost.argmin(axis=1), outside.argmin(axis=1))
    return chosen


def _easier(arrays: Arrays, weights: Weights, pair: tuple[int, int], effort: Effort) -> float:
    """A bound: the problem in which the first of a pair stands alone, and all other devices are one."""
    alone = pair[0]
    others = [device for device in range(arrays.devices) if device != alone]
    merged_allowed = np.stack([arrays.allowed[:, alone], arrays.allowed[:, others].any(axis=1)], axis=1)
    cost = np.where(arrays.allowed, weights.unit, np.inf)[:, others].min(axis=1)
    unit = np.stack([weights.unit[:, alone], np.where(np.isfinite(cost), cost, 0.0)], axis=1)
    transfer = np.zeros((len(arrays.producer), 2, 2))
    transfer[:, 0, 1] = weights.transfer[:, alone, others].min(axis=1)
    transfer[:, 1, 0] = weights.transfer[:, others, alone].min(axis=1)
    merged = Arrays(
        arrays.units,
        2,
        merged_allowed,
        arrays.edge_source,
        arrays.edge_target,
        arrays.order,
        arrays.incoming,
        arrays.producer,
        arrays.reader_tensor,
        arrays.reader,
    )
    launch = np.array([weights.launch[alone], weights.launch[others].min()])
    start = merged_allowed.argmax(axis=1)
    return solve_pair(merged, Weights(unit, transfer, launch), start, effort).bound
