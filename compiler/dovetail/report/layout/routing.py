"""From layers and x to boxes and routes."""

from collections import Counter
from collections.abc import Sequence

from dovetail.report.layout.drawing import Edge, Layout, LayoutOptions, Point, Route, Size
from dovetail.report.layout.layered import Layered

_SLANT = 0.12
_GROWTH = 3.0


def draw(
    graph: Layered, x: list[float], sizes: Sequence[Size], edges: Sequence[Edge], options: LayoutOptions
) -> Layout:
    """Boxes in the middle of their layers, and a route for each of `edges`, parallel ones side by side."""
    low = min([x[node] - width / 2 for node, width in enumerate(graph.widths)])
    high = max([x[node] + width / 2 for node, width in enumerate(graph.widths)])
    x = [value - low for value in x]
    tops, bottoms = _bands(graph, x, sizes, options)
    positions = []
    for box, (width, height) in enumerate(sizes):
        layer = graph.layers[box]
        positions.append((x[box] - width / 2, (tops[layer] + bottoms[layer] - height) / 2))
    router = _Router(graph, x, tops, bottoms, positions, sizes, options)
    counts = Counter(edges)
    drawn: Counter[Edge] = Counter()
    routes = []
    for edge in edges:
        shift = 0.0
        if counts[edge] > 1:
            shift = (drawn[edge] - (counts[edge] - 1) / 2) * options.parallel_gap
            drawn[edge] += 1
        routes.append(router.route(edge, shift))
    return Layout(positions, high - low, bottoms[-1], routes)


def _bands(
    graph: Layered, x: list[float], sizes: Sequence[Size], options: LayoutOptions
) -> tuple[list[float], list[float]]:
    """Top and bottom y of every layer; edges that run far sideways get a higher gap."""
    tops, bottoms = [], []
    y = 0.0
    for row in graph.rows:
        height = max([sizes[node][1] for node in row if node < graph.boxes])
        tops.append(y)
        bottoms.append(y + height)
        reach = max([abs(x[node] - x[below]) for node in row for below in graph.down[node]], default=0.0)
        y += height + max(options.layer_gap, min(_SLANT * reach, _GROWTH * options.layer_gap))
    return tops, bottoms


class _Router:
    """Draws one edge at a time."""

    def __init__(
        self,
        graph: Layered,
        x: list[float],
        tops: list[float],
        bottoms: list[float],
        positions: list[Point],
        sizes: Sequence[Size],
        options: LayoutOptions,
    ) -> None:
        self._graph, self._x, self._tops, self._bottoms = graph, x, tops, bottoms
        self._positions, self._sizes, self._options = positions, sizes, options

    def route(self, edge: Edge, shift: float) -> Route:
        """The route of one edge, `shift` to the right of the middle of its ends."""
        source, destination = edge
        start = (self._x[source] + self._within(source, shift), self._positions[source][1] + self._sizes[source][1])
        end = (self._x[destination] + self._within(destination, shift), self._positions[destination][1])
        top, bottom = self._graph.layers[source], self._graph.layers[destination]
        if bottom - top > self._options.stub_after:
            return Route(self._tail(source, start[1], 1), self._tail(destination, end[1], -1)[::-1])
        points = [start, (start[0], self._bottoms[top])]
        for bend in self._graph.bends(edge):
            layer = self._graph.layers[bend]
            points += [(self._x[bend] + shift, self._tops[layer]), (self._x[bend] + shift, self._bottoms[layer])]
        points += [(end[0], self._tops[bottom]), end]
        return Route(tuple(_needed(points)))

    def _tail(self, box: int, y: float, direction: int) -> tuple[Point, Point]:
        """A tail away from a box, right of the middle, where the whole edges are."""
        x = self._x[box] + self._sizes[box][0] / 4
        return (x, y), (x, y + direction * self._options.stub_length)

    def _within(self, box: int, shift: float) -> float:
        room = self._sizes[box][0] / 2
        return min(max(shift, -room), room)


def _needed(points: list[Point]) -> list[Point]:
    """The points without repeats and without those in the middle of a vertical piece."""
    kept = [points[0]]
    for point, following in zip(points[1:], [*points[2:], None], strict=True):
        if point == kept[-1] or (following and kept[-1][0] == point[0] == following[0]):
            continue
        kept.append(point)
    return kept
