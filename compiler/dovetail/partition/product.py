"""The smallest product of latency and energy, and the front between the two.

Every weighted sum a * latency + b * energy gives a placement on the convex hull of all (latency, energy), and a line
below all of them. The product is quasi-concave for positive numbers, so it is smallest at a corner: of the hull for
the value, of the lines for the bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dovetail.partition.arrays import Ints, Weights
from dovetail.partition.bounded import Limit, minimise_within
from dovetail.partition.lagrange import Bracket
from dovetail.partition.search import Search, weighted

MOST_POINTS = 64


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """A placement on the front."""

    labels: Ints
    latency: float
    energy: float


Lines = Sequence[tuple[float, float, float]]
"""(a, b, least): no placement has a * latency + b * energy below `least`."""


@dataclass(frozen=True, slots=True, eq=False)
class Front:
    """Points from the smallest latency to the smallest energy, and the lines below them."""

    points: tuple[Point, ...]
    lines: Lines

    def least_product(self) -> float:
        """No placement has a smaller product of latency and energy."""
        return least_between(self.lines, 0.0, np.inf)


def least_between(lines: Lines, fastest: float, slowest: float) -> float:
    """No placement whose latency lies between two has a smaller product. O(lines^3), for some tens of lines.

    The least energy that the lines leave at a latency is convex and linear in pieces; the product is concave on each
    piece, so it is smallest where two pieces meet, or at an end.
    """
    fastest = max(fastest, max((least / a for a, b, least in lines if b == 0), default=0.0))
    corners = [fastest, slowest] if np.isfinite(slowest) else [fastest]
    for number, (a, b, c) in enumerate(lines):
        for d, e, f in lines[:number]:
            if abs(determinant := a * e - b * d) > 1e-12 * max(a * e, b * d):
                corners.append((c * e - b * f) / determinant)
    inside = [latency for latency in corners if fastest <= latency <= slowest]
    return min((latency * _least_energy(lines, latency) for latency in inside), default=0.0)


def _least_energy(lines: Lines, latency: float) -> float:
    return max(0.0, *((least - a * latency) / b for a, b, least in lines if b > 0))


def trace_front(
    search: Search, latency: Weights, energy: Weights, limits: Sequence[Limit] = (), for_product: bool = False
) -> Front:
    """Find the corners of the hull, halving the largest intervals first.

    Args:
        search: the problem.
        latency: what makes up the latency.
        energy: what makes up the energy.
        limits: what every point keeps; there is none where no placement was found that does.
        for_product: leave out intervals that can't hold the smallest product.
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
        if a <= 0 or b <= 0 or (for_product and not _may_hold_less(search, lines, points, left, right)):
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
        open_intervals.sort(key=lambda ends: ends[0].latency * ends[1].energy if for_product else -_area(*ends))
    return Front(_undominated(points), tuple(lines))


def _may_hold_less(search: Search, lines: Lines, points: Sequence[Point], left: Point, right: Point) -> bool:
    """Whether an interval may hold a product that is worth looking for."""
    best = min(each.latency * each.energy for each in points)
    return least_between(lines, left.latency, right.latency) < best * (1 - search.settled_gap)


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
