"""Which of the user's nodes became which node: original names survive every rewrite.

A rewrite replaces nodes in the onnx_ir model without telling what became what. It can be read off afterwards: a
removed node's heir is the new node that makes the value it made, or, where that value is gone too, the heirs of
the removed nodes that read it (Conv, BatchNormalization -> Conv: the new Conv makes the BatchNormalization's value,
so it descends from both). A removed node without an heir folded away.
"""

from collections.abc import Iterable, Mapping

import networkx as nx
import onnx_ir

Origins = dict[str, tuple[str, ...]]


def heirs(before: "nx.MultiDiGraph[str]", now: Iterable[onnx_ir.Node]) -> dict[onnx_ir.Node, list[str]]:
    """For every new node of `now`: names of the nodes of `before` that it descends from, in topological order.

    O(V + E) of the graph before.
    """
    now = list(now)
    old_nodes = {id(data["node"]) for _, data in before.nodes(data=True)}
    kept = {id(node) for node in now}
    maker = {value.name: node for node in now if id(node) not in old_nodes for value in node.outputs if value.name}
    found: dict[str, dict[onnx_ir.Node, None]] = {}
    order = [name for name in nx.topological_sort(before) if id(before.nodes[name]["node"]) not in kept]
    for name in reversed(order):
        mine: dict[onnx_ir.Node, None] = {}
        for value in before.nodes[name]["outputs"]:
            if value in maker:
                mine[maker[value]] = None
        if not mine:
            for reader in before.successors(name):
                mine.update(found.get(reader, {}))
        found[name] = mine
    result: dict[onnx_ir.Node, list[str]] = {}
    for name in order:
        for node in found[name]:
            result.setdefault(node, []).append(name)
    return result


def merge_origins(names: Iterable[str], origins: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The original names behind several nodes, each once, in order."""
    merged: dict[str, None] = {}
    for name in names:
        merged.update((origin, None) for origin in origins.get(name, (name,)))
    return tuple(merged)
