"""From sizes and edges to a drawing."""

from collections.abc import Sequence

from dovetail.report.layout.coordinates import assign_x
from dovetail.report.layout.drawing import Edge, Layout, LayoutOptions, Point, Route, Size
from dovetail.report.layout.layered import build_layered
from dovetail.report.layout.ordering import order_rows
from dovetail.report.layout.packing import grid, pack
from dovetail.report.layout.routing import draw

_DEFAULTS = LayoutOptions()


def lay_out(sizes: Sequence[Size], edges: Sequence[Edge], options: LayoutOptions = _DEFAULTS) -> Layout:
    """Draws a DAG in layers from top to bottom.

    Every edge goes down. One that spans more than `options.stub_after` layers becomes a stub, two tails without a line
    between them; all others avoid the boxes. Boxes never overlap. A chain is a straight line. Parts that no edge joins
    lie side by side; boxes without edges stand in rows of their own, and layers with very many boxes wrap.

    The same input gives the same layout. Time grows near-linearly with nodes and edges, also where one node feeds all
    others: an edge costs at most a place on `stub_after` layers, shared by all edges of its source, and every step is
    linear but for sorting within layers.

    Args:
        sizes: (width, height) of each box.
        edges: (source, destination) by place in `sizes`; several edges may join the same two boxes.
        options: distances.

    Raises:
        ValueError: an edge names a box that is not there, or the edges hold a cycle.
    """
    _check_ends(len(sizes), edges)
    if not sizes:
        return Layout([], 0.0, 0.0, [])
    parts = _components(len(sizes), edges)
    lone = [boxes[0] for boxes, within in parts if not within]
    joined = [part for part in parts if part[1]]
    pieces = [(boxes, within, _one(boxes, within, sizes, edges, options)) for boxes, within in joined]
    if lone:
        lone_sizes = [sizes[box] for box in lone]
        pieces.append((lone, [], Layout(*grid(lone_sizes, options.node_gap, options.aspect), [])))
    return _together(pieces, len(sizes), len(edges), options)


def _check_ends(boxes: int, edges: Sequence[Edge]) -> None:
    for number, ends in enumerate(edges):
        if min(ends) < 0 or max(ends) >= boxes:
            raise ValueError(
                f"edge {number} of a layout joins {ends}, there are boxes 0 to {boxes - 1}: number them so"
            )


def _components(boxes: int, edges: Sequence[Edge]) -> list[tuple[list[int], list[int]]]:
    """Boxes and edges (by number) of each part that no edge joins with another, by first box."""
    parents = list(range(boxes))

    def find(box: int) -> int:
        while parents[box] != box:
            parents[box] = parents[parents[box]]
            box = parents[box]
        return box

    for source, destination in edges:
        a, b = find(source), find(destination)
        if a != b:
            parents[max(a, b)] = min(a, b)
    parts: dict[int, tuple[list[int], list[int]]] = {}
    for box in range(boxes):
        parts.setdefault(find(box), ([], []))[0].append(box)
    for number, (source, _) in enumerate(edges):
        parts[find(source)][1].append(number)
    return list(parts.values())


def _one(
    boxes: list[int], within: list[int], sizes: Sequence[Size], edges: Sequence[Edge], options: LayoutOptions
) -> Layout:
    """Draws one part in coordinates of its own."""
    local = {box: number for number, box in enumerate(boxes)}
    own_sizes = [sizes[box] for box in boxes]
    own_edges = [(local[edges[number][0]], local[edges[number][1]]) for number in within]
    graph = build_layered(own_sizes, own_edges, options)
    order_rows(graph)
    return draw(graph, assign_x(graph, options), own_sizes, own_edges, options)


def _together(
    pieces: list[tuple[list[int], list[int], Layout]], boxes: int, edges: int, options: LayoutOptions
) -> Layout:
    corners, width, height = pack([(p.width, p.height) for _, _, p in pieces], options.component_gap, options.aspect)
    positions: list[Point] = [(0.0, 0.0)] * boxes
    routes = [Route(())] * edges
    for (right, down), (members, within, piece) in zip(corners, pieces, strict=True):
        for box, (x, y) in zip(members, piece.positions, strict=True):
            positions[box] = (x + right, y + down)
        for number, route in zip(within, piece.routes, strict=True):
            routes[number] = route.moved(right, down) if right or down else route
    return Layout(positions, width, height, routes)
