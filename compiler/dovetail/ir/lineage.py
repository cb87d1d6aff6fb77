"""Which of the user's nodes became which node: original names survive every rewrite.

A rewrite replaces nodes in the onnx_ir model without telling what became what. It can be read off afterwards: a
removed node's heir is the new node that makes the value it made, or, where that value is gone too, the heirs of
the removed nodes that read it (Conv, BatchNormalization -> Conv: the new Conv makes the BatchNormalization's value,
so it descends from both). Where no new node takes over, a kept one of the same operator may have, whose value the
readers read now: its twin. A removed node without an heir folded away.
"""

from collections.abc import Container, Iterable, Mapping
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
    uses: tuple[tuple[onnx_ir.Node, int], ...]
    """Who read its outputs, and as which input."""


def remember(graph: onnx_ir.Graph) -> list[Was]:
    """Every node of a graph and of the bodies in it, producers before readers. O(V + E)."""
    return [
        Was(
            node,
            str(node.name),
            node.op_type,
            node.graph if isinstance(node.graph, onnx_ir.Graph) else None,
            tuple(value.name for value in node.outputs if value.name),
            tuple(use for value in node.outputs for use in value.uses()),
        )
        for node in all_nodes(graph)
    ]


def heirs(before: Iterable[Was], graph: onnx_ir.Graph) -> dict[onnx_ir.Node, list[Was]]:
    """For every node of a graph, at any depth, that stands for removed ones: those, producers before readers.

    O(V + E) of the graph before.
    """
    before = list(before)
    old = {was.node for was in before}
    now = list(all_nodes(graph))
    kept, new = old.intersection(now), [node for node in now if node not in old]
    maker = {(node.graph, value.name): node for node in now for value in node.outputs}
    found: dict[onnx_ir.Node, dict[onnx_ir.Node, None]] = {}
    twins: dict[onnx_ir.Node, dict[onnx_ir.Node, None]] = {}
    removed = [was for was in before if was.node not in kept]
    for was in reversed(removed):
        makers = [maker[was.graph, name] for name in was.outputs if (was.graph, name) in maker]
        mine = dict.fromkeys(node for node in makers if node not in kept)
        if not mine:
            for reader, _ in was.uses:
                mine.update(found.get(reader, {}))
        found[was.node] = mine
        if not mine:
            twins[was.node] = dict.fromkeys(node for node in makers if node.op_type == was.op_type)
            twins[was.node].update(_twins(was, kept, twins))
    result: dict[onnx_ir.Node, list[Was]] = {}
    for was in removed:
        for node in found[was.node] or twins[was.node]:
            result.setdefault(node, []).append(was)
    by_name = {was.name: was for was in before}
    for node in new:
        if node not in result and node.meta.get(COPY_OF) in by_name:
            result[node] = [by_name[node.meta[COPY_OF]]]
    return result


def _twins(
    was: Was, kept: Container[onnx_ir.Node], twins: Mapping[onnx_ir.Node, Iterable[onnx_ir.Node]]
) -> dict[onnx_ir.Node, None]:
    """Kept nodes of the same operator that make what the readers of a removed node, or their twins, read in its place.

    Args:
        was: the removed node.
        kept: nodes that were there before and still are.
        twins: those of the removed nodes behind it.
    """
    found: dict[onnx_ir.Node, None] = {}
    for reader, index in was.uses:
        for each in [reader] if reader in kept else twins.get(reader, ()):
            value = each.inputs[index] if index < len(each.inputs) else None
            producer = None if value is None else value.producer()
            if producer is not None and producer in kept and producer.op_type == was.op_type:
                found[producer] = None
    return found


def merge_origins(names: Iterable[str], origins: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The original names behind several nodes, each once, in order."""
    merged: dict[str, None] = {}
    for name in names:
        merged.update((origin, None) for origin in origins.get(name, (name,)))
    return tuple(merged)
