"""The order of the nodes within each layer: few crossings."""

from bisect import bisect_left, bisect_right, insort
from itertools import pairwise

from dovetail.report.layout.layered import Layered

_SWEEPS = 8
_PATIENCE = 3
_EXCHANGES = 4


def order_rows(graph: Layered) -> None:
    """Fills `graph.rows`, with few crossings of edges between neighbouring layers.

    Starts from depth-first order, sorts each layer by the mean place of its neighbours, downwards and upwards in turn,
    and at last exchanges neighbours where that saves crossings; the best order seen is kept. A constant number of
    sweeps, each linear but for sorting.
    """
    places = _first_order(graph)
    rows = graph.rows
    best = [list(row) for row in rows]
    fewest = total_crossings(graph, places)
    stale = 0
    for sweep in range(_SWEEPS):
        if not fewest or stale >= _PATIENCE:
            break
        _sweep(rows, graph.down if sweep % 2 else graph.up, places, upwards=bool(sweep % 2))
        found = total_crossings(graph, places)
        stale += 1
        if found < fewest:
            best, fewest, stale = [list(row) for row in rows], found, 0
    graph.rows = best
    if fewest:
        _exchange(graph, _places(best, len(graph.layers)))


def total_crossings(graph: Layered, places: list[int]) -> int:
    """How many pairs of edges cross, over all layers."""
    return sum(_crossings(above, below, graph.down, places) for above, below in pairwise(graph.rows))


def _crossings(above: list[int], below: list[int], down: list[list[int]], places: list[int]) -> int:
    if len(above) < 2 or len(below) < 2:
        return 0
    seen: list[int] = []
    crossings = 0
    for node in above:
        ends = [places[w] for w in down[node]]
        for end in ends:
            crossings += len(seen) - bisect_right(seen, end)
        for end in ends:
            insort(seen, end)
    return crossings


def _first_order(graph: Layered) -> list[int]:
    """Fills the rows in depth-first order from the top; returns the place of each node in its row."""
    places = [-1] * len(graph.layers)
    starts = sorted(range(len(graph.layers)), key=graph.layers.__getitem__)
    for start in starts:
        stack = [start]
        while stack:
            node = stack.pop()
            if places[node] < 0:
                row = graph.rows[graph.layers[node]]
                places[node] = len(row)
                row.append(node)
                stack.extend(reversed(graph.down[node]))
    return places


def _sweep(rows: list[list[int]], neighbours: list[list[int]], places: list[int], *, upwards: bool) -> None:
    for row in reversed(rows) if upwards else rows:
        if len(row) < 2:
            continue
        keys = {}
        for node in row:
            beside = neighbours[node]
            if beside:
                keys[node] = sum([places[u] for u in beside]) / len(beside)
        sorted_nodes = iter(sorted(keys, key=keys.__getitem__))
        # a node without neighbours on that side keeps its place
        row[:] = [next(sorted_nodes) if node in keys else node for node in row]
        for place, node in enumerate(row):
            places[node] = place


def _places(rows: list[list[int]], count: int) -> list[int]:
    places = [0] * count
    for row in rows:
        for place, node in enumerate(row):
            places[node] = place
    return places


def _exchange(graph: Layered, places: list[int]) -> None:
    rows = graph.rows
    for _ in range(_EXCHANGES):
        gaps = [_crossings(above, below, graph.down, places) for above, below in pairwise(rows)]
        crossed = [row for row, above, below in zip(rows, [0, *gaps], [*gaps, 0], strict=True) if above or below]
        if not sum([_exchange_row(row, graph, places) for row in crossed]):
            return


def _exchange_row(row: list[int], graph: Layered, places: list[int]) -> int:
    """Exchanges neighbours in one row where that saves crossings; returns how many were saved."""
    ends = {node: [sorted([places[u] for u in side[node]]) for side in (graph.up, graph.down)] for node in row}
    saved = 0
    for place in range(len(row) - 1):
        left, right = row[place], row[place + 1]
        gain = sum(_inversions(a, b) - _inversions(b, a) for a, b in zip(ends[left], ends[right], strict=True))
        if gain > 0:
            row[place], row[place + 1] = right, left
            places[left], places[right] = place + 1, place
            saved += gain
    return saved


def _inversions(left: list[int], right: list[int]) -> int:
    """Pairs of an end of the left node and a smaller end of the right node, both sorted."""
    if not left or not right or left[-1] <= right[0]:
        return 0
    return sum([bisect_left(right, end) for end in left])
