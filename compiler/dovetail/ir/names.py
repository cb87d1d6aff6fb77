"""Unique, stable names: every node and every value of a model, nested ones too, is known by one name."""

from collections.abc import Iterable, Iterator

import onnx_ir

from dovetail.ir.nested import has_bodies, nested_graphs, nested_nodes


def all_nodes(graph: onnx_ir.Graph) -> Iterable[onnx_ir.Node]:
    """Every node of a graph and of the graphs inside it."""
    for node in graph:
        yield node
        if has_bodies(node):
            yield from nested_nodes(node)


def give_unique_names(nodes: Iterable[onnx_ir.Node], taken: set[str]) -> None:
    """Name the nameless after their first output, and number what repeats; `taken` grows by every name.

    The first node that has a name of its own keeps it, whatever nameless node comes before it, so a model's names
    survive as long as they are unique.
    """
    others: list[onnx_ir.Node] = []
    for node in nodes:
        if node.name and node.name not in taken:
            taken.add(node.name)
        else:
            others.append(node)
    last: dict[str, int] = {}
    for node in others:
        node.name = unique_name(node.name or name_from_output(node), taken, last)


def give_unique_value_names(graph: onnx_ir.Graph) -> None:
    """Number the values in bodies whose name another value of the model has; those of the top graph keep theirs.

    ONNX lets sibling bodies, and in onnx_ir inner and outer ones, call two values the same. Whatever goes by names,
    such as shape inference and what reads its answer, would take one for the other.
    """
    taken = {str(value.name) for value in own_values(graph)}
    last: dict[str, int] = {}
    for node in graph:
        for body in nested_graphs(node):
            for value in list(own_values(body)):
                if value.name:
                    value.name = unique_name(value.name, taken, last)


def own_values(graph: onnx_ir.Graph) -> Iterator[onnx_ir.Value]:
    """What a graph itself defines: inputs, constants and results, not those of its bodies."""
    yield from graph.inputs
    yield from graph.initializers.values()
    for node in graph:
        yield from node.outputs


def unique_name(wanted: str, taken: set[str], last: dict[str, int] | None = None) -> str:
    """`wanted`, or `wanted#2`, `wanted#3`, ... where it is taken; the result is added to `taken`.

    Many calls for one name are linear with `last`: the number that each name got last.
    """
    name, number = wanted, 1 if last is None else last.get(wanted, 1)
    while name in taken:
        number += 1
        name = f"{wanted}#{number}"
    taken.add(name)
    if last is not None:
        last[wanted] = number
    return name


def name_from_output(node: onnx_ir.Node) -> str:
    """What a nameless node is called: its first output that has a name, or its operator."""
    for value in node.outputs:
        if value.name:
            return value.name
    return node.op_type
