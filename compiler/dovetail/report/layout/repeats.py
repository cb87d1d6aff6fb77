"""Runs of one block after the other in a sequence of labelled nodes."""

from bisect import bisect_right
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Signature = tuple[tuple[int, ...], ...]

_GRAMS = 7
_PERIODS_PER_GRAM = 16


@dataclass(frozen=True, slots=True, order=True)
class Run:
    """Copies of one block, each `period` nodes long, from position `start` on."""

    start: int
    period: int
    copies: int

    @property
    def end(self) -> int:
        """The position after the last copy."""
        return self.start + self.period * self.copies


class Labelled:
    """A DAG written in topological order: what stands at each position, and where its inputs stand."""

    def __init__(self, labels: Sequence[Hashable], up: Sequence[Sequence[int]]) -> None:
        """Takes labels and input positions by position; the order of the inputs does not count."""
        numbers: dict[Hashable, int] = {}
        inputs = [sorted(above, reverse=True) for above in up]
        kinds = [(label, len(above)) for label, above in zip(labels, inputs, strict=True)]
        self.codes: Ints = np.array([numbers.setdefault(kind, len(numbers)) for kind in kinds], dtype=np.int64)
        self.inputs = inputs
        self.outputs: list[list[int]] = [[] for _ in inputs]
        for position, above in enumerate(inputs):
            for source in above:
                self.outputs[source].append(position)
        self.counts: Ints = np.array([len(above) for above in inputs], dtype=np.int64)
        self.firsts: Ints = np.concatenate(([0], np.cumsum(self.counts)))[:-1]
        self.sources: Ints = np.array([source for above in inputs for source in above], dtype=np.int64)
        self.readers: Ints = np.repeat(np.arange(len(inputs)), self.counts)

    def __len__(self) -> int:
        """How many nodes there are."""
        return len(self.inputs)

    def cuts(self) -> Ints:
        """How many nodes before each position are read at or after it."""
        last = np.arange(len(self))
        np.maximum.at(last, self.sources, self.readers)
        steps = np.zeros(len(self) + 2, dtype=np.int64)
        np.add.at(steps, np.arange(len(self)) + 1, 1)
        np.add.at(steps, last + 1, -1)
        return np.cumsum(steps)[: len(self) + 1]

    def signature(self, start: int, period: int) -> Signature:
        """What a block is: its labels, numbers of inputs and inner edges."""
        return tuple(
            (code, *[source - start for source in self.inputs[position] if source >= start])
            for position, code in enumerate(self.codes[start : start + period].tolist(), start)
        )

    def related(self, first: int, second: int, period: int) -> bool:
        """Whether a block is read by the one that starts at `second`, or both read or feed one and the same node."""
        above: set[int] = set()
        below: set[int] = set()
        for position in range(first, first + period):
            above.update(self.inputs[position])
            below.update(self.outputs[position])
        copy = range(second, second + period)
        return (
            not below.isdisjoint(copy)
            or any(not above.isdisjoint(self.inputs[position]) for position in copy)
            or any(not below.isdisjoint(self.outputs[position]) for position in copy)
        )

    def repeats_after(self, period: int) -> Flags:
        """Whether each node has the same label and inputs as the one a period later.

        Inputs are the same if they are a period apart, or one and the same, or both before their copies.
        """
        same: Flags = self.codes[:-period] == self.codes[period:]
        edges = np.flatnonzero(same[np.minimum(self.readers, len(same) - 1)] & (self.readers < len(same)))
        readers = self.readers[edges]
        here = self.sources[edges]
        later = self.sources[self.firsts[readers + period] + edges - self.firsts[readers]]
        outside = (readers - here > period) & (readers + period - later > period)
        same[readers[~((later - here == period) | (later == here) | outside)]] = False
        return same


def find_runs(sequence: Labelled, least: int) -> list[Run]:
    """Runs that leave little to show, none over another, by position; of a block that repeats, also what stands alone.

    Candidates are the distances between equal stretches of 1, 2, 4, ... nodes; each is tried over the whole sequence at
    once. Blocks are taken one after the other, first the one that saves most: the nodes it covers, less its own nodes,
    less a box for each run; so a residual block wins over its inside, and over a longer stretch that occurs twice by
    chance. Near-linear: the number of distances tried is bounded.

    Args:
        sequence: nodes in an order in which a block is contiguous.
        least: a run shorter than this many nodes is none.
    """
    finder = _Finder(sequence, least, sequence.cuts())
    runs = list(_Choice(finder, _candidates(finder)).take())
    return sorted([*runs, *_strays(sequence, runs)])


def _strays(sequence: Labelled, runs: list[Run]) -> Iterator[Run]:
    """Copies that stand alone of the blocks that repeat, large ones first."""
    text, width = sequence.codes.tobytes(), sequence.codes.itemsize
    taken = {position for run in runs for position in range(run.start, run.end)}
    blocks = dict.fromkeys(sequence.signature(run.start, run.period) for run in runs)
    for signature in sorted(blocks, key=len, reverse=True):
        pattern = np.array([code for code, *_ in signature], dtype=sequence.codes.dtype).tobytes()
        at = text.find(pattern)
        while at >= 0:
            block = range(at // width, at // width + len(signature))
            if at % width == 0 and taken.isdisjoint(block) and sequence.signature(block.start, len(block)) == signature:
                taken.update(block)
                yield Run(block.start, len(block), 1)
            at = text.find(pattern, at + 1)


class _Choice:
    """Runs grouped by the block they repeat, and which nodes are taken."""

    def __init__(self, finder: "_Finder", candidates: Iterable[tuple[Run, Signature]]) -> None:
        self._finder = finder
        self._used: Flags = np.zeros(len(finder.sequence), dtype=np.bool_)
        self._shapes: dict[Signature, list[Run]] = {}
        self._heap: list[tuple[int, int, int, Signature]] = []
        for run, signature in candidates:
            self._shapes.setdefault(signature, []).append(run)
        for signature in self._shapes:
            self._push(signature)

    def take(self) -> Iterator[Run]:
        """Takes the runs of the best block, then those of the best that is left."""
        while self._heap:
            saved, _, _, signature = heappop(self._heap)
            if signature not in self._shapes or self._saved(signature) != -saved:
                continue  # runs came or went since this was pushed
            free = []
            for run in self._shapes.pop(signature):
                if self._used[run.start : run.end].any():
                    self._offer_rest(run)
                else:
                    free.append(run)
            if not free:
                continue
            self._shapes.setdefault(signature, []).extend(free)
            if self._saved(signature) != -saved:
                self._push(signature)
            elif saved < 0:
                yield from self._mark(sorted(self._shapes.pop(signature)))

    def _mark(self, runs: list[Run]) -> Iterator[Run]:
        for run in runs:
            if self._used[run.start : run.end].any():
                self._offer_rest(run)
            else:
                self._used[run.start : run.end] = True
                yield run

    def _offer_rest(self, run: Run) -> None:
        """Adds what is left of a run that lost a part to another."""
        start, end = _free_part(self._used, run.start, run.end)
        settled = self._finder.settle(start, end, run.period, self._used)
        if settled:
            self._shapes.setdefault(settled[1], []).append(settled[0])
            self._push(settled[1])

    def _saved(self, signature: Signature) -> int:
        saved, end = -len(signature), 0
        for run in sorted(self._shapes[signature]):
            if run.start >= end:
                saved, end = saved + run.end - run.start - 1, run.end
        return saved

    def _push(self, signature: Signature) -> None:
        first = self._shapes[signature][0].start
        heappush(self._heap, (-self._saved(signature), len(signature), first, signature))


def _candidates(finder: "_Finder") -> Iterator[tuple[Run, Signature]]:
    """Runs with each period, short periods first; what a divisor of the period already repeats is left out."""
    seen: dict[int, list[tuple[int, int]]] = {}
    for period in _periods(finder.sequence.codes):
        found = _stretches(finder.sequence.repeats_after(period), period)
        for shorter, stretches in seen.items():
            if period % shorter == 0:
                found = [stretch for stretch in found if not _covered(stretch, stretches)]
        seen[period] = found
        for start, end in found:
            settled = finder.settle(start, end, period, None)
            if settled:
                yield settled


def _covered(stretch: tuple[int, int], others: list[tuple[int, int]]) -> bool:
    """Whether one of `others`, sorted, holds all of a stretch."""
    place = bisect_right(others, stretch[0], key=lambda other: other[0]) - 1
    return place >= 0 and others[place][1] >= stretch[1]


def _periods(codes: Ints) -> list[int]:
    """Distances at which much of the sequence occurs again, at least 2."""
    found: set[int] = set()
    for gram in range(_GRAMS):
        order = np.argsort(codes, kind="stable")
        equal = codes[order][1:] == codes[order][:-1]
        distances, counts = np.unique(np.diff(order)[equal], return_counts=True)
        often = np.lexsort((distances, -counts))[:_PERIODS_PER_GRAM]
        found.update(distances[often].tolist())
        width = 1 << gram
        if len(codes) <= width:
            break
        pairs = codes[:-width] * (int(codes.max()) + 1) + codes[width:]
        codes = np.unique(pairs, return_inverse=True)[1].astype(np.int64)
    return sorted(period for period in found if period > 1)


def _stretches(same: Flags, period: int) -> list[tuple[int, int]]:
    """Intervals of the sequence that hold two copies or more."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], same, [False])).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    long = ends - starts >= period
    return list(zip(starts[long].tolist(), (ends[long] + period).tolist(), strict=True))


def _free_part(used: Flags, start: int, end: int) -> tuple[int, int]:
    """The longest free interval within one."""
    taken = np.flatnonzero(used[start:end]) + start
    if not len(taken):
        return start, end
    starts, ends = np.concatenate(([start], taken + 1)), np.concatenate((taken, [end]))
    longest = int((ends - starts).argmax())
    return int(starts[longest]), int(ends[longest])


class _Finder:
    """Finds the copies of a block within a stretch that repeats with a period."""

    def __init__(self, sequence: Labelled, least: int, cuts: Ints) -> None:
        self.sequence, self._least, self._cuts = sequence, least, cuts

    def settle(self, start: int, end: int, period: int, used: Flags | None) -> tuple[Run, Signature] | None:
        """The longest run of equal blocks in a stretch, cut at the narrowest place; none if it is too short.

        Copies beside the stretch whose outer inputs alone differ are added where `used` does not forbid it.
        """
        if end - start < max(2 * period, self._least):
            return None
        run, signature = self._longest_equal(self._narrowest(start, end, period))
        run = self._extended(run, signature, used)
        return (run, signature) if run.copies > 1 and run.end - run.start >= self._least else None

    def _narrowest(self, start: int, end: int, period: int) -> Run:
        """Where the copies begin: the place that fewest tensors cross, at the loss of one copy at most."""
        most = (end - start) // period
        choices = []
        for first in range(start, min(start + period, end - 2 * period + 1)):
            copies = (end - first) // period
            if copies >= most - 1:
                bounds = self._cuts[first : first + copies * period + 1 : period]
                choices.append((float(bounds.mean()), -copies, first))
        _, copies, first = min(choices)
        return Run(first, period, -copies)

    def _longest_equal(self, run: Run) -> tuple[Run, Signature]:
        best, best_signature = Run(run.start, run.period, 0), None
        current, last = run.start, None
        for start in range(run.start, run.end, run.period):
            signature = self.sequence.signature(start, run.period)
            if signature != last or not self.sequence.related(start - run.period, start, run.period):
                current, last = start, signature
            copies = (start - current) // run.period + 1
            if copies > best.copies:
                best, best_signature = Run(current, run.period, copies), signature
        assert best_signature is not None
        return best, best_signature

    def _extended(self, run: Run, signature: Signature, used: Flags | None) -> Run:
        start, end, period = run.start, run.end, run.period
        while self._is_copy(start - period, start, signature, used):
            start -= period
        while self._is_copy(end, end - period, signature, used):
            end += period
        return Run(start, period, (end - start) // period)

    def _is_copy(self, start: int, beside: int, signature: Signature, used: Flags | None) -> bool:
        period = len(signature)
        if start < 0 or start + period > len(self.sequence):
            return False
        if used is not None and used[start : start + period].any():
            return False
        related = self.sequence.related(min(start, beside), max(start, beside), period)
        return related and self.sequence.signature(start, period) == signature
