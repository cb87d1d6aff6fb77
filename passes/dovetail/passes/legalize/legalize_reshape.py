"""Reshape without the special meanings of zero."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir

from dovetail.ir import Graph, is_constant, unique_name
from dovetail.passes.base import GraphPass


@dataclass(frozen=True)
class LegalizeReshape(GraphPass):
    """Say a Reshape in the one way that every device reads: no `allowzero`, no zero in the shape.

    `allowzero=1` means nothing where the shape holds no zero, and torch's exporter sets it everywhere; without it a
    zero copies a dimension of the input, which is written out where it is known. It does not fire where

    1. the shape is not a constant,
    2. `allowzero` is set and the shape holds a zero: the result is empty,
    3. the dimension that a zero copies is not known.
    """

    name: ClassVar[str] = "legalize-reshape"

    def run(self, graph: Graph) -> bool:
        """See `GraphPass.run`."""
        return graph.rewrite(self.name, _legalize)


def _legalize(model: onnx_ir.Model) -> bool:
    found = [n for n in model.graph.all_nodes() if n.op_type == "Reshape" and n.domain in ("", "ai.onnx")]
    return sum(_legalize_one(node, model.graph) for node in found) > 0


def _legalize_one(node: onnx_ir.Node, top: onnx_ir.Graph) -> bool:
    data, shape = node.inputs[0], node.inputs[1]
    if data is None or shape is None or not is_constant(shape) or shape.const_value is None:
        return False
    wanted = [int(size) for size in shape.const_value.numpy()]
    allow_zero = "allowzero" in node.attributes and node.attributes["allowzero"].as_int() != 0
    if 0 not in wanted:
        return allow_zero and node.attributes.pop("allowzero", None) is not None
    written = None if allow_zero else _written_out(wanted, data)
    if written is None:
        return False
    tensor = onnx_ir.tensor(np.array(written, dtype=np.int64))
    value = onnx_ir.Value(
        name=unique_name(f"{shape.name}_written_out", set(top.initializers)),
        shape=onnx_ir.Shape([len(written)]),
        type=onnx_ir.TensorType(onnx_ir.DataType.INT64),
        const_value=tensor,
    )
    top.register_initializer(value)
    node.replace_input_with(1, value)
    return True


def _written_out(wanted: list[int], data: onnx_ir.Value) -> list[int] | None:
    """The shape with every zero replaced by the dimension it copies; None where one is not known."""
    known = [] if data.shape is None else list(data.shape)
    written = []
    for position, size in enumerate(wanted):
        copied = known[position] if size == 0 and position < len(known) else size
        if not isinstance(copied, int) or copied == 0:
            return None
        written.append(copied)
    return written
