"""Placement on two devices with launches, and a bound: minimum cuts under prices.

On two devices the launches of a placement are those on the path from the root with most of them. So for every unit
flow f from the root to the ends of the graph,

    min over placements of (units + transfers + sum over edges e of f(e) * launch of the switch on e)

is a lower bound, and a minimum cut. The best flow is found by play: a cut answers the flow, and the flow learns from
what launches the cut leaves. The mean of the cuts is close to the solution of the linear program, so its thresholds
are good placements; the best one is polished by cuts along its own order of a run, which are exact for that order.
"""

import time
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from dovetail.partition.arrays import Arrays, Floats, Ints, Weights, serial_parts
from dovetail.partition.launches import heaviest_path, path_launches, switch_costs
from dovetail.partition.network import Network
from dovetail.partition.prices import Prices

_THRESHOLDS = (0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9)
_ROUNDS = (8, 16, 32)
"""Cuts after which thresholds are looked at, beside the last."""
_REMEMBERED = 24
"""Moves of a similar search that count in the mean when another goes on from it."""

_PATHS = 16
"""Paths that are remembered to rule placements out."""


@dataclass(slots=True, eq=False)
class Play:
    """Where the play stands."""

    prices: Prices
    second: Floats
    """The mean of the places in the cuts: 1 where a node is on the second device."""
    moves: int = 0

    def share(self) -> float:
        """The weight of the next cut in the mean; later cuts answer better prices and count for more."""
        return 2.0 / (self.moves + 3.0)


@dataclass(slots=True, eq=False)
class Bracket:
    """The best placement found so far and what no placement is below."""

    labels: Ints
    value: float
    bound: float = 0.0
    cuts: int = 0
    """Minimum cuts on two devices that it took."""
    play: Play | None = field(default=None)
    """Where the search stopped, for one with similar weights to go on from."""

    @property
    def gap(self) -> float:
        """How far the value may be above the optimum, as a part of the bound."""
        return relative_gap(self.value, self.bound)

    def offer(self, labels: Ints, value: float) -> None:
        """Keep a placement that is better."""
        if value < self.value:
            self.labels, self.value = labels, value


def relative_gap(value: float, bound: float) -> float:
    """(value - bound) / bound; 0 where they meet, infinity above a bound of 0."""
    if value <= bound:
        return 0.0
    return (value - bound) / bound if bound > 0 else np.inf


@dataclass(frozen=True, slots=True)
class Effort:
    """When to stop."""

    gap: float
    cuts: int
    deadline: float
    """On the clock of `time.monotonic`; results depend on it only where it is hit."""

    def is_over(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() > self.deadline


def solve_pair(
    arrays: Arrays,
    weights: Weights,
    start: Ints,
    effort: Effort,
    pair: tuple[int, int] = (0, 1),
    near: Play | None = None,
) -> Bracket:
    """Place on two devices. Each cut is one maximum flow and two passes over the graph.

    Args:
        arrays: the structure.
        weights: what is made smallest.
        start: a placement that is allowed.
        effort: when to stop.
        pair: the two devices. Where there are more, units on a third stay there, the bound holds for those that do
            no other, and the value counts launches on paths only.
        near: where a search with similar weights stopped.
    """
    network = Network(arrays, weights, pair, start, (arrays.edge_source, arrays.edge_target))
    best = Bracket(start, path_value(arrays, weights, start))
    if not network.has_choice:
        best.bound = best.value
        return best
    offer = _Offers(arrays, weights, best)
    play = Play(Prices(arrays), np.zeros(len(start)))
    if near is not None:
        play = Play(Prices(arrays, near.prices.regrets), near.second.copy(), min(near.moves, _REMEMBERED))
    best.play = play
    for step in range(effort.cuts):
        cut = network.cut(play.prices.flow())
        best.cuts += 1
        best.bound = max(best.bound, cut.bound)
        offer.labels(cut.labels)
        play.second += play.share() * ((cut.labels == pair[1]) - play.second)
        if (step + 1 in _ROUNDS or step + 1 == effort.cuts) and best.gap > effort.gap:
            for threshold in _THRESHOLDS:
                offer.labels(network.place(play.second > threshold))
        if best.gap <= effort.gap or effort.is_over() or not weights.launch.any():
            break
        play.prices.learn(switch_costs(arrays, weights, cut.labels))
        play.moves += 1
    return best


class _Offers:
    """Offers placements, those aside that are worse on a path that is known."""

    def __init__(self, arrays: Arrays, weights: Weights, best: Bracket) -> None:
        self._arrays, self._weights, self._best = arrays, weights, best
        self.paths: deque[list[int]] = deque(maxlen=_PATHS)

    def labels(self, labels: Ints) -> None:
        """Keep a placement if it is better. O(V + E), much faster where it is not."""
        parts = serial_parts(self._arrays, self._weights, labels)
        parts += float(self._weights.launch[labels[self._arrays.root]])
        costs = switch_costs(self._arrays, self._weights, labels)
        if any(parts + costs[path].sum() >= self._best.value for path in self.paths):
            return
        most, path = heaviest_path(self._arrays, costs)
        self._best.offer(labels, parts + most)
        self.paths.append(path)


def path_value(arrays: Arrays, weights: Weights, labels: Ints) -> float:
    """What a placement costs with the launches on its worst path: with two devices, exactly what it costs."""
    return serial_parts(arrays, weights, labels) + path_launches(arrays, weights, labels)
