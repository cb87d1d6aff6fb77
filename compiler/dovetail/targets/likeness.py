"""Operators that no rule can tell apart: their verdict is found once."""

import math
from collections.abc import Hashable

import numpy as np

from dovetail.targets.view import Array, Attribute, OperatorView, QuantView, TensorView

_COMPARED_ELEMENTS = 64
"""Constants up to this size are alike where their elements are; larger ones, which are weights, only if one is the
other."""


def likeness(op: OperatorView) -> Hashable:
    """Everything that a rule sees of an operator but names, its own and those of its tensors: messages quote them.

    It holds on to the operator's constants, so that none can take the place of another.
    """
    return (
        op.op_type,
        op.domain,
        op.opset,
        tuple([_tensor(tensor) for tensor in op.inputs]),
        tuple([_tensor(tensor) for tensor in op.outputs]),
        op.input_names,
        op.output_names,
        tuple([(name, _attribute(value)) for name, value in op.attributes.items()]),
        op.quantized,
        op.producers,
        op.consumers,
    )


def _tensor(tensor: TensorView | None) -> Hashable:
    if tensor is None:
        return None
    quant = None if tensor.quant is None else _quantization(tensor.quant)
    constant = None if tensor.constant is None else _constant(tensor)
    return tensor.dtype, tensor.shape, constant, quant, tensor.is_graph_input


def _constant(tensor: TensorView) -> Hashable:
    sizes = tensor.shape or ()
    known = [size for size in sizes if isinstance(size, int)]
    if tensor.constant is None or tensor.shape is None or len(known) < len(sizes):
        return tensor.constant
    return _array(tensor.constant()) if math.prod(known) <= _COMPARED_ELEMENTS else tensor.constant


def _quantization(quant: QuantView) -> Hashable:
    return quant.scheme, quant.axis, _array(quant.scale), _array(quant.zero_point), quant.dtype


def _array(array: Array | None) -> Hashable:
    if array is None:
        return None
    elements = tuple(array.reshape(-1).tolist()) if array.dtype.hasobject else array.tobytes()
    return array.dtype, array.shape, elements


def _attribute(value: Attribute) -> Hashable:
    return _array(value) if isinstance(value, np.ndarray) else repr(value)  # 1, 1.0 and True are equal, their text not
