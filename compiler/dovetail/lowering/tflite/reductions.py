"""Reductions and Softmax as TFLite."""

from typing import Final

from dovetail.lowering.tflite.form import Form, LiteTensor, NoFormError, single
from dovetail.lowering.tflite.tensors import (
    IMAGE_RANK,
    broadcast,
    image,
    indices,
    input_of,
    like,
    lite_axis,
    output_of,
    plain,
)
from dovetail.targets import OperatorView
from dovetail.targets.facts import attribute_of, axes_of, axis_of, dims_of, parameter_of

REDUCTIONS: Final = {
    "ReduceMean": "MEAN",
    "ReduceMax": "REDUCE_MAX",
    "ReduceMin": "REDUCE_MIN",
    "ReduceSum": "SUM",
    "ReduceProd": "REDUCE_PROD",
}


def reduction(op: OperatorView) -> Form:
    """A reduction over some axes."""
    rank = len(dims_of(input_of(op, 0)))
    if attribute_of(op, "noop_with_empty_axes") and parameter_of(op, "axes") in (None, ()):
        raise NoFormError("TFLite has no reduction over no axes")
    source = broadcast(input_of(op, 0), rank)
    axes = sorted(lite_axis(axis, rank) for axis in axes_of(op))
    keep = bool(attribute_of(op, "keepdims"))
    shape = [1 if axis in axes else size for axis, size in enumerate(source.shape) if keep or axis not in axes]
    result = like(plain(output_of(op)), shape)
    return (single(REDUCTIONS[op.op_type], [source, indices(*axes)], result, "ReducerOptions", KeepDims=int(keep)),)


def arg_reduction(op: OperatorView) -> Form:
    """ARG_MAX or ARG_MIN, which keep no axis: a result that does is the same numbers in another shape."""
    if attribute_of(op, "select_last_index"):
        raise NoFormError("TFLite takes the first of equal elements")
    rank = len(dims_of(input_of(op, 0)))
    source = broadcast(input_of(op, 0), rank)
    axis = lite_axis(axis_of(op), rank)
    result = LiteTensor(tuple(size for place, size in enumerate(source.shape) if place != axis), "int32")
    name, options = ("ARG_MAX", "ArgMaxOptions") if op.op_type == "ArgMax" else ("ARG_MIN", "ArgMinOptions")
    int32 = 2
    return (single(name, [source, indices(axis)], result, options, OutputType=int32),)


def softmax(op: OperatorView) -> Form:
    """SOFTMAX over the last axis, which the channels of an image are too."""
    view, axis = input_of(op, 0), axis_of(op)
    rank = len(dims_of(view))
    options = {"Softmax": ("SOFTMAX", "SoftmaxOptions"), "LogSoftmax": ("LOG_SOFTMAX", "LogSoftmaxOptions")}
    name, table = options[op.op_type]
    values = {"Beta": 1.0} if op.op_type == "Softmax" else {}
    if axis == rank - 1:
        return (single(name, [plain(view)], plain(output_of(op)), table, **values),)
    if rank == IMAGE_RANK and axis == 1:
        return (single(name, [image(view)], image(output_of(op)), table, **values),)
    raise NoFormError(f"TFLite's {name} works on the last axis, got axis {axis} of rank {rank}")
