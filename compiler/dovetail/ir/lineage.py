"""Which of the user's nodes became which node: original names survive every rewrite.

A rewrite replaces nodes in the onnx_ir model without telling what became what. It can be read off afterwards: a
removed node's heir is the new node that makes the value it made, or, where that value is gone too, the heirs of
the removed nodes that read it (Conv, BatchNormalization -> Conv: the new Conv makes the BatchNormalization's value,
so it descends from both). A removed node without an heir folded away.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import onnx_ir

from dovetail.ir.names import all_nodes

Origins = dict[str, tuple[str, ...]]

COPY_OF = "dovetail.copy_of"
"""Key in `Node.meta` under which a pass that copies a node says whose copy it is: the node's name."""


@dataclass(frozen=True, slots=True, eq=False)
class Was:
    """A node as it was before a rewrite."""

    node: onnx_ir.Node
    name: str
    op_type: str
    graph: onnx_ir.Graph | None
    """The top graph or the body that held it. Values in two bodies may have the same name."""
    outputs: tuple[str, ...]
    readers: tuple[onnx_ir.Node, ...]


def remember(graph: onnx_ir.Graph) -> list[Was]:
    """Every node of a graph and of the bodies in it, producers before readers. O(V + E)."""
    return [
        Was(
            node,
            str(node.name),
            node.op_type,
            node.graph if isinstance(node.graph, onnx_ir.Graph) else None,
            tuple(value.name for value in node.outputs if value.name),
            tuple(reader for value in node.outputs for reader in value.consumers()),
        )
        for node in all_nodes(graph)
    ]


def heirs(before: Iterable[Was], graph: onnx_ir.Graph) -> dict[onnx_ir.Node, list[Was]]:
    """For every new node of a graph, at any depth: the nodes that it descends from, producers before readers.

    O(V + E) of the graph before.
    """
    before = list(before)
    old = {was.node for was in before}
    now = list(all_nodes(graph))
    kept, new = old.intersection(now), [node for node in now if node not in old]
    maker = {(node.graph, value.name): node for node in new for value in node.outputs}
    found: dict[onnx_ir.Node, dict[onnx_ir.Node, None]] = {}
    removed = [was for was in before if was.node not in kept]
    for was in reversed(removed):
        mine = {maker[was.graph, name]: None for name in was.outputs if (was.graph, name) in maker}
        if not mine:
            for reader in was.readers:
                mine.update(found.get(reader, {}))
        found[was.node] = mine
    result: dict[onnx_ir.Node, list[Was]] = {}
    for was in removed:
        for node in found[was.node]:
            result.setdefault(node, []).append(was)
    by_name = {was.name: was for was in before}
    for node in new:
        if node not in result and node.meta.get(COPY_OF) in by_name:
            result[node] = [by_name[node.meta[COPY_OF]]]
    return result


def merge_origins(names: Iterable[str], origins: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The original names behind several nodes, each once, in order."""
    merged: dict[str, None] = {}
    for name in names:
        merged.update((origin, None) for origin in origins.get(name, (name,)))
    return tuple(merged)
