"""Nested graphs: the bodies of If, Loop and Scan, and the outer values that they read."""

from collections.abc import Iterable, Iterator

import onnx_ir

_BODIES = (onnx_ir.AttributeType.GRAPH, onnx_ir.AttributeType.GRAPHS)


def has_bodies(node: onnx_ir.Node) -> bool:
    """Whether a node holds graphs. Every pass asks it of every node, so it looks at the plain dict."""
    attributes = node.attributes.data
    return bool(attributes) and any(each.type in _BODIES and not each.is_ref() for each in attributes.values())


def bodies(node: onnx_ir.Node) -> Iterator[tuple[str, onnx_ir.Graph]]:
    """The graphs that a node holds directly, each with the name of its attribute."""
    for name, attribute in node.attributes.items():
        if attribute.is_ref():
            continue
        if attribute.type == onnx_ir.AttributeType.GRAPH:
            yield name, attribute.as_graph()
        elif attribute.type == onnx_ir.AttributeType.GRAPHS:
            for index, graph in enumerate(attribute.as_graphs()):
                yield f"{name}[{index}]", graph


def nested_graphs(node: onnx_ir.Node) -> list[onnx_ir.Graph]:
    """Every graph inside a node, at any depth, outer before inner."""
    found = [graph for _, graph in bodies(node)] if has_bodies(node) else []
    for graph in found:  # grows while it is walked: no recursion, whatever the depth
        for inner in graph:
            found.extend(graph for _, graph in bodies(inner))
    return found


def nested_nodes(node: onnx_ir.Node) -> Iterator[onnx_ir.Node]:
    """Every node of every graph inside a node."""
    for graph in nested_graphs(node):
        yield from graph


def captured_values(node: onnx_ir.Node) -> list[onnx_ir.Value]:
    """The values of outer graphs that the bodies of a node read, each once, in order of first use."""
    graphs = nested_graphs(node)
    inside: set[onnx_ir.Value] = set()
    used: dict[onnx_ir.Value, None] = {}
    for graph in graphs:
        inside.update(graph.inputs)
        inside.update(graph.initializers.values())
        for inner in graph:
            inside.update(inner.outputs)
            used.update((value, None) for value in inner.inputs if value is not None)
        used.update((value, None) for value in graph.outputs if value is not None)
    return [value for value in used if value not in inside]


def read_values(node: onnx_ir.Node) -> list[onnx_ir.Value]:
    """What a node needs before it can run: its inputs and what its bodies capture, each once."""
    values = {value: None for value in node.inputs if value is not None}
    if has_bodies(node):
        values.update((value, None) for value in captured_values(node))
    return list(values)


def release_bodies(nodes: Iterable[onnx_ir.Node]) -> bool:
    """Let go of the outer values that bodies of removed nodes still count as read. Returns whether there were any.

    onnx_ir counts the uses in a body even after the node that holds it has left the model; what a removed body
    alone reads would then never look dead.
    """
    released = False
    for node in nodes:
        if node.graph is not None:
            continue
        for inner in nested_nodes(node):
            for index, value in enumerate(inner.inputs):
                if value is not None:
                    inner.replace_input_with(index, None)
                    released = True
    return released
