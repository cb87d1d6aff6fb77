"""Runs of one block after the other in a sequence of labelled nodes."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Signature = tuple[tuple[int, ...], ...]

_GRAMS = 7
_PERIODS_PER_GRAM = 16


@dataclass(frozen=True, slots=True)
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
    """The runs that fold most nodes, none over another, by position.

    Candidates are the distances between equal stretches of 1, 2, 4, ... nodes; each is tried over the whole sequence at
    once. Near-linear: the number of distances tried is bounded.

    Args:
        sequence: nodes in an order in which a block is contiguous.
        least: a run shorter than this many nodes is none.
    """
    cuts = sequence.cuts()
    heap = [
        (start - end, period, start, end)
        for period in _periods(sequence.codes)
        for start, end in _stretches(sequence.repeats_after(period), period)
        if end - start >= least
    ]
    heapify(heap)
    used = np.zeros(len(sequence), dtype=np.bool_)
    runs = []
    while heap:
        _, period, start, end = heappop(heap)
        free = _free_part(used, start, end)
        if free != (start, end):
            if free[1] - free[0] >= max(2 * period, least):
                heappush(heap, (free[0] - free[1], period, *free))
            continue
        run = _settle(sequence, cuts, used, start, end, period)
        if run.copies > 1 and run.end - run.start >= least:
            used[run.start : run.end] = True
            runs.append(run)
    return sorted(runs, key=lambda run: run.start)


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


def _settle(sequence: Labelled, cuts: Ints, used: Flags, start: int, end: int, period: int) -> Run:
    """Chooses where the copies begin, at the narrowest place, and how many really are the same block."""
    most = (end - start) // period
    choices = []
    for offset in range(min(period, end - start - 2 * period + 1)):
        copies = (end - start - offset) // period
        if copies >= max(2, most - 1):
            bounds = cuts[start + offset : start + offset + copies * period + 1 : period]
            choices.append((float(bounds.mean()), -copies, start + offset))
    _, copies, first = min(choices)
    run = _longest_equal(sequence, Run(first, period, -copies))
    return _extended(sequence, used, run)


def _longest_equal(sequence: Labelled, run: Run) -> Run:
    starts = range(run.start, run.end, run.period)
    best, current, last = Run(run.start, run.period, 0), run, None
    for start in starts:
        signature = sequence.signature(start, run.period)
        current = Run(current.start, run.period, current.copies + 1) if signature == last else Run(start, run.period, 1)
        best, last = max(best, current, key=lambda choice: choice.copies), signature
    return best


def _extended(sequence: Labelled, used: Flags, run: Run) -> Run:
    """The run with copies before and after it whose outer inputs alone differ."""
    start, period, copies = run.start, run.period, run.copies
    signature = sequence.signature(start, period)
    while start >= period and not used[start - period : start].any():
        if sequence.signature(start - period, period) != signature:
            break
        start, copies = start - period, copies + 1
    end = start + period * copies
    while end + period <= len(sequence) and not used[end : end + period].any():
        if sequence.signature(end, period) != signature:
            break
        end, copies = end + period, copies + 1
    return Run(start, period, copies)
