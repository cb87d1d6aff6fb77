"""Says what is wrong with a drawing; plain, slow, and written from the promise alone."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import networkx as nx

from dovetail.report.layout import Layout, LayoutOptions, Route

Box = tuple[float, float, float, float]
Point = tuple[float, float]
ROUNDING = 1e-6


def problems(
    sizes: Sequence[tuple[float, float]], edges: Sequence[tuple[int, int]], layout: Layout, options: LayoutOptions
) -> list[str]:
    """Every promise of `lay_out` that a layout breaks, in words; empty for a good one."""
    boxes = [(x, y, x + size[0], y + size[1]) for (x, y), size in zip(layout.positions, sizes, strict=True)]
    return [
        *_outside(layout, boxes),
        *_overlaps(boxes, options),
        *(words for edge, route in zip(edges, layout.routes, strict=True) for words in _route(edge, route, boxes)),
        *_wrong_stubs(edges, layout, boxes, options),
    ]


def _outside(layout: Layout, boxes: Sequence[Box]) -> Iterator[str]:
    corners = [(x, y) for left, top, right, bottom in boxes for x, y in ((left, top), (right, bottom))]
    on_routes = [point for route in layout.routes for point in (*route.points, *route.arrival)]
    for x, y in corners + on_routes:
        if not (-ROUNDING <= x <= layout.width + ROUNDING and -ROUNDING <= y <= layout.height + ROUNDING):
            yield f"({x}, {y}) is outside {layout.width} x {layout.height}"


def _overlaps(boxes: Sequence[Box], options: LayoutOptions) -> Iterator[str]:
    ordered = sorted(enumerate(boxes), key=lambda item: item[1][1])
    for place, (a, one) in enumerate(ordered):
        for b, other in ordered[place + 1 :]:
            if other[1] >= one[3]:
                break
            if one[0] < other[2] - ROUNDING and other[0] < one[2] - ROUNDING:
                yield f"boxes {a} and {b} overlap"
            elif max(one[0], other[0]) - min(one[2], other[2]) < options.node_gap - ROUNDING:
                yield f"boxes {a} and {b} are too close"


def _route(edge: tuple[int, int], route: Route, boxes: Sequence[Box]) -> Iterator[str]:
    source, destination = boxes[edge[0]], boxes[edge[1]]
    last = (route.arrival or route.points)[-1]
    if not (source[0] - ROUNDING <= route.points[0][0] <= source[2] + ROUNDING and near(route.points[0][1], source[3])):
        yield f"edge {edge} does not start at the bottom of its source"
    if not (destination[0] - ROUNDING <= last[0] <= destination[2] + ROUNDING and near(last[1], destination[1])):
        yield f"edge {edge} does not end at the top of its destination"
    for line in (route.points, route.arrival):
        for start, end in pairwise(line):
            if end[1] < start[1] - ROUNDING:
                yield f"edge {edge} goes up from {start} to {end}"
            hit = [number for number, box in enumerate(boxes) if _enters(start, end, box)]
            if hit:
                yield f"edge {edge} passes through boxes {hit} from {start} to {end}"


def _enters(start: Point, end: Point, box: Box) -> bool:
    """Whether a curve that leaves and reaches the ends of a piece vertically can enter a box: it stays in between."""
    left, right = sorted((start[0], end[0]))
    top, bottom = start[1], end[1]
    return (
        left < box[2] - ROUNDING
        and right > box[0] + ROUNDING
        and top < box[3] - ROUNDING
        and bottom > box[1] + ROUNDING
    )


def _wrong_stubs(
    edges: Sequence[tuple[int, int]], layout: Layout, boxes: Sequence[Box], options: LayoutOptions
) -> Iterator[str]:
    """An edge is a stub if and only if it spans too many of the layers of its part, told by the middles of boxes."""
    graph = nx.Graph(edges)
    for part in nx.connected_components(graph):
        middles = sorted((boxes[node][1] + boxes[node][3]) / 2 for node in part)
        layers = [middles[0]]
        layers += [y for above, y in pairwise(middles) if not near(y, above)]
        for edge, route in zip(edges, layout.routes, strict=True):
            if edge[0] in part:
                rank = [min(range(len(layers)), key=lambda n: abs(layers[n] - _middle(boxes[end]))) for end in edge]
                span = rank[1] - rank[0]
                if span < 1 or route.is_stub != (span > options.stub_after):
                    yield f"edge {edge} spans {span} layers, stub: {route.is_stub}"


def _middle(box: Box) -> float:
    return (box[1] + box[3]) / 2


def near(one: float, other: float) -> bool:
    """Whether two coordinates are the same but for rounding."""
    return abs(one - other) < ROUNDING
