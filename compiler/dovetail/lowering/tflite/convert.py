"""From the operators of a unit to a small TFLite model."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from dovetail.lowering.tflite import movement, pointwise, products, quantizers, reductions, windows
from dovetail.lowering.tflite.form import Form, LiteOperator, NoFormError
from dovetail.targets import OperatorView
from dovetail.targets.facts import MissingFactError

Writer = Callable[[OperatorView], Form]

_WRITERS: Final[dict[str, Writer]] = {
    "Conv": windows.conv,
    "ConvTranspose": windows.conv_transpose,
    "MaxPool": windows.pool,
    "AveragePool": windows.pool,
    "GlobalAveragePool": windows.global_pool,
    "GlobalMaxPool": windows.global_pool,
    "Gemm": products.gemm,
    "MatMul": products.matmul,
    **dict.fromkeys(pointwise.UNARY, pointwise.unary),
    **dict.fromkeys(pointwise.BINARY, pointwise.binary),
    "Clip": pointwise.clip,
    "Where": pointwise.where,
    "Cast": pointwise.cast,
    **dict.fromkeys(reductions.REDUCTIONS, reductions.reduction),
    "ArgMax": reductions.arg_reduction,
    "ArgMin": reductions.arg_reduction,
    "Softmax": reductions.softmax,
    "LogSoftmax": reductions.softmax,
    "Concat": movement.concat,
    "Split": movement.split,
    "Reshape": movement.reshape,
    "Flatten": movement.reshape,
    "Squeeze": movement.squeeze,
    "Unsqueeze": movement.unsqueeze,
    "Transpose": movement.transpose,
    "Pad": movement.pad,
    "Slice": movement.slice_,
    "Gather": movement.gather,
    "DepthToSpace": movement.blocks,
    "SpaceToDepth": movement.blocks,
    "Resize": movement.resize,
    "Tile": movement.tile,
    "Expand": movement.expand,
    "QuantizeLinear": quantizers.quantize,
    "DequantizeLinear": quantizers.dequantize,
}
"""Operator type -> what writes it."""

_FUSED: Final = {"RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}
"""Activations that TFLite makes part of the operator before them."""
_FUSING: Final = frozenset(
    {
        "Conv2DOptions",
        "DepthwiseConv2DOptions",
        "TransposeConvOptions",
        "Pool2DOptions",
        "FullyConnectedOptions",
        "AddOptions",
        "SubOptions",
        "MulOptions",
        "DivOptions",
    }
)


def lite_form(views: Sequence[OperatorView]) -> Form:
    """The model for an operator and the activation behind it, if there is one.

    Args:
        views: the operators of a unit in the order in which they run, without Q/DQ nodes around them.

    Raises:
        NoFormError: it is not written as TFLite; the text says why.
    """
    form: Form = ()
    for view in views:
        form = _joined(form, _written(view))
    if all(tensor is None or tensor.data is not None for operator in form for tensor in operator.inputs):
        raise NoFormError("it computes with constants alone")
    return form


def _written(op: OperatorView) -> Form:
    writer = _WRITERS.get(op.op_type)
    if writer is None or op.domain not in ("", "ai.onnx"):
        raise NoFormError("no TFLite form of it is written")
    try:
        return writer(op)
    except MissingFactError as error:
        raise NoFormError(f"not known: {error.what}") from error


def _joined(form: Form, behind: Form) -> Form:
    """An operator with its activation, as one operator where TFLite has that, else as two."""
    if not form:
        return behind
    *before, last = form
    if len(behind) != 1 or len(last.outputs) != 1:
        raise NoFormError("several operators are one unit")
    (activation,) = behind
    if activation.name in _FUSED and last.options in _FUSING:
        return *before, replace(last, values={**last.values, "FusedActivationFunction": _FUSED[activation.name]})
    return *form, _fed(activation, last)


def _fed(activation: LiteOperator, last: LiteOperator) -> LiteOperator:
    """An activation that reads what the operator before it makes, in the layout of that."""
    (made,) = last.outputs
    others = activation.inputs[1:]
    if others and activation.inputs[0] is not None and activation.inputs[0].shape != made.shape:
        raise NoFormError(f"{activation.name} behind {last.name} is not written in this layout")
    return replace(activation, inputs=(made, *others), outputs=(replace(activation.outputs[0], shape=made.shape),))
