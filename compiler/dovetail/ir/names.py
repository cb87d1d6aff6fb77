"""Unique, stable names: every node of a model, nested ones too, is known by one name."""

from collections.abc import Iterable

import onnx_ir

from dovetail.ir.nested import nested_nodes


def all_nodes(graph: onnx_ir.Graph) -> Iterable[onnx_ir.Node]:
    """Every node of a graph and of the graphs inside it."""
    for node in graph:
        yield node
        yield from nested_nodes(node)


def give_unique_names(nodes: Iterable[onnx_ir.Node], taken: set[str]) -> None:
    """Name the nameless after their first output, and number what repeats; `taken` grows by every name.

    A node that has a name of its own keeps it, so a model's names survive as long as they are unique.
    """
    for node in nodes:
        node.name = unique_name(node.name or _name_from_output(node), taken)


def unique_name(wanted: str, taken: set[str]) -> str:
    """`wanted`, or `wanted#2`, `wanted#3`, ... where it is taken; the result is added to `taken`."""
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}#{number}"
    taken.add(name)
    return name


def _name_from_output(node: onnx_ir.Node) -> str:
    for value in node.outputs:
        if value.name:
            return value.name
    return node.op_type
