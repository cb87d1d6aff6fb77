"""What identifies an operator to a compiler: two operators of one signature get one answer."""

import hashlib
from typing import Final

import numpy as np

from dovetail.targets.facts import show
from dovetail.targets.view import Array, Attribute, OperatorView, TensorView

_SHOWN_ELEMENTS: Final = 16
"""Constants up to this many elements are part of the signature: axes, shapes and limits decide, weights hardly."""


def signature(op: OperatorView) -> str:
    """Return everything about an operator that a compiler may decide by, as one line of text."""
    operator = f"{op.domain or 'ai.onnx'}:{op.op_type}-{op.opset}"
    inputs = ", ".join(_tensor(tensor) for tensor in op.inputs)
    outputs = ", ".join(_tensor(tensor) for tensor in op.outputs)
    attributes = ", ".join(f"{name}={_attribute(op.attributes[name])}" for name in sorted(op.attributes))
    return f"{operator}({inputs}) -> ({outputs}){' in Q/DQ' if op.quantized else ''} {{{attributes}}}"


def _tensor(tensor: TensorView | None) -> str:
    if tensor is None:
        return "absent"
    shape = "?" if tensor.shape is None else ",".join("?" if size is None else str(size) for size in tensor.shape)
    text = f"{tensor.dtype}[{shape}]"
    if tensor.quant is not None:
        text += f" {tensor.quant.scheme}" + (f" axis {tensor.quant.axis}" if tensor.quant.axis is not None else "")
    return text + (f" = {_constant(tensor.constant())}" if tensor.constant is not None else "")


def _constant(value: Array) -> str:
    return show(tuple(value.reshape(-1).tolist())) if value.size <= _SHOWN_ELEMENTS else "constant"


def _attribute(value: Attribute) -> str:
    if isinstance(value, np.ndarray):
        return f"array {hashlib.sha256(value.tobytes()).hexdigest()[:12]}"
    return show(value)
