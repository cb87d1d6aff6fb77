"""A power of two is a product.

pow(x, 2) = x * x, and a multiplication is what every device does well. Powers they compute through logarithms: the
Hexagon NPU's answers -4 for the square of a number too small for float16 to square, and the square root behind it
(silero's spectrum) is lost.
"""

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir

from dovetail.ir import Graph, is_constant
from dovetail.passes.base import GraphPass


@dataclass(frozen=True)
class DecomposeSquare(GraphPass):
    """`Pow(x, 2)` -> `Mul(x, x)`.

    It does not fire where

    1. the exponent is not the constant 2, or its shape makes the result larger than x,
    2. x is not of floats: an integer's power may have another type than its product.
    """

    name: ClassVar[str] = "decompose-square"

    def run(self, graph: Graph) -> bool:
        """See `GraphPass.run`."""
        return graph.rewrite(self.name, _decompose)


def _decompose(model: onnx_ir.Model) -> bool:
    squares = [node for node in model.graph.all_nodes() if _is_square(node)]
    for node in squares:
        base, result, graph = node.inputs[0], node.outputs[0], node.graph
        assert graph is not None
        product = onnx_ir.Node("", "Mul", [base, base])
        made = product.outputs[0]
        made.name, made.type, made.shape = result.name, result.type, result.shape
        onnx_ir.convenience.replace_nodes_and_values(graph, node, [node], [product], [result], [made])
    return bool(squares)


def _is_square(node: onnx_ir.Node) -> bool:
    if node.op_type != "Pow" or node.domain not in ("", "ai.onnx"):
        return False
    base, exponent = node.inputs
    if base is None or exponent is None or not is_constant(exponent) or exponent.const_value is None:
        return False
    if base.dtype not in (onnx_ir.DataType.FLOAT, onnx_ir.DataType.FLOAT16, onnx_ir.DataType.DOUBLE):
        return False
    rank = 0 if base.shape is None else len(base.shape)
    if exponent.const_value.size != 1 or len(exponent.const_value.shape) > rank:
        return False
    return float(exponent.const_value.numpy().astype("float64").item()) == 2.0
