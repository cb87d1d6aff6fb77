"""Which tensors flow between the operators of a compilation, for reports that draw the graph."""

from collections.abc import Iterator

import onnx_ir

from dovetail.compiler.driver import Compilation
from dovetail.ir import captured_values, is_constant, tensor_spec
from dovetail.lowering.joined import JoinedGraph, JoinedNode


def wire(compilation: Compilation) -> JoinedGraph:
    """The compiled graph as plain data, of the first batch size if there are several. O(V + E).

    Of a plan that is written, `dovetail.lowering.joined.describe_graph` makes the same from its files.
    """
    graph = compilation.graph
    home = {name: piece.id for piece in compilation.pieces for name in piece.nodes}
    values: dict[str, onnx_ir.Value] = {}
    nodes = []
    for name in graph:
        node = graph.node(name)
        inputs, outputs = tuple(_inputs(node)), tuple(node.outputs)
        values.update((str(value.name), value) for value in (*inputs, *outputs) if value is not None)
        nodes.append(JoinedNode(name, node.op_type, home[name], _names(inputs), _names(outputs)))
    values.update((str(value.name), value) for value in (*graph.inputs, *graph.outputs))
    return JoinedGraph(
        nodes=tuple(nodes),
        inputs=_names(graph.inputs),
        outputs=_names(graph.outputs),
        constants=frozenset(name for name, value in values.items() if is_constant(value)),
        tensors={name: tensor_spec(value) for name, value in values.items() if name and _is_typed(value)},
    )


def _inputs(node: onnx_ir.Node) -> Iterator[onnx_ir.Value | None]:
    yield from node.inputs
    yield from captured_values(node)


def _names(values: tuple[onnx_ir.Value | None, ...]) -> tuple[str, ...]:
    return tuple("" if value is None else str(value.name) for value in values)


def _is_typed(value: onnx_ir.Value) -> bool:
    return value.dtype is not None
