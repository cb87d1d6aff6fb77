"""Stand-alone models cut out of a graph, and the specs of what crosses their border."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import onnx
import onnx_ir

from dovetail.ir.graph import Graph
from dovetail.ir.nested import read_values
from dovetail.ir.values import in_memory
from dovetail.plan.errors import ModelError

Serializer = Callable[[onnx_ir.Value], onnx.TensorProto]
"""How a constant is written: `inline` by default; lowering writes references into one weights file instead."""


@dataclass(frozen=True, slots=True)
class Border:
    """What a set of nodes reads from outside, what it makes that is read outside, and the constants it needs."""

    inputs: tuple[onnx_ir.Value, ...]
    outputs: tuple[onnx_ir.Value, ...]
    constants: tuple[onnx_ir.Value, ...]


def border(graph: Graph, names: Collection[str]) -> Border:
    """The border of a set of nodes, in order of first use. O(size of the set and of its neighbourhood)."""
    inside = set(names)
    made: set[onnx_ir.Value] = set()
    inputs: dict[onnx_ir.Value, None] = {}
    constants: dict[onnx_ir.Value, None] = {}
    ordered = [graph.node(name) for name in names]
    for node in ordered:
        made.update(node.outputs)
    for node in ordered:
        for value in read_values(node):
            if value in made:
                continue
            (constants if is_constant(value) else inputs)[value] = None
    outputs = [value for node in ordered for value in node.outputs if _leaves(graph, value, str(node.name), inside)]
    return Border(tuple(inputs), tuple(outputs), tuple(constants))


def is_constant(value: onnx_ir.Value) -> bool:
    """An initializer of the model; one that is also listed as an input was taken off that list on loading."""
    return bool(value.is_initializer()) and not value.is_graph_input()


def _leaves(graph: Graph, value: onnx_ir.Value, producer: str, inside: set[str]) -> bool:
    if value.is_graph_output() and value.graph is graph.model.graph:
        return True
    readers = graph.nx.succ[producer].items()
    return any(reader not in inside and value.name in values for reader, values in readers)


def extract(graph: Graph, names: Iterable[str] | None = None, serialize: Serializer | None = None) -> onnx.ModelProto:
    """The stand-alone model of a convex set of nodes.

    Args:
        graph: the whole.
        names: the nodes; a set that is not convex gives a model that can't be run in one piece. By default the
            whole graph, with its inputs and outputs in the model's order.
        serialize: how a constant becomes a TensorProto; by default with its bytes inside.

    Returns:
        A model whose inputs, outputs, nodes and values have the graph's names. Bodies stay inside their nodes.

    Raises:
        ModelError: a value that leaves the set has no known element type, so it can't be declared.
    """
    ordered = graph.in_order(graph.nx if names is None else names)
    edge = border(graph, ordered)
    # An output of the whole model that is also one of its inputs needs no node; it is not part of any piece.
    inputs, outputs = (graph.inputs, graph.outputs) if names is None else (edge.inputs, edge.outputs)
    proto = onnx.GraphProto(name=graph.name)
    proto.node.extend(onnx_ir.serde.serialize_node(graph.node(name)) for name in ordered)
    proto.input.extend(_declare(value) for value in inputs)
    proto.output.extend(_declare(value) for value in outputs)
    proto.initializer.extend((serialize or inline)(value) for value in edge.constants)
    declared = set(outputs)
    proto.value_info.extend(
        onnx_ir.serde.serialize_value(value)
        for name in ordered
        for value in graph.node(name).outputs
        if value not in declared and value.type is not None and value.name
    )
    return _model(graph, proto)


def inline(value: onnx_ir.Value) -> onnx.TensorProto:
    """A constant with its bytes inside the message."""
    assert value.const_value is not None
    tensor = onnx_ir.serde.serialize_tensor(in_memory(value.const_value))
    tensor.name = str(value.name)
    return tensor


def _declare(value: onnx_ir.Value) -> onnx.ValueInfoProto:
    if value.type is None:
        raise ModelError(
            f"value '{value.name}': its element type can't be inferred, so the model can't be cut there; "
            f"add it to the model's value_info"
        )
    return onnx_ir.serde.serialize_value(value)


def _model(graph: Graph, proto: onnx.GraphProto) -> onnx.ModelProto:
    model = onnx.ModelProto(ir_version=graph.model.ir_version, producer_name="dovetail", graph=proto)
    for domain, version in graph.model.opset_imports.items():
        model.opset_import.add(domain=domain, version=version)
    return model
