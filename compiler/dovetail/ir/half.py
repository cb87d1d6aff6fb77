"""A model that computes in float32 what a device computes in float16: every float tensor rounded on its way."""

from collections.abc import Container, Mapping, Sequence

import onnx
from onnx import TensorProto, helper

from dovetail.ir.names import unique_name

_DOWN = helper.make_attribute("to", TensorProto.FLOAT16)
_UP = helper.make_attribute("to", TensorProto.FLOAT)


def round_to_half(model: onnx.ModelProto, exact: Container[str]) -> onnx.ModelProto | None:
    """Insert a rounding to float16 behind every float32 tensor of a model: inputs, constants and results.

    A device that keeps tensors in float16 and accumulates in more behaves so, up to the order of its sums. Values
    beyond float16's range become infinite, as they do there. What bodies compute is rounded, too.

    Args:
        model: a stand-alone model whose values are typed and have names of their own, those in bodies too.
        exact: names of nodes whose results and constants are not rounded: those between QuantizeLinear and
            DequantizeLinear.

    Returns:
        A new model, or None where there is nothing to round.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graphs = _graphs(result.graph)
    floats, taken = _float_values(graphs), _names(graphs)
    sources, renamed = _round_sources(graphs, exact, floats, taken)
    inputs = {value.name: renamed[value.name] for value in result.graph.input if value.name in renamed}
    changed = bool(sources)
    for graph in reversed(graphs):  # inner before outer: the nodes of a graph are copied
        nodes: list[onnx.NodeProto] = []
        for node in graph.node:
            is_exact = node.name in exact
            _read_renamed(node, inputs if is_exact else renamed)
            nodes += [node] if is_exact else [node, *_round_results(node, floats, taken)]
        changed |= len(nodes) > len(graph.node)
        _replace_nodes(graph, nodes)
    _replace_nodes(result.graph, [*sources, *result.graph.node])
    return result if changed else None


def _graphs(graph: onnx.GraphProto) -> list[onnx.GraphProto]:
    """A graph and those inside it, outer before inner."""
    found = [graph]
    for outer in found:
        for node in outer.node:
            for attribute in node.attribute:
                found.extend([attribute.g] if attribute.HasField("g") else attribute.graphs)
    return found


def _float_values(graphs: Sequence[onnx.GraphProto]) -> set[str]:
    values = [value for graph in graphs for value in [*graph.input, *graph.output, *graph.value_info]]
    floats = {value.name for value in values if value.type.tensor_type.elem_type == TensorProto.FLOAT}
    tensors = [tensor for graph in graphs for tensor in graph.initializer]
    return floats.union(tensor.name for tensor in tensors if tensor.data_type == TensorProto.FLOAT)


def _names(graphs: Sequence[onnx.GraphProto]) -> set[str]:
    """Every name of a value."""
    names = {each.name for graph in graphs for each in [*graph.input, *graph.initializer]}
    return names.union(name for graph in graphs for node in graph.node for name in node.output)


def _round_sources(
    graphs: Sequence[onnx.GraphProto], exact: Container[str], floats: Container[str], taken: set[str]
) -> tuple[list[onnx.NodeProto], dict[str, str]]:
    """Nodes that round inputs, and the constants that other nodes than exact ones read; and what they are called."""
    top, *inner = graphs
    read = {name for graph in graphs for node in graph.node if node.name not in exact for name in node.input}
    read.update(output.name for graph in inner for output in graph.output)
    sources = [*(value.name for value in top.input), *(each.name for each in top.initializer if each.name in read)]
    renamed = {name: unique_name(f"{name}/rounded", taken) for name in sources if name in floats}
    return [cast for name, rounded in renamed.items() for cast in _casts(name, rounded, taken)], renamed


def _read_renamed(node: onnx.NodeProto, renamed: Mapping[str, str]) -> None:
    for index, name in enumerate(node.input):
        node.input[index] = renamed.get(name, name)
    for attribute in node.attribute:
        for body in [attribute.g] if attribute.HasField("g") else attribute.graphs:
            for output in body.output:
                output.name = renamed.get(output.name, output.name)


def _round_results(node: onnx.NodeProto, floats: Container[str], taken: set[str]) -> list[onnx.NodeProto]:
    casts: list[onnx.NodeProto] = []
    for index, name in enumerate(node.output):
        if name in floats:
            node.output[index] = unique_name(f"{name}/exact", taken)
            casts += _casts(node.output[index], name, taken)
    return casts


def _casts(source: str, target: str, taken: set[str]) -> list[onnx.NodeProto]:
    half = unique_name(f"{target}/half", taken)
    return [
        onnx.NodeProto(op_type="Cast", input=[source], output=[half], name=f"{half}/down", attribute=[_DOWN]),
        onnx.NodeProto(op_type="Cast", input=[half], output=[target], name=f"{half}/up", attribute=[_UP]),
    ]


def _replace_nodes(graph: onnx.GraphProto, nodes: Sequence[onnx.NodeProto]) -> None:
    copies = onnx.GraphProto(node=nodes)
    del graph.node[:]
    graph.node.extend(copies.node)
