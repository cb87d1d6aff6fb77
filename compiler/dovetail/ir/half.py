"""A model that computes in float32 what a device computes in float16: every float tensor rounded on its way."""

from collections.abc import Container

import onnx
from onnx import TensorProto, helper


def round_to_half(model: onnx.ModelProto, exact: Container[str]) -> onnx.ModelProto | None:
    """Insert a rounding to float16 behind every float32 tensor of a model: inputs, constants and results.

    A device that keeps tensors in float16 and accumulates in more behaves so, up to the order of its sums. Values
    beyond float16's range become infinite, as they do there.

    Args:
        model: a stand-alone model whose values are typed.
        exact: names of nodes whose results are not rounded: those between QuantizeLinear and DequantizeLinear.

    Returns:
        A new model, or None where there is nothing to round.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    floats = {
        i.name for i in [*graph.input, *graph.output, *graph.value_info] if _is_float(i.type.tensor_type.elem_type)
    }
    floats.update(tensor.name for tensor in graph.initializer if _is_float(tensor.data_type))
    rounded: list[onnx.NodeProto] = []
    renamed: dict[str, str] = {}
    kept_exact = {name for node in graph.node if node.name in exact for name in [*node.input, *node.output]}
    for source in [*(i.name for i in graph.input), *(t.name for t in graph.initializer)]:
        if source in floats and source not in kept_exact:
            renamed[source] = f"{source}/rounded"
            rounded.extend(_casts(source, renamed[source]))
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        _read_renamed(node, renamed)
        nodes.append(node)
        for index, name in enumerate(node.output):
            if name in floats and name not in kept_exact:
                node.output[index] = f"{name}/exact"
                nodes.extend(_casts(node.output[index], name))
    if len(nodes) + len(rounded) == len(graph.node):
        return None
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in [*rounded, *nodes]]
    del graph.node[:]
    graph.node.extend(copies)
    return result


def _is_float(element_type: int) -> bool:
    return element_type == TensorProto.FLOAT


def _casts(source: str, target: str) -> list[onnx.NodeProto]:
    half = f"{target}/half"
    return [
        helper.make_node("Cast", [source], [half], name=f"{half}/down", to=TensorProto.FLOAT16),
        helper.make_node("Cast", [half], [target], name=f"{half}/up", to=TensorProto.FLOAT),
    ]


def _read_renamed(node: onnx.NodeProto, renamed: dict[str, str]) -> None:
    """Let a node, and the bodies inside it, read the rounded tensors."""
    todo = [node]
    while todo:
        each = todo.pop()
        for index, name in enumerate(each.input):
            each.input[index] = renamed.get(name, name)
        for attribute in each.attribute:
            for body in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                todo.extend(body.node)
                for output in body.output:
                    output.name = renamed.get(output.name, output.name)
