"""Which nodes quantize and dequantize: the standard's operators, and the same ones of ONNX Runtime's own domain."""

import onnx_ir

_DOMAINS = frozenset({"", "ai.onnx", "com.microsoft"})


def is_quantize(node: onnx_ir.Node) -> bool:
    """Whether the node turns floats into integers by a scale."""
    return node.op_type == "QuantizeLinear" and node.domain in _DOMAINS


def is_dequantize(node: onnx_ir.Node) -> bool:
    """Whether the node turns integers into floats by a scale."""
    return node.op_type == "DequantizeLinear" and node.domain in _DOMAINS
