"""Launches of a placement: what the best order of a run costs, and the paths that prove it."""

from collections.abc import Sequence

import numpy as np

from dovetail.partition.arrays import Arrays, Floats, Ints, Weights


def switch_costs(arrays: Arrays, weights: Weights, labels: Ints) -> Floats:
    """For each edge, the launch of the device it enters; 0 where it stays on one device."""
    before, after = labels[arrays.edge_source], labels[arrays.edge_target]
    return np.where(before != after, weights.launch[after], 0.0)


def heaviest_path(arrays: Arrays, cost: Floats) -> tuple[float, list[int]]:
    """The path from the root whose edges cost most: what they add up to, and the edges. O(V + E)."""
    height, entered_by = _climb(arrays, cost)
    node = top = int(np.argmax(height))
    edges = []
    while (edge := entered_by[node]) >= 0:
        edges.append(edge)
        node = int(arrays.edge_source[edge])
    return height[top], edges


def heights(arrays: Arrays, cost: Floats) -> Floats:
    """For each node, the cost of the edges on the path to it that cost most. O(V + E)."""
    return np.array(_climb(arrays, cost)[0])


def _climb(arrays: Arrays, cost: Floats) -> tuple[list[float], list[int]]:
    """The height of each node, and the edge by which the path to it comes; -1 without one."""
    price: Sequence[float] = cost.tolist()
    incoming = arrays.incoming
    height = [0.0] * (arrays.units + 2)
    entered_by = [-1] * (arrays.units + 2)
    for node in arrays.order:
        most, by = -1.0, -1
        for source, edge in incoming[node]:
            there = height[source] + price[edge]
            if there > most:
                most, by = there, edge
        if by >= 0:
            height[node] = most
            entered_by[node] = by
    return height, entered_by


def path_launches(arrays: Arrays, weights: Weights, labels: Ints) -> float:
    """The launch of the root's device, and those on the path with most of them.

    With two devices that is what the best order of a run costs that starts on the root's device, with more it is at
    most what any costs.
    """
    first = float(weights.launch[labels[arrays.root]])
    return first + heaviest_path(arrays, switch_costs(arrays, weights, labels))[0]
