"""The shortest period of a pipeline of requests: the load of the busiest device.

For weights w that add up to 1, min (sum of w * load) is at most the smallest possible largest load. Two devices: the
weight is found by bisection. More: weights follow the loads.
"""

import numpy as np

from dovetail.partition.arrays import Floats, Ints, Weights
from dovetail.partition.lagrange import Bracket
from dovetail.partition.multiway import LARGEST_PROGRAM
from dovetail.partition.program import solve_program
from dovetail.partition.search import Search, weighted

_GAP = 5e-3
"""A cut jumps from one side of the balance to the other; the last half per cent is not worth the search."""
_HALVINGS = 12
_STEPS = 12
_RATE = 4.0


def balance_loads(search: Search, loads: tuple[Weights, ...]) -> Bracket:
    """Place so that the largest load is small, with a bound on it.

    Args:
        search: the problem.
        loads: what makes up the load of each device.
    """
    best = Bracket(search.start, _largest(search, loads, search.start))
    if len(loads) == 1:
        best.bound = best.value
        return best
    if search.arrays.units <= LARGEST_PROGRAM:
        effort = search.effort
        relaxed = solve_program(search.arrays, loads, gap=effort.gap, deadline=effort.deadline, relax=True)
        best.bound = relaxed.bound
    if len(loads) == 2:
        _bisect(search, loads, best)
    else:
        _follow(search, loads, best)
    return best


def _measure(search: Search, loads: tuple[Weights, ...], labels: Ints) -> Floats:
    return np.array([search.value(load, labels) for load in loads])


def _largest(search: Search, loads: tuple[Weights, ...], labels: Ints) -> float:
    return float(_measure(search, loads, labels).max())


def _solve(search: Search, loads: tuple[Weights, ...], shares: Floats, best: Bracket) -> tuple[Ints, Floats]:
    near = best if best.play is not None or (len(loads) > 2 and best.bound > 0) else None
    found = search.minimise(weighted(list(zip(shares.tolist(), loads, strict=True))), near, close=False)
    best.bound, best.play = max(best.bound, found.bound), found.play
    measured = _measure(search, loads, found.labels)
    best.offer(found.labels, float(measured.max()))
    return found.labels, measured


def _bisect(search: Search, loads: tuple[Weights, ...], best: Bracket) -> None:
    low, high = 0.0, 1.0  # share of the first device: the greater, the less is on it
    more, less = search.start, search.start
    for _ in range(_HALVINGS):
        if best.gap <= _GAP or search.effort.is_over():
            break
        middle = (low + high) / 2
        labels, measured = _solve(search, loads, np.array([middle, 1 - middle]), best)
        if measured[0] > measured[1]:
            low, more = middle, labels
        else:
            high, less = middle, labels
    mixed = search.between(more, less, lambda labels: _largest(search, loads, labels))
    best.offer(mixed, _largest(search, loads, mixed))


def _follow(search: Search, loads: tuple[Weights, ...], best: Bracket) -> None:
    shares = np.full(len(loads), 1 / len(loads))
    for step in range(_STEPS):
        if best.gap <= _GAP or search.effort.is_over():
            break
        labels, measured = _solve(search, loads, shares, best)
        mixed = search.between(best.labels, labels, lambda labels: _largest(search, loads, labels))
        best.offer(mixed, _largest(search, loads, mixed))
        shares = shares * np.exp(_RATE / np.sqrt(step + 1) * (measured / max(measured.max(), 1e-300) - 1))
        shares /= shares.sum()
