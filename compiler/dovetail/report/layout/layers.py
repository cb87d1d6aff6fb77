"""Which layer each node of a DAG stands on."""

from math import ceil, sqrt

from dovetail.report.layout.drawing import LayoutOptions

_ROUNDS = 2


def assign_layers(up: list[list[int]], down: list[list[int]], options: LayoutOptions) -> list[int]:
    """A layer for every node, 0 at the top, such that every edge goes down at least one layer.

    First as high as the producers allow, in depth-first order so that a branch stays together where a layer is full;
    then each node moves towards the side that has more of its edges, and towards its consumers where both have as many.
    Linear in nodes and edges.

    Raises:
        ValueError: the edges hold a cycle.
    """
    order = depth_first(up, down)
    layers = _highest(order, up)
    filled = _Filled(max(options.layer_nodes, ceil(1.5 * sqrt(len(order)))))
    if _fullest(layers) > filled.capacity:
        for node in order:
            layers[node] = filled.add(max((layers[u] for u in up[node]), default=-1) + 1)
    else:
        for layer in layers:
            filled.add(layer)
    for _ in range(_ROUNDS):
        _sink(order, layers, up, down, filled)
        _rise(order, layers, up, down, filled)
    return _without_empty(layers)


def depth_first(up: list[list[int]], down: list[list[int]]) -> list[int]:
    """The nodes, producers first, following a branch as far as it goes before the next one.

    Raises:
        ValueError: the edges hold a cycle.
    """
    waiting = [len(above) for above in up]
    ready = [node for node in reversed(range(len(up))) if not waiting[node]]
    order = []
    while ready:
        node = ready.pop()
        order.append(node)
        for below in reversed(down[node]):
            waiting[below] -= 1
            if not waiting[below]:
                ready.append(below)
    if len(order) < len(up):
        stuck = next(node for node, count in enumerate(waiting) if count)
        raise ValueError(f"a layout needs a graph without cycles, node {stuck} is on one or below one: cut the cycle")
    return order


class _Filled:
    """How many nodes each layer holds, and the next layer below a full one."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._counts: list[int] = []
        self._next: list[int] = []

    def add(self, layer: int) -> int:
        """Takes a place in the first layer from `layer` on that has one, and says which."""
        layer = self._first_open(layer)
        self._counts[layer] += 1
        if self._counts[layer] >= self.capacity:
            self._next[layer] = layer + 1
        return layer

    def move(self, source: int, destination: int) -> bool:
        """Moves one node, if the destination has a place."""
        if self._counts[destination] >= self.capacity:
            return False
        self._counts[source] -= 1
        self._counts[destination] += 1
        return True

    def _first_open(self, layer: int) -> int:
        path = []
        while True:
            while len(self._next) <= layer:
                self._next.append(len(self._next))
                self._counts.append(0)
            if self._next[layer] == layer:
                break
            path.append(layer)
            layer = self._next[layer]
        for passed in path:
            self._next[passed] = layer
        return layer


def _highest(order: list[int], up: list[list[int]]) -> list[int]:
    layers = [0] * len(order)
    for node in order:
        above = up[node]
        if above:
            layers[node] = max([layers[u] for u in above]) + 1
    return layers


def _fullest(layers: list[int]) -> int:
    counts = [0] * (max(layers) + 1)
    for layer in layers:
        counts[layer] += 1
    return max(counts)


def _sink(order: list[int], layers: list[int], up: list[list[int]], down: list[list[int]], filled: _Filled) -> None:
    for node in reversed(order):
        below = down[node]
        if below and len(below) >= len(up[node]):
            lowest = min([layers[w] for w in below]) - 1
            if lowest > layers[node] and filled.move(layers[node], lowest):
                layers[node] = lowest


def _rise(order: list[int], layers: list[int], up: list[list[int]], down: list[list[int]], filled: _Filled) -> None:
    for node in order:
        above = up[node]
        if len(above) > len(down[node]):
            highest = max([layers[u] for u in above]) + 1
            if highest < layers[node] and filled.move(layers[node], highest):
                layers[node] = highest


def _without_empty(layers: list[int]) -> list[int]:
    numbers = {layer: number for number, layer in enumerate(sorted(set(layers)))}
    return [numbers[layer] for layer in layers]
