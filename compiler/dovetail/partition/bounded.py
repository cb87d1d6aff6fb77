"""The smallest cost that keeps limits on others: Lagrange multipliers.

For any multipliers m >= 0, min (cost + sum of m * (quantity - limit)) is at most the smallest cost that keeps all
limits, and a problem without limits. The multiplier of each limit is found by bisection, as a greater one never makes
the quantity larger. Where the two ends of the last interval differ much, mixtures of both are tried.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dovetail.partition.arrays import Ints, Weights
from dovetail.partition.lagrange import Bracket, relative_gap
from dovetail.partition.search import Search, dearest, weighted

_HALVINGS = 14
_DOUBLINGS = 30
_ROUNDS = 2
"""Passes over several limits: the multiplier of one depends on those of the others."""
_SMALLEST_PART = 1e-3
"""Of all that a quantity can be: below, a limit is as good as 0, and its first multiplier no larger."""


@dataclass(frozen=True, slots=True, eq=False)
class Limit:
    """A quantity and the most that it may be."""

    what: str
    """In words, with its device: `latency`, `memory of npu`."""
    unit: str
    weights: Weights
    most: float

    def excess(self, search: Search, labels: Ints) -> float:
        """By how much a placement is over the limit; at most 0 where it keeps it."""
        return search.value(self.weights, labels) - self.most


def keeps(search: Search, limits: Sequence[Limit], labels: Ints) -> bool:
    """Whether a placement keeps all limits."""
    return all(limit.excess(search, labels) <= 1e-9 * max(limit.most, 1.0) for limit in limits)


def minimise_within(search: Search, goal: Weights, limits: Sequence[Limit]) -> tuple[Ints | None, float, float]:
    """Find a cheap placement within limits: its devices (None where none was found), its cost, and a bound."""
    state = _State(search, goal, limits)
    state.solve(np.zeros(len(limits)))
    for _ in range(_ROUNDS if len(limits) > 1 else 1):
        if state.is_settled():
            break
        for number in range(len(limits)):
            _bisect(state, number)
    return state.labels, state.value, state.bound


class _State:
    """Multipliers, the best placement that keeps all limits, and the best bound."""

    def __init__(self, search: Search, goal: Weights, limits: Sequence[Limit]) -> None:
        self.search, self.goal, self.limits = search, goal, limits
        self.factors = np.zeros(len(limits))
        self.labels: Ints | None = None
        self.value, self.bound = np.inf, 0.0
        self._ceiling = dearest(search.arrays, goal)
        self._last: Bracket | None = None

    def solve(self, factors: "np.typing.NDArray[np.float64]") -> Ints:
        """Solve with these multipliers; keep what is better."""
        parts = [(1.0, self.goal), *zip(factors.tolist(), (limit.weights for limit in self.limits), strict=True)]
        self._last = self.search.minimise(weighted(parts), self._last)
        paid = sum(factor * limit.most for factor, limit in zip(factors, self.limits, strict=True))
        self.bound = max(self.bound, self._last.bound - paid)
        self.offer(self._last.labels)
        return self._last.labels

    def offer(self, labels: Ints) -> None:
        """Keep a placement that is within all limits and cheaper."""
        if keeps(self.search, self.limits, labels):
            value = self.search.value(self.goal, labels)
            if value < self.value:
                self.labels, self.value = labels, value

    def is_settled(self) -> bool:
        """Whether nothing better can be found, or time is up."""
        if self.bound > self._ceiling:  # no placement costs as much: none keeps the limits
            return True
        small = self.labels is not None and relative_gap(self.value, self.bound) <= self.search.settled_gap
        return small or self.search.effort.is_over()


def _bisect(state: _State, number: int) -> None:
    """Find the multiplier of one limit, the others staying as they are."""
    limit, factors = state.limits[number], state.factors.copy()
    factors[number] = 0.0
    over = state.solve(factors)
    if limit.excess(state.search, over) <= 0:
        state.factors = factors
        return
    least = _SMALLEST_PART * dearest(state.search.arrays, limit.weights)
    low, high = 0.0, max(state.bound, 1e-9) / max(limit.most, least) / 16
    for _ in range(_DOUBLINGS):
        factors[number] = high
        under = state.solve(factors)
        if limit.excess(state.search, under) <= 0 or state.is_settled():
            break
        low, high, over = high, 4 * high, under
    for _ in range(_HALVINGS):
        if state.is_settled():
            break
        factors[number] = middle = (low + high) / 2
        labels = state.solve(factors)
        if limit.excess(state.search, labels) > 0:
            low, over = middle, labels
        else:
            high, under = middle, labels
    factors[number] = high
    state.factors = factors
    state.offer(state.search.between(over, under, lambda labels: _score(state, labels)))


def _score(state: _State, labels: Ints) -> float:
    within = keeps(state.search, state.limits, labels)
    return state.search.value(state.goal, labels) if within else np.inf
