"""The smallest product of latency and energy, by lines below all placements.

Every weighted sum a * latency + b * energy gives a placement, and a line below all of them. Along a line the product
is concave, so above several it is smallest at a corner where two of them meet. The next sum is the one whose line
would touch the curve of that product in that corner: either its placement is as good as the corner, which is the
proof, or its line cuts the corner off. So work is spent only where the proof still lacks something.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dovetail.partition.arrays import Ints, Weights
from dovetail.partition.bounded import Limit, keeps, minimise_within
from dovetail.partition.hull import Lines
from dovetail.partition.lagrange import Bracket
from dovetail.partition.program import Limits, solve_program
from dovetail.partition.search import Search, weighted

_ROUGH_CUTS = 3
"""For the latency and the energy alone: their lines only close the ends."""
_CUTS = 12
"""For every other sum: enough for a line, if not for its last digit."""
_ALL_CUTS = 3.2
"""For all together, where blocks do not end it: times of what a single sum may take."""
_CUTS_OF_BLOCKS = 8
"""For each that blocks close, if cuts do not: they need no better prices."""
_NEAR = 0.02
"""How far a corner may have moved at last for blocks to be worth their time: they should not be solved often."""
_MOST_SUMS = 40


def least_product(
    search: Search, latency: Weights, energy: Weights, limits: Sequence[Limit] = (), *, blocks: bool, whole: bool
) -> Bracket:
    """Find the placement whose latency times energy is smallest, and a bound on that.

    Args:
        search: the problem.
        latency: what makes up the latency.
        energy: what makes up the energy.
        limits: what the placement keeps; its value is infinite where none was found that does.
        blocks: solve the sums that cuts leave open in blocks.
        whole: let HiGHS solve those that are open still as one program.
    """
    sums = _Sums(search, latency, energy, limits)
    sums.solve(1.0, 0.0, _ROUGH_CUTS)
    sums.solve(0.0, 1.0, _ROUGH_CUTS)
    most = _ALL_CUTS * search.effort.cuts
    before, has_blocks, is_exact = (0.0, 0.0), False, False
    for _ in range(_MOST_SUMS):
        if any(math.isinf(least) for *_, least in sums.lines):  # nothing keeps the limits
            sums.best.bound = math.inf
            break
        corner = lowest_corner(sums.lines)
        sums.best.bound = max(sums.best.bound, math.prod(corner))
        if sums.best.gap <= search.effort.gap or search.effort.is_over():
            break
        is_stuck = np.allclose(corner, before, rtol=search.effort.gap / 10, atol=0.0)
        is_near = np.allclose(corner, before, rtol=_NEAR, atol=0.0)
        if blocks and is_near and not (is_exact or (is_stuck and has_blocks)):
            sums.solve(*_tangent(corner), _CUTS_OF_BLOCKS, blocks=True)
            has_blocks = True
        elif sums.cuts < most and not (is_stuck or is_exact):
            sums.solve(*_tangent(corner), _CUTS)
        elif whole and not (is_stuck and is_exact):
            sums.solve_exactly(*_tangent(corner))
            is_exact = True
        else:
            break
        before = corner
    return sums.best


def _tangent(corner: tuple[float, float]) -> tuple[float, float]:
    """The factors of the sum that touches the product in a corner, of the size of 1: HiGHS fails on large numbers."""
    latency, energy = corner
    most = max(latency, energy)
    return (energy / most, latency / most) if most > 0 else (1.0, 1.0)


class _Sums:
    """Weighted sums that were made smallest, and the best product among their placements."""

    def __init__(self, search: Search, latency: Weights, energy: Weights, limits: Sequence[Limit]) -> None:
        self._search, self._latency, self._energy, self._limits = search, latency, energy, limits
        self._solved: list[tuple[float, Bracket]] = []
        self.lines: list[tuple[float, float, float]] = []
        self.best = Bracket(search.start, np.inf)
        self.cuts = 0

    def solve(self, a: float, b: float, cuts: int, *, blocks: bool = False) -> None:
        """Make a * latency + b * energy small, going on from the sum that is most like it."""
        search, total = self._search, self._sum(a, b)
        if self._limits:
            labels, _, bound = minimise_within(search, total, self._limits)
            self.cuts += cuts
        else:
            direction = math.atan2(b, a)
            near = min(self._solved, key=lambda pair: abs(pair[0] - direction), default=(0.0, None))[1]
            effort = replace(search.effort, gap=search.effort.gap / 2, cuts=cuts)
            found = search.minimise(total, near, effort=effort)
            if blocks:
                search.close_pair(total, found, effort.gap)
            self._solved.append((direction, found))
            self.cuts += found.cuts
            labels, bound = found.labels, found.bound
        self._keep(a, b, labels, bound)

    def solve_exactly(self, a: float, b: float) -> None:
        """Make it smallest with HiGHS."""
        search = self._search
        limits = Limits(tuple((limit.weights, limit.most) for limit in self._limits))
        gap, deadline = search.effort.gap / 4, search.effort.deadline
        solution = solve_program(search.arrays, [self._sum(a, b)], limits, gap=gap, deadline=deadline)
        search.timed_out |= solution.timed_out
        self._keep(a, b, solution.labels, solution.bound)

    def _sum(self, a: float, b: float) -> Weights:
        return weighted([(a, self._latency), (b, self._energy)])

    def _keep(self, a: float, b: float, labels: Ints | None, bound: float) -> None:
        self.lines.append((a, b, bound))
        if labels is not None and keeps(self._search, self._limits, labels):
            latency, energy = (self._search.value(weights, labels) for weights in (self._latency, self._energy))
            self.best.offer(labels, latency * energy)


def lowest_corner(lines: Lines) -> tuple[float, float]:
    """Latency and energy where their product is smallest above all lines. O(lines^3), for some tens of lines.

    The least energy that the lines leave at a latency is convex and linear in pieces; the product is concave on each
    piece, so it is smallest where two pieces meet, or at the least latency.
    """
    fastest = max((least / a for a, b, least in lines if b == 0), default=0.0)
    latencies = [fastest]
    for number, (a, b, c) in enumerate(lines):
        for d, e, f in lines[:number]:
            if abs(determinant := a * e - b * d) > 1e-12 * max(a * e, b * d):
                latencies.append((c * e - b * f) / determinant)
    corners = [(latency, _least_energy(lines, latency)) for latency in latencies if latency >= fastest]
    return min(corners, key=math.prod)


def _least_energy(lines: Lines, latency: float) -> float:
    return max(0.0, *((least - a * latency) / b for a, b, least in lines if b > 0))
