"""Operators that only add, compare and evaluate functions: pooling, normalization, reduction, sampling, selection.

Each formula returns the arithmetic operations, in those of `dovetail.cost.weights`.
"""

import math

from dovetail.cost.sizes import Sizes
from dovetail.cost.weights import ADD, DIV, EXP, LOG, MOMENTS, PER_OUTPUT, SOFTMAX, SQRT


def per_output(sizes: Sizes) -> float:
    """A fixed number for each element of the output; one where the operator is not known."""
    return sizes.outs() * PER_OUTPUT.get(sizes.op.op_type, 1)


def variadic(sizes: Sizes) -> float:
    """An operation for each output and each input after the first. Sum, Mean, Max, Min."""
    return sizes.outs() * max(1, len(sizes.op.inputs) - 1)


def pool(sizes: Sizes) -> float:
    """A comparison or addition for each output and element of its window; LpPool also a power."""
    return sizes.outs() * sizes.kernel() * (2 if sizes.op.op_type == "LpPool" else 1)


def global_pool(sizes: Sizes) -> float:
    """An operation for each input, and a division for each average."""
    return sizes.ins(0) + (DIV * sizes.outs() if "Average" in sizes.op.op_type else 0)


def roi(sizes: Sizes) -> float:
    """Four bilinear samples of 8 operations for each output. RoiAlign, MaxRoiPool."""
    return 32 * sizes.outs()


def softmax(sizes: Sizes) -> float:
    """An exponential and a division; for LogSoftmax also a logarithm, for Hardmax two comparisons."""
    weight = {"LogSoftmax": SOFTMAX + ADD + LOG, "Hardmax": 2}.get(sizes.op.op_type, SOFTMAX)
    return sizes.outs() * weight


def layer_norm(sizes: Sizes) -> float:
    """Seven operations an element (mean, deviation, square, scale, shift) and the moments of each row."""
    dims = sizes.in_dims(0)
    axis = sizes.number("axis", -1)
    rows = math.prod(dims[: axis + len(dims) if axis < 0 else axis])
    each = 4 if sizes.op.op_type in ("RMSNormalization", "SimplifiedLayerNormalization") else 7
    return each * sizes.ins(0) + MOMENTS * rows


def skip_layer_norm(sizes: Sizes) -> float:
    """An addition an element before a `layer_norm` over the last axis."""
    return 8 * sizes.ins(0) + MOMENTS * math.prod(sizes.in_dims(0)[:-1])


def instance_norm(sizes: Sizes) -> float:
    """As `layer_norm`, with the moments of each channel of each picture."""
    return 7 * sizes.ins(0) + MOMENTS * math.prod(sizes.in_dims(0)[:2])


def group_norm(sizes: Sizes) -> float:
    """As `layer_norm`, with the moments of each group of channels of each picture."""
    groups = sizes.number("num_groups", sizes.number("groups", 1))
    return 7 * sizes.ins(0) + MOMENTS * groups * math.prod(sizes.in_dims(0)[:1])


def mean_variance(sizes: Sizes) -> float:
    """Mean, deviation, square, division. MeanVarianceNormalization, LpNormalization."""
    return (4 + DIV) * sizes.ins(0)


def local_response(sizes: Sizes) -> float:
    """A sum of squares over `size` channels, a power and a division."""
    return sizes.outs() * (DIV + EXP + ADD + sizes.number("size", 1))


_REDUCTIONS = {
    "ReduceL1": (2, 0),
    "ReduceL2": (2, SQRT),
    "ReduceSumSquare": (2, 0),
    "ReduceLogSum": (1, LOG),
    "ReduceLogSumExp": (2 + EXP, LOG),
}


def reduction(sizes: Sizes) -> float:
    """Operations for each input and each output; one an input for the plain ones, ArgMax and CumSum too."""
    each, final = _REDUCTIONS.get(sizes.op.op_type, (1, 0))
    return each * sizes.ins(0) + final * sizes.outs()


def top_k(sizes: Sizes) -> float:
    """A heap of k elements: `in * (1 + log2 k)` comparisons."""
    dims, axis = sizes.out_dims(), sizes.number("axis", -1)
    kept = dims[axis] if -len(dims) <= axis < len(dims) else 1
    return sizes.ins(0) * (1 + math.log2(max(1, kept)))


def resize(sizes: Sizes) -> float:
    """Nothing for the nearest neighbour, 4 operations a linear output, 8 a cubic one."""
    return sizes.outs() * {"nearest": 0, "linear": 4, "cubic": 8}.get(sizes.text("mode", "nearest"), 4)


def grid_sample(sizes: Sizes) -> float:
    """One operation an output for the nearest neighbour, 8 for linear, 32 for cubic; 6 a position for the grid."""
    mode = sizes.text("mode", "linear").removeprefix("bi")
    return sizes.outs() * {"nearest": 1, "linear": 8, "cubic": 32}.get(mode, 8) + 6 * sizes.ins(1) / 2


def non_max_suppression(sizes: Sizes) -> float:
    """Per batch and class: a sort, then 8 operations for each kept box and each other one."""
    scores = sizes.in_dims(1)
    boxes = scores[-1] if scores else 1
    kept = min(boxes, max(0, sizes.constant("max_output_boxes_per_class", 1)))
    return math.prod(scores) * (math.log2(max(2, boxes)) + 8 * kept)


def fourier(sizes: Sizes) -> float:
    """`5 n log2 n` for each transform of n points, after Cooley and Tukey. DFT, STFT."""
    dims = sizes.out_dims()
    points = max(2, dims[-2] if len(dims) > 1 else 2)
    return 5 * sizes.outs() / 2 * math.log2(points)


def dynamic_quantize(sizes: Sizes) -> float:
    """Smallest and largest element, then a scale and a shift."""
    return 4 * sizes.ins(0)
