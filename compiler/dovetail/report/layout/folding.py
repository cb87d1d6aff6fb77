"""A graph made small: repeated blocks as single boxes."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from dovetail.report.layout.drawing import Edge
from dovetail.report.layout.repeats import Ints, Labelled, Run, Signature, find_runs
from dovetail.report.layout.sequence import block_order

_LEAST_FOLDED = 6
_LOOSE_BOXES = 200


@dataclass(frozen=True, slots=True)
class Group:
    """What one box of a folded graph stands for."""

    copies: tuple[tuple[int, ...], ...]
    """Nodes of each copy of a repeated block, producers first; nodes at one place in two copies correspond."""
    shape: int | None
    """The same number for all groups that repeat the same block; none for what is not repeated."""

    @property
    def nodes(self) -> tuple[int, ...]:
        """All nodes, producers first."""
        return tuple(node for copy in self.copies for node in copy)


@dataclass(frozen=True, slots=True)
class Folding:
    """Every node in one group; the groups and `edges` are a DAG again, with producers first."""

    groups: list[Group]
    group_of: list[int]
    """Per node, the place of its group in `groups`."""
    edges: list[Edge]
    """(group, group), each pair once, by first use."""


def fold_blocks(labels: Sequence[Hashable], edges: Sequence[Edge]) -> Folding:
    """Folds blocks that have the same labels and inner edges into one group where they stand one after the other.

    One after the other means that a block reads the one before, or that both read or feed one and the same node.

    A group is a stretch of one topological order, so it is convex and the folded graph has no cycle. Where a block
    repeats, copies are cut at the place that the fewest tensors cross. A block that occurs once more elsewhere is a
    group with the same shape. Nodes outside repetitions stay alone, or, where there are very many of them, are gathered
    into stretches that few tensors cross. Near-linear in nodes and edges; the same input gives the same groups.

    Args:
        labels: what two nodes must share to correspond, such as (operator, device).
        edges: (source, destination) by place in `labels`, the inputs of a node in order; two may be the same.

    Raises:
        ValueError: the edges hold a cycle.
    """
    up: list[list[int]] = [[] for _ in labels]
    down: list[list[int]] = [[] for _ in labels]
    for source, destination in edges:
        up[destination].append(source)
        down[source].append(destination)
    order = block_order(up, down)
    place = {node: position for position, node in enumerate(order)}
    sequence = Labelled([labels[node] for node in order], [[place[u] for u in up[node]] for node in order])
    pieces = _pieces(sequence)
    groups = [Group(tuple(tuple(order[p] for p in copy) for copy in copies), shape) for copies, shape in pieces]
    group_of = [0] * len(labels)
    for number, group in enumerate(groups):
        for node in group.nodes:
            group_of[node] = number
    folded = dict.fromkeys((group_of[source], group_of[destination]) for source, destination in edges)
    return Folding(groups, group_of, [(a, b) for a, b in folded if a != b])


def _pieces(sequence: Labelled) -> list[tuple[list[range], int | None]]:
    """The positions of each group, copy by copy, and its shape."""
    runs = find_runs(sequence, _LEAST_FOLDED) if len(sequence) else []
    shapes: dict[Signature, int] = {}
    shape_of = {run: shapes.setdefault(sequence.signature(run.start, run.period), len(shapes)) for run in runs}
    loose = list(_loose(sequence.cuts(), runs))
    return [
        ([range(start, start + run.period) for start in range(run.start, run.end, run.period)], shape_of.get(run))
        for run in sorted([*runs, *loose])
    ]


def _loose(cuts: Ints, taken: list[Run]) -> Iterator[Run]:
    """What lies between runs: single nodes, or stretches if there are too many for a picture."""
    gaps = list(zip([0, *[run.end for run in taken]], [*[run.start for run in taken], len(cuts) - 1], strict=True))
    size = -(-sum(end - start for start, end in gaps) // _LOOSE_BOXES)
    for start, end in gaps:
        while start < end:
            length = _stretch(cuts, start, end, size)
            yield Run(start, length, 1)
            start += length


def _stretch(cuts: Ints, start: int, end: int, size: int) -> int:
    """A length near `size` after which few tensors cross."""
    if size < 2 or end - start <= size:
        return min(max(size, 1), end - start)
    first = start + (size + 1) // 2
    bounds = cuts[first : min(start + size + size // 2, end) + 1]
    return first + int(bounds.argmin()) - start
