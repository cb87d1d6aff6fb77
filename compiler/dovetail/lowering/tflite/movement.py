"""Operators that move data as TFLite."""

from typing import Final

import numpy as np

from dovetail.lowering.tflite.form import Form, LiteOperator, LiteTensor, NoFormError, single
from dovetail.lowering.tflite.tensors import (
    IMAGE_RANK,
    NHWC,
    broadcast,
    given,
    image,
    indices,
    input_of,
    lite_axis,
    numbers_of,
    output_of,
    plain,
)
from dovetail.targets import OperatorView
from dovetail.targets.facts import attribute_of, axes_of, axis_of, constant_of, dims_of, parameter_of

_RESIZES: Final = {
    "nearest": ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions"),
    "linear": ("RESIZE_BILINEAR", "ResizeBilinearOptions"),
}


def concat(op: OperatorView) -> Form:
    """CONCATENATION."""
    rank = len(dims_of(output_of(op)))
    inputs = [broadcast(input_of(op, index), rank) for index in range(len(op.inputs))]
    axis = lite_axis(axis_of(op), rank)
    return (single("CONCATENATION", inputs, broadcast(output_of(op), rank), "ConcatenationOptions", Axis=axis),)


def split(op: OperatorView) -> Form:
    """SPLIT into equal parts, else SPLIT_V."""
    rank = len(dims_of(input_of(op, 0)))
    source, axis = broadcast(input_of(op, 0), rank), lite_axis(axis_of(op), rank)
    parts = tuple(broadcast(output_of(op, index), rank) for index in range(len(op.outputs)))
    sizes = [part.shape[axis] for part in parts]
    where, count = LiteTensor((), "int32", np.array(axis, np.int32)), {"NumSplits": len(parts)}
    if len(set(sizes)) == 1:
        return (LiteOperator("SPLIT", (where, source), parts, "SplitOptions", count),)
    return (LiteOperator("SPLIT_V", (source, indices(*sizes), where), parts, "SplitVOptions", count),)


def reshape(op: OperatorView) -> Form:
    """RESHAPE; Flatten and a change of several dimensions of 1 too."""
    source, result = plain(input_of(op, 0)), plain(output_of(op))
    if op.op_type == "Reshape" and input_of(op, 1).constant is None:
        raise NoFormError("the shape is not a constant")
    sizes = list(result.shape)
    return (single("RESHAPE", [source, indices(*sizes)], result, "ReshapeOptions", NewShape=sizes),)


def squeeze(op: OperatorView) -> Form:
    """SQUEEZE."""
    source, result = plain(input_of(op, 0)), plain(output_of(op))
    axes = axes_of(op)
    kept = [axis for axis in axes if source.shape[axis] == 1]
    return (single("SQUEEZE", [source], result, "SqueezeOptions", SqueezeDims=kept),)


def unsqueeze(op: OperatorView) -> Form:
    """EXPAND_DIMS; RESHAPE for several dimensions."""
    axes = parameter_of(op, "axes")
    if not isinstance(axes, tuple) or len(axes) != 1:
        return reshape(op)
    result = plain(output_of(op))
    axis = int(axes[0]) % len(result.shape)
    return (single("EXPAND_DIMS", [plain(input_of(op, 0)), indices(axis)], result, "ExpandDimsOptions"),)


def transpose(op: OperatorView) -> Form:
    """TRANSPOSE, in ONNX's order."""
    perm = attribute_of(op, "perm")
    assert isinstance(perm, tuple)
    order = indices(*(int(axis) for axis in perm))
    return (single("TRANSPOSE", [plain(input_of(op, 0)), order], plain(output_of(op)), "TransposeOptions"),)


def pad(op: OperatorView) -> Form:
    """PAD, PADV2 where the value is not zero, or MIRROR_PAD."""
    rank = len(dims_of(input_of(op, 0)))
    source, result = broadcast(input_of(op, 0), rank), broadcast(output_of(op), rank)
    amounts = _integers(op, "pads")
    axes = axes_of(op) if given(op, 3) is not None else tuple(range(rank))
    rows = np.zeros((rank, 2), np.int32)
    for number, axis in enumerate(axes):
        rows[lite_axis(axis, rank)] = amounts[number], amounts[number + len(axes)]
    if rows.min(initial=0) < 0:
        raise NoFormError("negative padding is not written")
    inputs = [source, LiteTensor(rows.shape, "int32", rows)]
    mode = attribute_of(op, "mode")
    if mode == "reflect":
        return (single("MIRROR_PAD", inputs, result, "MirrorPadOptions", Mode=0),)
    if mode != "constant":
        raise NoFormError(f"TFLite has no padding of mode {mode}")
    value = given(op, 2)
    if value is None or not any(numbers_of(value)):
        return (single("PAD", inputs, result, "PadOptions"),)
    return (single("PADV2", [*inputs, plain(value)], result, "PadV2Options"),)


def _integers(op: OperatorView, name: str) -> list[int]:
    value = parameter_of(op, name)
    if isinstance(value, int):
        return [value]
    if not isinstance(value, tuple):
        raise NoFormError(f"it has no {name}")
    return [int(item) for item in value]


def slice_(op: OperatorView) -> Form:
    """SLICE, or STRIDED_SLICE where a step is not 1."""
    rank = len(dims_of(input_of(op, 0)))
    source, result = broadcast(input_of(op, 0), rank), broadcast(output_of(op), rank)
    starts, ends, axes = _integers(op, "starts"), _integers(op, "ends"), axes_of(op)
    steps = _integers(op, "steps") if given(op, 4) is not None else [1] * len(starts)
    begins, stops, strides, open_ends = [0] * rank, list(source.shape), [1] * rank, 0
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=False):
        place = lite_axis(axis, rank)
        first, stop, stride = slice(start, end, step).indices(source.shape[place])
        begins[place], stops[place], strides[place] = first, stop, stride
        open_ends |= (stop < 0) << place  # down to the first element, which no end names
    if strides == [1] * rank:
        inputs = [source, indices(*begins), indices(*result.shape)]
        return (single("SLICE", inputs, result, "SliceOptions"),)
    inputs = [source, indices(*begins), indices(*stops), indices(*strides)]
    return (single("STRIDED_SLICE", inputs, result, "StridedSliceOptions", EndMask=open_ends),)


def gather(op: OperatorView) -> Form:
    """GATHER."""
    view, picked = input_of(op, 0), input_of(op, 1)
    chosen = LiteTensor(dims_of(picked), "int32", None if picked.constant is None else constant_of(picked))
    return (single("GATHER", [plain(view), chosen], plain(output_of(op)), "GatherOptions", Axis=axis_of(op)),)


def blocks(op: OperatorView) -> Form:
    """DEPTH_TO_SPACE or SPACE_TO_DEPTH."""
    if op.op_type == "DepthToSpace" and attribute_of(op, "mode") == "CRD":
        raise NoFormError("TFLite's DEPTH_TO_SPACE has the order DCR alone")
    name = "DEPTH_TO_SPACE" if op.op_type == "DepthToSpace" else "SPACE_TO_DEPTH"
    size = attribute_of(op, "blocksize")
    assert isinstance(size, int)
    source, result = image(input_of(op, 0)), image(output_of(op))
    return (single(name, [source], result, f"{op.op_type}Options", BlockSize=size),)


def resize(op: OperatorView) -> Form:
    """RESIZE_NEAREST_NEIGHBOR or RESIZE_BILINEAR."""
    mode, coordinates = attribute_of(op, "mode"), attribute_of(op, "coordinate_transformation_mode")
    source, result = image(input_of(op, 0)), image(output_of(op))
    if mode not in _RESIZES or attribute_of(op, "antialias"):
        raise NoFormError("TFLite resizes by the nearest element or linearly, without antialias")
    if (source.shape[0], source.shape[-1]) != (result.shape[0], result.shape[-1]):
        raise NoFormError("TFLite resizes height and width alone")
    if coordinates not in ("asymmetric", "half_pixel", "pytorch_half_pixel", "align_corners"):
        raise NoFormError(f"TFLite has no coordinates of mode {coordinates}")
    name, options = _RESIZES[str(mode)]
    values = {"AlignCorners": int(coordinates == "align_corners"), "HalfPixelCenters": int("half" in str(coordinates))}
    return (single(name, [source, indices(*result.shape[1:3])], result, options, **values),)


def tile(op: OperatorView) -> Form:
    """TILE."""
    rank = len(dims_of(input_of(op, 0)))
    repeats = _integers(op, "repeats")
    ordered = [repeats[axis] for axis in NHWC] if rank == IMAGE_RANK else repeats
    inputs = [broadcast(input_of(op, 0), rank), indices(*ordered)]
    return (single("TILE", inputs, broadcast(output_of(op), rank), "TileOptions"),)


def expand(op: OperatorView) -> Form:
    """BROADCAST_TO."""
    rank = len(dims_of(output_of(op)))
    result = broadcast(output_of(op), rank)
    return (single("BROADCAST_TO", [broadcast(input_of(op, 0), rank), indices(*result.shape)], result),)
