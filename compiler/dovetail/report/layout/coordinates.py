"""The x of every node: straight lines first.

After U. Brandes and B. Koepf, "Fast and simple horizontal coordinate assignment" (2001): nodes are joined into straight
vertical blocks in four ways (from above or below, leftmost or rightmost first), each is packed, and the mean of the two
middle ones is taken. What differs: boxes have widths; a box joins another box before it joins a bend, so the main path
beside a residual connection stays straight; and packing is a longest path over the blocks, as blocks that the paper's
packing moves apart by classes can overlap.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dovetail.report.layout.drawing import Edge, LayoutOptions
from dovetail.report.layout.layered import Layered

Floats = NDArray[np.float64]


def assign_x(graph: Layered, options: LayoutOptions) -> list[float]:
    """The x of the middle of every node; no two nodes of a row overlap. Linear in nodes and edges."""
    places = [0] * len(graph.layers)
    for row in graph.rows:
        for place, node in enumerate(row):
            places[node] = place
    conflicts = _conflicts(graph, places)
    left, right, gaps = _neighbours(graph, options)
    found = []
    for side, rows in ((graph.up, graph.rows), (graph.down, graph.rows[::-1])):
        first, second = _partners(graph, side, places)
        roots = _join(rows, places, first, second, conflicts)
        found.append(_pack(roots, left, right, gaps))
        mirrored = [row[::-1] for row in rows]
        roots = _join(mirrored, [-place for place in places], second, first, conflicts)
        found.append(-_pack(roots, right, left, gaps))
    x = _middle(np.array(found), np.array(graph.widths))
    _straighten(graph, x)
    return x


def _conflicts(graph: Layered, places: list[int]) -> set[Edge]:
    """Edges that cross a piece between two bends; that piece is kept straight instead."""
    conflicts: set[Edge] = set()
    for row in graph.rows[1:]:
        inner = [
            (places[node], places[above])
            for node in row
            if node >= graph.boxes
            for above in graph.up[node]
            if above >= graph.boxes
        ]
        if inner:
            _mark_row(row, inner, graph, places, conflicts)
    return conflicts


def _mark_row(row: list[int], inner: list[Edge], graph: Layered, places: list[int], conflicts: set[Edge]) -> None:
    lowest, start = -1, 0
    for end, highest in [*inner, (len(row) - 1, len(places))]:
        for node in row[start : end + 1]:
            for above in graph.up[node]:
                if not lowest <= places[above] <= highest and not (node >= graph.boxes and above >= graph.boxes):
                    conflicts.add((above, node))
        lowest, start = highest, end + 1


def _neighbours(graph: Layered, options: LayoutOptions) -> tuple[list[int], list[int], list[float]]:
    """Pairs side by side in a row, and how far apart their middles must be."""
    left, right, gaps = [], [], []
    for row in graph.rows:
        for a, b in pairwise(row):
            gap = options.node_gap if a < graph.boxes and b < graph.boxes else options.edge_gap
            left.append(a)
            right.append(b)
            gaps.append((graph.widths[a] + graph.widths[b]) / 2 + gap)
    return left, right, gaps


def _partners(graph: Layered, side: list[list[int]], places: list[int]) -> tuple[list[int], list[int]]:
    """Per node, the left and the right one of its middle neighbours on one side; -1 where it may join none."""
    other = graph.down if side is graph.up else graph.up
    mixed = [_all_other_kind(node, side, graph.boxes) for node in range(len(side))]
    mixed_back = [_all_other_kind(node, other, graph.boxes) for node in range(len(side))]
    first, second = [-1] * len(side), [-1] * len(side)
    for node, beside in enumerate(side):
        is_box = node < graph.boxes
        fit = [u for u in beside if (u < graph.boxes) == is_box or (mixed[node] and mixed_back[u])]
        if len(fit) > 1:
            fit.sort(key=places.__getitem__)
        if fit:
            first[node], second[node] = fit[(len(fit) - 1) // 2], fit[len(fit) // 2]
    return first, second


def _all_other_kind(node: int, side: list[list[int]], boxes: int) -> bool:
    """Whether a box has only bends, or a bend only boxes, for neighbours on a side."""
    is_box = node < boxes
    return all((u < boxes) != is_box for u in side[node])


def _join(
    rows: list[list[int]], places: list[int], first: list[int], second: list[int], conflicts: set[Edge]
) -> list[int]:
    """Joins nodes into straight blocks, row by row; returns the root of each node's block."""
    roots = list(range(len(places)))
    for row in rows[1:]:
        reached = -len(places)
        for node in row:
            for partner in (first[node], second[node]):
                if partner < 0 or places[partner] <= reached:
                    continue
                if conflicts and ((partner, node) in conflicts or (node, partner) in conflicts):
                    continue
                roots[node] = roots[partner]
                reached = places[partner]
                break
    return roots


def _pack(roots: list[int], left: list[int], right: list[int], gaps: list[float]) -> Floats:
    """x of every node with all blocks as far left as they go, then each drawn right to what stands beside it."""
    after: list[list[tuple[int, float]]] = [[] for _ in roots]
    waiting = [0] * len(roots)
    for a, b, gap in zip(left, right, gaps, strict=True):
        after[roots[a]].append((roots[b], gap))
        waiting[roots[b]] += 1
    x = [0.0] * len(roots)
    ready = [node for node, root in enumerate(roots) if node == root and not waiting[node]]
    for block in ready:  # grows while it is walked
        here = x[block]
        for other, gap in after[block]:
            if here + gap > x[other]:
                x[other] = here + gap
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    for block in reversed(ready):
        if after[block]:
            x[block] = max(x[block], min([x[other] - gap for other, gap in after[block]]))
    return np.array(x)[roots]


def _middle(found: Floats, widths: Floats) -> list[float]:
    """The mean of the two middle ones of four x per node, after moving all onto the narrowest of the four."""
    lows = (found - widths / 2).min(axis=1)
    highs = (found + widths / 2).max(axis=1)
    narrowest = int((highs - lows).argmin())
    shifts = np.where([True, False, True, False], lows[narrowest] - lows, highs[narrowest] - highs)
    placed = np.sort(found + shifts[:, None], axis=0)
    middle: list[float] = ((placed[1] + placed[2]) / 2).tolist()
    return middle


def _straighten(graph: Layered, x: list[float]) -> None:
    """Puts nodes that are alone in their rows on one vertical line, but where they are far from it and stay in view.

    The rows between two of those move as one, with the end that a straight line joins to them. Else a graph whose every
    block leaves a little right of where it entered would slope more the deeper it is.
    """
    rows = graph.rows
    lone = [number for number, row in enumerate(rows) if len(row) == 1]
    if not lone:
        return
    moves = _moves([x[rows[number][0]] for number in lone], x, graph)
    runs = [(rows[: lone[0]], moves[0]), (rows[lone[-1] + 1 :], moves[-1])]
    for (start, end), (before, after) in zip(pairwise(lone), pairwise(moves), strict=True):
        if end > start + 1:
            runs.append((rows[start + 1 : end], _between(graph, x, (rows[start][0], before), (rows[end][0], after))))
    runs += [([rows[number]], move) for number, move in zip(lone, moves, strict=True)]
    for run, move in runs:
        for row in run:
            for node in row:
                x[node] += move


def _moves(lone: list[float], x: list[float], graph: Layered) -> list[float]:
    """How far each lone node moves: a step sideways from one to the next is kept if it is far, but not too far."""
    widest = max([x[row[-1]] - x[row[0]] for row in graph.rows])
    near = 1.5 * max(graph.widths)
    places = [0.0]
    for above, below in pairwise(lone):
        step = below - above
        place = places[-1] + (step if abs(step) > near else 0.0)
        places.append(place if abs(place) <= widest else 0.0)
    return [place - was for place, was in zip(places, lone, strict=True)]


def _between(graph: Layered, x: list[float], entry: tuple[int, float], leave: tuple[int, float]) -> float:
    """How far the rows between two lone nodes move, given the (node, move) of each."""
    for (node, move), side in ((entry, graph.down), (leave, graph.up)):
        if any(x[beside] == x[node] for beside in side[node]):
            return move
    return (entry[1] + leave[1]) / 2
