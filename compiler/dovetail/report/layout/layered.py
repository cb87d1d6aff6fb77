"""A DAG with every node on a layer and, on every layer that an edge crosses, a bend for it to pass through."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

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
    spread: list[list[int]]
    """Per box, the bends that edges out of it share, from the top; one that crosses k layers uses the first k."""
    gather: list[list[int]]
    """Per box, the bends that edges into it share, from the top; one that crosses k layers uses the last k."""
    gathered: set[Edge]
    """The edges that share their bends with other edges into the same box."""

    def bends(self, edge: Edge) -> list[int]:
        """What a drawn edge passes through, from the top."""
        source, destination = edge
        crossed = self.layers[destination] - self.layers[source] - 1
        if not crossed:
            return []
        return self.gather[destination][-crossed:] if edge in self.gathered else self.spread[source][:crossed]


def build_layered(sizes: Sequence[Size], edges: Sequence[Edge], options: LayoutOptions) -> Layered:
    """Layers a DAG; edges longer than `options.stub_after` join nothing.

    The edges out of a box share one trunk of bends, and so do those into a box that many long edges reach. There are at
    most twice `stub_after` bends per box and the size is linear in boxes and edges, however many consumers a box has.

    Args:
        sizes: (width, height) of each box.
        edges: (source, destination) pairs; those that share both ends use one trunk, as wide as they need.
        options: distances.

    Raises:
        ValueError: the edges hold a cycle.
    """
    counts = Counter(edges)
    up: list[list[int]] = [[] for _ in sizes]
    down: list[list[int]] = [[] for _ in sizes]
    for source, destination in counts:
        up[destination].append(source)
        down[source].append(destination)
    layers = assign_layers(up, down, options)
    empty: list[list[int]] = [[] for _ in sizes]
    graph = Layered(
        boxes=len(sizes),
        layers=layers,
        up=[[] for _ in sizes],
        down=[[] for _ in sizes],
        widths=[size[0] for size in sizes],
        rows=[[] for _ in range(max(layers) + 1)],
        spread=list(empty),
        gather=list(empty),
        gathered=set(),
    )
    drawn = [edge for edge in counts if layers[edge[1]] - layers[edge[0]] <= options.stub_after]
    _add_trunks(graph, [edge for edge in drawn if layers[edge[1]] - layers[edge[0]] > 1])
    for edge in drawn:
        _connect(graph, edge)
    _centre_trunks(graph)
    for edge, count in counts.items():
        if count > 1 and layers[edge[1]] - layers[edge[0]] <= options.stub_after:
            for bend in graph.bends(edge):
                graph.widths[bend] = max(graph.widths[bend], (count - 1) * options.parallel_gap)
    return graph


def _add_trunks(graph: Layered, long: list[Edge]) -> None:
    """Makes the bends of edges that cross layers; each joins those of the end with more of them."""
    out = Counter(source for source, _ in long)
    into = Counter(destination for _, destination in long)
    graph.gathered.update(edge for edge in long if into[edge[1]] > out[edge[0]])
    spread: dict[int, int] = {}
    gather: dict[int, int] = {}
    for edge in long:
        crossed = graph.layers[edge[1]] - graph.layers[edge[0]] - 1
        lengths, box = (gather, edge[1]) if edge in graph.gathered else (spread, edge[0])
        lengths[box] = max(lengths.get(box, 0), crossed)
    for box, length in spread.items():
        graph.spread[box] = _add_trunk(graph, graph.layers[box] + 1, length)
    for box, length in gather.items():
        graph.gather[box] = _add_trunk(graph, graph.layers[box] - length, length)
        _join(graph, graph.gather[box][-1], box)


def _add_trunk(graph: Layered, top: int, length: int) -> list[int]:
    trunk = list(range(len(graph.layers), len(graph.layers) + length))
    for bend in trunk:
        graph.layers.append(top + bend - trunk[0])
        graph.widths.append(0.0)
        graph.up.append([])
        graph.down.append([])
    for above, below in pairwise(trunk):
        _join(graph, above, below)
    return trunk


def _centre_trunks(graph: Layered) -> None:
    """Puts each trunk between the consumers to the left and to the right of it."""
    for box, trunk in enumerate(graph.spread):
        if trunk:
            graph.up[trunk[0]].append(box)
            graph.down[box].insert(len(graph.down[box]) // 2, trunk[0])
        for bend, following in pairwise(trunk):
            graph.down[bend].remove(following)
            graph.down[bend].insert(len(graph.down[bend]) // 2, following)


def _connect(graph: Layered, edge: Edge) -> None:
    """Joins the end of an edge that shares no bends to the other end or to the bend next to it."""
    source, destination = edge
    bends = graph.bends(edge)
    if edge in graph.gathered:
        _join(graph, source, bends[0])
    else:
        _join(graph, bends[-1] if bends else source, destination)


def _join(graph: Layered, above: int, below: int) -> None:
    graph.down[above].append(below)
    graph.up[below].append(above)
