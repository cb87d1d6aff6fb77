"""From nodes of the graph to what a support rule sees."""

from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np
import onnx_ir

from dovetail.ir import (
    Graph,
    attributes,
    dtype_name,
    formal_names,
    is_constant,
    op_schema,
    opset_version,
    shape_of,
)
from dovetail.passes.quantize import is_dequantize, is_quantize
from dovetail.targets import OperatorView, QuantView, TensorView
from dovetail.targets.view import Array


def operator_view(graph: Graph, node: onnx_ir.Node, group: Iterable[onnx_ir.Node] = ()) -> OperatorView:
    """What rules see of a node.

    Args:
        graph: the graph it belongs to, directly or in a body.
        node: the operator.
        group: the nodes of its Q/DQ group, where it stands in one. Tensors at the group's border then show their
            quantized types.
    """
    members = set(group)
    version = opset_version(graph.model, node.domain)
    schema = op_schema(node.op_type, node.domain, version)
    readers = [reader for value in node.outputs for reader in value.consumers()]
    return OperatorView(
        name=str(node.name),
        op_type=node.op_type,
        domain="" if node.domain == "ai.onnx" else node.domain,
        opset=version,
        inputs=tuple(_input_view(value, members) for value in node.inputs),
        outputs=tuple(_output_view(value, members) if value.name else None for value in node.outputs),
        input_names=formal_names(schema.inputs, len(node.inputs)),
        output_names=formal_names(schema.outputs, len(node.outputs)),
        attributes=attributes(node, version),
        quantized=bool(members),
        producers=tuple(_producer_type(value) for value in node.inputs),
        consumers=tuple(reader.op_type for reader in readers),
    )


def _producer_type(value: onnx_ir.Value | None) -> str:
    producer = value.producer() if value is not None else None
    return "" if producer is None else producer.op_type


def _input_view(value: onnx_ir.Value | None, members: set[onnx_ir.Node]) -> TensorView | None:
    if value is None:
        return None
    producer = value.producer()
    if producer is None or producer not in members:
        return _view(value, value, None)
    if not is_dequantize(producer):  # between an operator and its activation: what the former hands on
        return _output_view(value, members)
    source = producer.inputs[0]
    assert source is not None
    return _view(value, source, _quantization(producer, source))


def _output_view(value: onnx_ir.Value, members: set[onnx_ir.Node]) -> TensorView:
    """The view of an output; in a group, of what QuantizeLinear behind it (or behind its activation) makes of it."""
    behind = [reader for reader in value.consumers() if reader in members]
    if len(behind) == 1 and not is_quantize(behind[0]):
        behind = [reader for reader in behind[0].outputs[0].consumers() if reader in members]
    if not behind or not is_quantize(behind[0]):
        return _view(value, value, None)
    return _view(value, behind[0].outputs[0], _quantization(behind[0], behind[0].outputs[0]))


def _view(value: onnx_ir.Value, held: onnx_ir.Value, quant: QuantView | None) -> TensorView:
    """A view under the name of `value` with the type of `held`, the tensor that is really stored."""
    return TensorView(
        name=str(value.name),
        dtype=dtype_name(held),
        shape=shape_of(value if held.shape is None else held),
        constant=_reader(held),
        quant=quant,
        is_graph_input=bool(held.is_graph_input()),
    )


def _reader(value: onnx_ir.Value) -> Callable[[], Array] | None:
    if not is_constant(value) or value.const_value is None:
        return None
    return value.const_value.numpy


def _quantization(node: onnx_ir.Node, stored: onnx_ir.Value) -> QuantView:
    block = node.attributes.get("block_size")
    single = _is_single(node.inputs[1])
    scheme: Literal["per_tensor", "per_channel", "per_block"] = "per_tensor" if single else "per_channel"
    if block is not None and block.as_int():
        scheme = "per_block"
    return QuantView(
        scheme=scheme,
        axis=None if scheme == "per_tensor" else _axis(node),
        scale=_constant(node, 1),
        zero_point=_constant(node, 2),
        dtype=dtype_name(stored) or "unknown",
    )


def _is_single(scale: onnx_ir.Value | None) -> bool:
    """Whether one scale serves the whole tensor; one of unknown shape is taken for many, which devices take less."""
    shape = None if scale is None else shape_of(scale)
    return shape is not None and all(dim == 1 for dim in shape)


def _axis(node: onnx_ir.Node) -> int:
    attribute = node.attributes.get("axis")
    axis = 1 if attribute is None else attribute.as_int()
    shapes = (shape_of(value) for value in (node.inputs[0], node.outputs[0]) if value is not None)
    rank = next((len(shape) for shape in shapes if shape is not None), 0)
    return axis + rank if axis < 0 else axis


def _constant(node: onnx_ir.Node, index: int) -> Array | None:
    value = node.inputs[index] if index < len(node.inputs) else None
    if value is None or not is_constant(value) or value.const_value is None:
        return None
    return np.asarray(value.const_value.numpy())
