"""The solvers as one object: make a weighted sum of costs smallest, whatever the number of devices."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dovetail.partition.arrays import Arrays, Floats, Ints, Weights, serial_parts
from dovetail.partition.blocks import solve_blocks
from dovetail.partition.lagrange import Bracket, Effort, solve_pair
from dovetail.partition.multiway import solve_many, swap
from dovetail.partition.network import Network
from dovetail.partition.phases import Grouper
from dovetail.partition.problem import Problem
from dovetail.partition.program import solve_program

_MANY_UNITS = 2_000
_SETTLED_GAP = 1e-3
_SMALL_UNITS = 300
"""Up to here even problems of more than two devices are solved from all starts each time, and their gap closed."""
_CLOSE_S = 2.0
_BLOCK_UNITS = 800
"""In a block: smaller ones lose at their many ends what they gain in time."""
_CUTS_NEAR = 16
_POLISHES = 4
_WORTH = 1e-4
"""Part of the value by which a polish must help for another."""
_CROSSINGS = 16
"""Places at which `between` tries to go over from one placement to the other."""


@dataclass(slots=True, eq=False)
class Search:
    """A problem with what its solvers share."""

    problem: Problem
    arrays: Arrays
    grouper: Grouper
    effort: Effort
    start: Ints
    """A placement that is allowed."""
    timed_out: bool = False
    """A time limit ended a search within."""
    has_blocks: bool = False
    """Blocks were solved as programs."""

    @property
    def can_split(self) -> bool:
        """Whether the problem has several blocks for `close_pair`; one block is the whole program."""
        return self.arrays.devices == 2 and self.arrays.units > _BLOCK_UNITS

    @property
    def settled_gap(self) -> float:
        """The gap at which a search over many weighted sums stops: a large problem has no time for the last digits."""
        return max(self.effort.gap, _SETTLED_GAP if self.arrays.units > _MANY_UNITS else 0.0)

    def minimise(
        self, weights: Weights, near: Bracket | None = None, *, close: bool = True, effort: Effort | None = None
    ) -> Bracket:
        """Place so that the weighted sum is small, with a bound on it.

        Args:
            weights: the sum.
            near: the result for similar weights, to start from.
            close: let HiGHS close the gap of a small problem of more than two devices.
            effort: on two devices, instead of the search's own, or of less where there is something to start from.
        """
        if self.arrays.devices == 2:
            return self._minimise_pair(weights, near, effort)
        if self.arrays.devices == 1:
            value = self.value(weights, self.start)
            return Bracket(self.start, value, value)
        start = self.start if near is None else near.labels
        quick = near is not None and self.arrays.units > _SMALL_UNITS
        found = solve_many(self.arrays, weights, self.run, start, self.effort, quick=quick)
        if close and self.arrays.units <= _SMALL_UNITS and found.gap > self.effort.gap:
            self._close(weights, found)
        return found

    def _minimise_pair(self, weights: Weights, near: Bracket | None, effort: Effort | None) -> Bracket:
        is_first = near is None and effort is None
        if effort is None:
            settled = replace(self.effort, gap=self.settled_gap / 2, cuts=_CUTS_NEAR)
            effort = self.effort if near is None else settled
        start, play = (self.start, None) if near is None else (near.labels, near.play)
        found = solve_pair(self.arrays, weights, start, effort, near=play)
        self._polish(weights, found, effort.gap, _POLISHES if is_first else 1)
        return found

    def close_pair(self, weights: Weights, found: Bracket, gap: float) -> None:
        """Narrow the gap on two devices by solving blocks exactly, at the prices that cuts have found."""
        if found.play is None or found.gap <= gap or self.effort.is_over():
            return
        network = Network(self.arrays, weights, (0, 1), self.start, (self.arrays.edge_source, self.arrays.edge_target))
        prices, deadline = found.play.prices.flow(), self.effort.deadline
        solution = solve_blocks(
            self.arrays, weights, network, prices, found.labels, gap=gap / 4, deadline=deadline, units=_BLOCK_UNITS
        )
        self.has_blocks, self.timed_out = True, self.timed_out or solution.timed_out
        assert solution.labels is not None
        joined = Bracket(solution.labels, self.value(weights, solution.labels), found.bound)
        self._polish(weights, joined, gap, _POLISHES)
        known = (found.labels, solution.labels, joined.labels)
        found.offer(joined.labels, joined.value)
        if solution.bound <= found.value * (1 + gap):  # beyond, HiGHS met numbers too far apart
            found.bound = max(found.bound, solution.bound)
        if found.gap > gap:
            self._mix(weights, found, gap, known)

    def _mix(self, weights: Weights, found: Bracket, gap: float, known: Sequence[Ints]) -> None:
        """The best of all placements that have each unit where one of those known has it: they differ in few."""
        allowed = np.zeros_like(self.arrays.allowed)
        for labels in known:
            allowed[np.arange(len(labels)), labels] = True
        self._solve_whole(replace(self.arrays, allowed=allowed), weights, found, gap / 4, self.effort.deadline)

    def _close(self, weights: Weights, found: Bracket) -> None:
        """Let HiGHS narrow the gap of a small problem."""
        deadline = min(self.effort.deadline, time.monotonic() + _CLOSE_S)
        bound = self._solve_whole(self.arrays, weights, found, self.effort.gap, deadline)
        found.bound = max(found.bound, bound)

    def _solve_whole(self, arrays: Arrays, weights: Weights, found: Bracket, gap: float, deadline: float) -> float:
        """Offer what HiGHS finds, and return its bound, which is one of this problem where `arrays` are its own."""
        solution = solve_program(arrays, [weights], gap=gap, deadline=deadline)
        self.timed_out |= solution.timed_out
        if solution.labels is not None:
            found.offer(solution.labels, self.value(weights, solution.labels))
        return solution.bound

    def _polish(self, weights: Weights, found: Bracket, gap: float, rounds: int) -> None:
        """Cut along the order of the run, in which launches are exact, until that does not help."""
        order, value = self._measure(weights, found.labels)
        found.offer(found.labels, value)  # the run starts where that is better
        for _ in range(rounds):
            if found.gap <= gap or self.effort.is_over():
                break
            before = found.value
            labels = swap(self.arrays, weights, order, found.labels, (0, 1))
            order, value = self._measure(weights, labels)
            found.offer(labels, value)
            if value >= before * (1 - _WORTH):
                break

    def _measure(self, weights: Weights, labels: Ints) -> tuple[Ints, float]:
        """The units in the order of a run, and what it costs."""
        order, devices = self.run(labels)
        return order, serial_parts(self.arrays, weights, labels) + float(weights.launch[devices].sum())

    def run(self, labels: Ints) -> tuple[Ints, Ints]:
        """The units in the order of a run, and the device of each partition."""
        partitions = self.grouper.partition(labels[: self.arrays.units].tolist())
        order = np.fromiter((unit for part in partitions for unit in part.units), np.int64, self.arrays.units)
        return order, np.array([part.device for part in partitions], np.int64)

    def value(self, weights: Weights, labels: Ints) -> float:
        """What a placement costs, with the launches of its partitions."""
        return self._measure(weights, labels)[1]

    def between(self, first: Ints, second: Ints, score: Callable[[Ints], float]) -> Ints:
        """The best by `score` of placements that are like the first up to some unit and like the second from there.

        Both ways round. Neither may be what is wanted, one too dear and one over a limit, where a mixture is.
        """
        position = self.arrays.positions()
        places = np.unique(np.sort(position[first != second]))
        picked = (
            places[np.linspace(0, len(places) - 1, min(_CROSSINGS, len(places))).astype(int)] if len(places) else []
        )
        mixed = [first, second]
        for place in picked:
            mixed += [np.where(position < place, first, second), np.where(position < place, second, first)]
        return min(mixed, key=score)


def dearest(arrays: Arrays, weights: Weights) -> float:
    """More than any placement costs."""
    units = np.where(arrays.allowed, weights.unit, 0.0)[: arrays.units].max(axis=1, initial=0.0).sum()
    transfers = weights.transfer.max(axis=(1, 2), initial=0.0).sum() * (arrays.devices - 1)
    return float((units + transfers + weights.launch.max(initial=0.0) * (arrays.units + 1)) * 1.01 + 1.0)


def weighted(parts: Sequence[tuple[float, Weights]]) -> Weights:
    """A sum of costs, each times its factor."""
    return Weights(
        sum((factor * each.unit for factor, each in parts), np.zeros_like(parts[0][1].unit)),
        sum((factor * each.transfer for factor, each in parts), np.zeros_like(parts[0][1].transfer)),
        sum((factor * each.launch for factor, each in parts), np.zeros_like(parts[0][1].launch)),
    )


def memory_weights(arrays: Arrays, like: Weights, memory: Floats, device: int) -> Weights:
    """The bytes of constants on one device, as a cost."""
    unit = np.zeros_like(like.unit)
    unit[: arrays.units, device] = memory[:, device]
    return Weights(unit, np.zeros_like(like.transfer), np.zeros_like(like.launch))


def partition_weights(like: Weights, device: int) -> Weights:
    """The number of partitions on one device, as a cost."""
    launch = np.zeros_like(like.launch)
    launch[device] = 1.0
    unit = np.zeros_like(like.unit)
    unit[-1] = launch
    return Weights(unit, np.zeros_like(like.transfer), launch)
