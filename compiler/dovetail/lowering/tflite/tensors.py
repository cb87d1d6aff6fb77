"""From what rules see of a tensor to a TFLite tensor: layout, element type, quantization."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from dovetail.lowering.tflite.form import LiteTensor, NoFormError
from dovetail.targets import OperatorView, QuantView, TensorView
from dovetail.targets.facts import constant_of, dims_of

NHWC: Final = (0, 2, 3, 1)
"""Axes of an image in ONNX's order, as TFLite orders them."""
IMAGE_RANK: Final = 4
_ROW_RANK: Final = 3

_DTYPES: Final = frozenset({"float16", "float32", "int8", "uint8", "int16", "int32", "int64", "bool"})


def input_of(op: OperatorView, index: int) -> TensorView:
    """An input that must be there."""
    tensor = given(op, index)
    if tensor is None:
        raise NoFormError(f"input {index} is absent")
    return tensor


def given(op: OperatorView, index: int) -> TensorView | None:
    """An input, where it is there."""
    return op.inputs[index] if index < len(op.inputs) else None


def output_of(op: OperatorView, index: int = 0) -> TensorView:
    """An output that must be there."""
    tensor = op.outputs[index] if index < len(op.outputs) else None
    if tensor is None:
        raise NoFormError(f"output {index} is absent")
    return tensor


def plain(view: TensorView) -> LiteTensor:
    """A tensor in the order that it has in ONNX."""
    return arranged(view, len(dims_of(view)), 0, None)


def image(view: TensorView, order: Sequence[int] = NHWC) -> LiteTensor:
    """An image, or a kernel, with its channels where TFLite wants them; a row is an image of height 1."""
    rank = len(dims_of(view))
    if rank not in (_ROW_RANK, IMAGE_RANK):
        raise NoFormError(f"only rows and images are written, got rank {rank}")
    return arranged(view, IMAGE_RANK, 2, order)


def broadcast(view: TensorView, rank: int) -> LiteTensor:
    """An operand of an operator whose result has this rank; of rank 4 it is an image."""
    return arranged(view, IMAGE_RANK, 0, NHWC) if rank == IMAGE_RANK else plain(view)


def lite_axis(axis: int, rank: int) -> int:
    """Where an axis of a `broadcast` tensor lies in TFLite."""
    return NHWC.index(axis % rank) if rank == IMAGE_RANK else axis % rank


def arranged(view: TensorView, rank: int, at: int, order: Sequence[int] | None) -> LiteTensor:
    """A tensor in another order.

    Args:
        view: the tensor.
        rank: what its rank becomes, by dimensions of 1.
        at: where these are put in.
        order: of the axes then, by default the same.
    """
    if view.dtype not in _DTYPES:
        raise NoFormError(f"no tensors of type {view.dtype} are written")
    shape = dims_of(view)
    added = max(0, rank - len(shape))
    shape = (*shape[:at], *(1,) * added, *shape[at:])
    axes = tuple(range(len(shape))) if order is None else tuple(order)
    data = None if view.constant is None else constant_of(view).reshape(shape).transpose(axes)
    tensor = LiteTensor(tuple(shape[axis] for axis in axes), view.dtype, data)
    if view.quant is None:
        return tensor
    old = view.quant.axis
    return _quantized(tensor, view.quant, 0 if old is None else axes.index(old + added if old >= at else old))


def _quantized(tensor: LiteTensor, quant: QuantView, axis: int) -> LiteTensor:
    if quant.scale is None:
        raise NoFormError("a scale is not a constant")
    if quant.scheme == "per_block":
        raise NoFormError("TFLite has no quantization by blocks")
    scales = tuple(float(scale) for scale in quant.scale.astype(np.float64).reshape(-1))
    zeros = (0,) * len(scales)
    if quant.zero_point is not None:
        zeros = tuple(int(zero) for zero in quant.zero_point.astype(np.int64).reshape(-1))
    return replace(tensor, scale=scales, zero_point=zeros, axis=axis if len(scales) > 1 else 0)


def indices(*values: int) -> LiteTensor:
    """A constant row of integers: axes, sizes, paddings."""
    return LiteTensor((len(values),), "int32", np.array(values, np.int32))


def numbers_of(view: TensorView) -> tuple[float, ...]:
    """The values of a constant, as numbers; quantized ones as what they stand for."""
    values = constant_of(view).astype(np.float64).reshape(-1)
    if view.quant is not None and view.quant.scale is not None:
        zero = 0 if view.quant.zero_point is None else view.quant.zero_point.astype(np.float64).reshape(-1)
        values = (values - zero) * view.quant.scale.astype(np.float64).reshape(-1)
    return tuple(float(value) for value in values)


def like(tensor: LiteTensor, shape: Sequence[int]) -> LiteTensor:
    """A tensor of another shape that is quantized in the same way, and no constant."""
    return replace(tensor, shape=tuple(shape), data=None)
