"""A DAG with every node on a layer and, on every layer that an edge crosses, a bend for it to pass through."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from dovetail.report.layout.drawing import Edge, LayoutOptions, Size
from dovetail.report.layout.layers import assign_layers


@dataclass(slots=True)
class Layered:
    """Nodes 0 to `boxes` - 1 are the graph's, those after them are bends; edges join neighbouring layers only."""

    boxes: int
    layers: list[int]
    up: list[list[int]]
    """Neighbours on the layer above."""
    down: list[list[int]]
    """Neighbours on the layer below."""
    widths: list[float]
    rows: list[list[int]]
    """The nodes of each layer from left to right."""
    trunks: list[list[int]]
    """Per box, the bends that its edges share, from the top; an edge that crosses k layers uses the first k."""


def build_layered(sizes: Sequence[Size], edges: Sequence[Edge], options: LayoutOptions) -> Layered:
    """Layers a DAG; edges longer than `options.stub_after` join nothing.

    All edges out of a box share one trunk of bends, so there are at most `stub_after` - 1 bends per box and the size is
    linear in the boxes and edges, however many consumers a box has.

    Args:
        sizes: (width, height) of each box.
        edges: (source, destination) pairs; those that share both ends use one trunk, as wide as they need.
        options: distances.

    Raises:
        ValueError: the edges hold a cycle.
    """
    boxes = len(sizes)
    up: list[list[int]] = [[] for _ in range(boxes)]
    down: list[list[int]] = [[] for _ in range(boxes)]
    counts = Counter(edges)
    for source, destination in counts:
        up[destination].append(source)
        down[source].append(destination)
    layers = assign_layers(up, down, options)
    graph = Layered(boxes, layers, [[] for _ in sizes], [[] for _ in sizes], [size[0] for size in sizes], [], [])
    for box in range(boxes):
        graph.trunks.append(_add_trunk(graph, box, down[box], options))
    _widen(graph, counts, options)
    graph.rows = [[] for _ in range(max(layers) + 1)]
    return graph


def _add_trunk(graph: Layered, box: int, consumers: list[int], options: LayoutOptions) -> list[int]:
    top = graph.layers[box]
    spans = [(graph.layers[consumer] - top, consumer) for consumer in consumers]
    drawn = [(span, consumer) for span, consumer in spans if span <= options.stub_after]
    trunk: list[int] = []
    for bend in range(max(drawn, default=(1, 0))[0] - 1):
        node = len(graph.layers)
        graph.layers.append(top + bend + 1)
        graph.widths.append(0.0)
        graph.up.append([trunk[-1] if trunk else box])
        graph.down.append([])
        graph.down[trunk[-1] if trunk else box].append(node)
        trunk.append(node)
    for span, consumer in drawn:
        above = box if span == 1 else trunk[span - 2]
        graph.down[above].append(consumer)
        graph.up[consumer].append(above)
    return trunk


def _widen(graph: Layered, counts: Counter[Edge], options: LayoutOptions) -> None:
    """Makes room in the trunks for parallel edges."""
    for (source, destination), count in counts.items():
        span = graph.layers[destination] - graph.layers[source]
        if count > 1 and span <= options.stub_after:
            for bend in graph.trunks[source][: span - 1]:
                graph.widths[bend] = max(graph.widths[bend], (count - 1) * options.parallel_gap)
