"""Tall drawings cut into columns side by side, as text is: a screen is wider than it is high."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from dovetail.report.layout import Layout, Route

Point = tuple[float, float]
Size = tuple[float, float]
Edge = tuple[int, int]

_GAP: Final = 60.0
"""Between two columns, where no edge goes from one to the other."""
_LANE: Final = 7.0
"""Between two edges from one column to the next."""
_MARGIN: Final = 14.0
"""Above and below a column, before the first of these edges."""
_TAIL: Final = 12.0
"""Length of the ends of an edge that is not drawn whole."""
_SLACK: Final = 0.25
"""Part of a column's height by which a cut may lie elsewhere, where fewer edges cross."""
_MOST_LANES: Final = 6
"""Edges from one column to the next that are drawn whole."""


@dataclass(frozen=True, slots=True)
class _Column:
    """What lies between two cuts, and where it goes."""

    top: float
    bottom: float
    left: float
    """In the drawing that is cut."""
    right: float
    shift: Point
    """From the drawing that is cut to the new one."""
    lanes: dict[int, int]
    """Edges that go on in the next column, each with its lane."""


def in_columns(layout: Layout, sizes: Sequence[Size], edges: Sequence[Edge], shape: float) -> Layout:
    """Cut a layout that is taller than wide into columns, from left to right.

    Cuts lie where few edges cross. An edge from one column to the next runs down, up between the two, and down again;
    one that goes further, or finds no place between the two, becomes two tails. Near-linear in boxes and edges.

    Args:
        layout: downwards.
        sizes: of its boxes.
        edges: (source, destination), as it was made from.
        shape: width over height to aim at.

    Returns:
        The same layout where there is nothing to gain.
    """
    cuts = _cuts(layout, sizes, edges, shape)
    if not cuts:
        return layout
    limits = [-1.0, *cuts, layout.height + 1.0]
    home = [bisect_right(limits, y) - 1 for _, y in layout.positions]
    columns = _columns(layout, sizes, edges, limits, home)
    margin = _MARGIN + _LANE * max(len(column.lanes) for column in columns)
    return Layout(
        positions=[_moved(point, columns[column]) for point, column in zip(layout.positions, home, strict=True)],
        width=columns[-1].right + columns[-1].shift[0],
        height=max(column.bottom - column.top for column in columns) + 2 * margin,
        routes=[
            _route(number, layout.routes[number], columns, home[source], home[destination])
            for number, (source, destination) in enumerate(edges)
        ],
    )


def _cuts(layout: Layout, sizes: Sequence[Size], edges: Sequence[Edge], shape: float) -> list[float]:
    """The heights at which to cut, from the top."""
    wanted = round(math.sqrt(shape * layout.height / (layout.width + _GAP)))
    if wanted < 2:
        return []
    gaps = _gaps(layout, sizes)
    crossing = _crossing(gaps, layout, edges)
    height = layout.height / wanted
    cuts: list[float] = []
    last = 0.0
    while last + (1 + _SLACK) * height < layout.height:
        first = bisect_left(gaps, last + (1 - _SLACK) * height)
        end = bisect_right(gaps, last + (1 + _SLACK) * height)
        if first >= len(gaps):
            break
        aim = last + height
        best = min(range(first, max(end, first + 1)), key=lambda gap: (crossing[gap], abs(gaps[gap] - aim)))
        last = gaps[best]
        cuts.append(last)
    return cuts


def _gaps(layout: Layout, sizes: Sequence[Size]) -> list[float]:
    """Heights at which no box is, in the middle between two layers."""
    spans = sorted((y, y + height) for (_, y), (_, height) in zip(layout.positions, sizes, strict=True))
    gaps: list[float] = []
    reached = spans[0][1]
    for top, bottom in spans:
        if top > reached:
            gaps.append((top + reached) / 2)
        reached = max(reached, bottom)
    return gaps


def _crossing(gaps: Sequence[float], layout: Layout, edges: Sequence[Edge]) -> list[int]:
    """How many edges cross each gap; tails cross none."""
    changes = [0] * (len(gaps) + 1)
    for route in layout.routes:
        if not route.is_stub:
            changes[bisect_left(gaps, route.points[0][1])] += 1
            changes[bisect_left(gaps, route.points[-1][1])] -= 1
    crossing, now = [], 0
    for change in changes[:-1]:
        now += change
        crossing.append(now)
    return crossing


def _columns(
    layout: Layout, sizes: Sequence[Size], edges: Sequence[Edge], limits: Sequence[float], home: Sequence[int]
) -> list[_Column]:
    count = len(limits) - 1
    left, right = [math.inf] * count, [-math.inf] * count
    top, bottom = [math.inf] * count, [-math.inf] * count
    for (x, y), (width, height), column in zip(layout.positions, sizes, home, strict=True):
        left[column], right[column] = min(left[column], x), max(right[column], x + width)
        top[column], bottom[column] = min(top[column], y), max(bottom[column], y + height)
    lanes: list[dict[int, int]] = [{} for _ in range(count)]
    for number, (source, destination) in enumerate(edges):
        route = layout.routes[number]
        if route.is_stub:
            continue
        for x, y in route.points:
            column = bisect_right(limits, y) - 1
            left[column], right[column] = min(left[column], x), max(right[column], x)
        if home[destination] == home[source] + 1 and len(lanes[home[source]]) < _MOST_LANES:
            lanes[home[source]][number] = len(lanes[home[source]])
    margin = _MARGIN + _LANE * max(map(len, lanes))
    made, x = [], 0.0
    for column in range(count):
        shift = (x - left[column], margin - top[column])
        made.append(_Column(top[column], bottom[column], left[column], right[column], shift, lanes[column]))
        x += right[column] - left[column] + _GAP + _LANE * len(lanes[column])
    return made


def _moved(point: Point, column: _Column) -> Point:
    return point[0] + column.shift[0], point[1] + column.shift[1]


def _route(number: int, route: Route, columns: Sequence[_Column], source: int, destination: int) -> Route:
    here, there = columns[source], columns[destination]
    if route.is_stub:
        return Route(_all(route.points, here), _all(route.arrival, there))
    if source == destination:
        return Route(_all(route.points, here))
    if number not in here.lanes:
        (x, y), (end, last) = _moved(route.points[0], here), _moved(route.points[-1], there)
        return Route(((x, y), (x, y + _TAIL)), ((end, last - _TAIL), (end, last)))
    above = _all((point for point in route.points if point[1] <= here.bottom), here)
    below = _all((point for point in route.points if point[1] >= there.top), there)
    far = _MARGIN / 2 + _LANE * here.lanes[number]
    floor = here.bottom + here.shift[1] + far
    roof = there.top + there.shift[1] - far
    x = here.right + here.shift[0] + _GAP / 2 + _LANE * here.lanes[number]
    between = ((above[-1][0], floor), (x, floor), (x, roof), (below[0][0], roof))
    return Route(tuple(_without_repeats((*above, *between, *below))))


def _all(points: Iterable[Point], column: _Column) -> tuple[Point, ...]:
    return tuple(_moved(point, column) for point in points)


def _without_repeats(points: Sequence[Point]) -> list[Point]:
    return [points[0], *(now for before, now in pairwise(points) if now != before)]
