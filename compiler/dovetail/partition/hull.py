"""The front between latency and energy: corners of the convex hull of all placements.

Every weighted sum a * latency + b * energy gives a placement on the hull, and a line below all placements.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dovetail.partition.arrays import Ints, Weights
from dovetail.partition.bounded import Limit, minimise_within
from dovetail.partition.lagrange import Bracket
from dovetail.partition.search import Search, weighted

MOST_POINTS = 64

Lines = Sequence[tuple[float, float, float]]
"""(a, b, least): no placement has a * latency + b * energy below `least`."""


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """A placement on the front."""

    labels: Ints
    latency: float
    energy: float


@dataclass(frozen=True, slots=True, eq=False)
class Front:
    """Points from the smallest latency to the smallest energy, and the lines below them."""

    points: tuple[Point, ...]
    lines: Lines


def trace_front(search: Search, latency: Weights, energy: Weights, limits: Sequence[Limit] = ()) -> Front:
    """Find the corners of the hull, halving the largest intervals first.

    Args:
        search: the problem.
        latency: what makes up the latency.
        energy: what makes up the energy.
        limits: what every point keeps; there is none where no placement was found that does.
    """
    lines: list[tuple[float, float, float]] = []
    found: Bracket | None = None

    def solve(a: float, b: float) -> Point | None:
        nonlocal found
        total = weighted([(a, latency), (b, energy)])
        if limits:
            labels, _, bound = minimise_within(search, total, limits)
        else:
            found = search.minimise(total, found)
            labels, bound = found.labels, found.bound
        lines.append((a, b, bound))
        return None if labels is None else Point(labels, search.value(latency, labels), search.value(energy, labels))

    first, last = solve(1.0, 0.0), solve(0.0, 1.0)
    if first is None or last is None:
        return Front((), tuple(lines))
    points = [first, last]
    open_intervals = [(first, last)]
    while open_intervals and len(points) < MOST_POINTS and not search.effort.is_over():
        left, right = open_intervals.pop(0)
        a, b = left.energy - right.energy, right.latency - left.latency
        if a <= 0 or b <= 0:
            continue
        point = solve(a, b)
        if point is None:
            continue
        reached = a * point.latency + b * point.energy
        chord = a * left.latency + b * left.energy
        if reached >= chord * (1 - 1e-9):
            continue
        points.append(point)
        open_intervals += [(left, point), (point, right)]
        open_intervals.sort(key=lambda ends: -_area(*ends))
    return Front(_undominated(points), tuple(lines))


def _area(left: Point, right: Point) -> float:
    return (right.latency - left.latency) * (left.energy - right.energy)


def _undominated(points: list[Point]) -> tuple[Point, ...]:
    """Those that no other point is as good as in both, by latency."""
    kept: list[Point] = []
    least = np.inf
    for point in sorted(points, key=lambda point: (point.latency, point.energy)):
        if point.energy < least * (1 - 1e-12):
            kept.append(point)
            least = point.energy
    return tuple(kept)
