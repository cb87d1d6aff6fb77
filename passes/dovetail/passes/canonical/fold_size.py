"""How many bytes folding a node would take, known before it is computed."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import onnx_ir

MAX_FOLD_BYTES = 64 << 20
"""Bytes of the inputs, and of the results, of one folded node."""

Array = npt.NDArray[np.generic]


def estimated_bytes(node: onnx_ir.Node) -> int | None:
    """Upper estimate of the bytes a node's results take, from its constant inputs. None: do not fold.

    Only operators that are named here fold: those whose result is bounded by what they read, times a small factor;
    those that grow, each with a formula; and products of matrices, while they are small. All others may take time or
    bytes that their inputs do not show: windows, steps, strings, images, and what ONNX adds to come.
    """
    if any(_holds_strings(value) for value in [*node.inputs, *node.outputs]):
        return None
    tensors = [value.const_value if value is not None else None for value in node.inputs]
    read = sum(tensor.nbytes for tensor in tensors if tensor is not None)
    if read > MAX_FOLD_BYTES:
        return None
    if node.op_type in _PRODUCTS:
        work = math.prod(int(tensor.size) for tensor in tensors if tensor is not None)
        return None if read > _PRODUCT_LIMIT else work * _ITEM
    if node.op_type in _BOUNDED:
        return read * _FACTOR
    formula = _GROWS.get(node.op_type)
    if formula is None:
        return None
    arrays = [None if tensor is None else tensor.numpy() for tensor in tensors]
    try:
        elements = formula(node, arrays)
    except (ArithmeticError, ValueError, LookupError, TypeError, AttributeError):
        return None  # malformed inputs: let the runtime say what is wrong with them
    return max(0, elements) * _ITEM


_ITEM = 8
_FACTOR = 8
_PRODUCTS = frozenset({"MatMul", "MatMulInteger", "Gemm", "Einsum"})
_PRODUCT_LIMIT = 4096
"""Bytes: their work grows with the product of their inputs; an Einsum of ten vectors of ten elements has 10**10."""
_BOUNDED = frozenset(
    # element by element
    {"Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Cast", "CastLike", "Ceil", "Celu"}
    | {"Cos", "Cosh", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "IsInf", "IsNaN", "LeakyRelu"}
    | {"Log", "Mish", "Neg", "Not", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh"}
    | {"Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu"}
    # along axes
    | {"ArgMax", "ArgMin", "CumProd", "CumSum", "Hardmax", "LogSoftmax", "Softmax"}
    | {"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin"}
    | {"ReduceProd", "ReduceSum", "ReduceSumSquare"}
    # shapes and places
    | {"Compress", "Concat", "DepthToSpace", "EyeLike", "Flatten", "GatherElements", "Identity", "Reshape"}
    | {"ReverseSequence", "Scatter", "ScatterElements", "ScatterND", "Shape", "Size", "Slice", "SpaceToDepth"}
    | {"Squeeze", "Transpose", "Trilu", "Unsqueeze"}
)


def _holds_strings(value: onnx_ir.Value | None) -> bool:
    return value is not None and value.dtype == onnx_ir.DataType.STRING


def _product(array: Array | None) -> int:
    return math.prod(int(item) for item in np.asarray(array).ravel())


def _elements(array: Array | None) -> int:
    return 0 if array is None else int(array.size)


def _constant_of_shape(node: onnx_ir.Node, inputs: Sequence[Array | None]) -> int:
    return _product(inputs[0])


def _expand(node: onnx_ir.Node, inputs: Sequence[Array | None]) -> int:
    return max(1, _elements(inputs[0])) * _product(inputs[1])


def _tile(node: onnx_ir.Node, inputs: Sequence[Array | None]) -> int:
    return _elements(inputs[0]) * _product(inputs[1])


def _range(node: onnx_ir.Node, inputs: Sequence[Array | None]) -> int:
    start, limit, delta = (np.asarray(item).item() for item in inputs[:3])
    return 0 if not delta else max(0, math.ceil((limit - start) / delta))


def _one_hot(node: onnx_ir.Node, inputs: Sequence[Array | None]) -> int:
    return _elements(inputs[0]) * int(np.asarray(inputs[1]).item())


def _pad(node: onnx_ir.Node, inputs: Sequence[Array | None]) -> int:
    data = np.asarray(inputs[0])
    pads = [int(item) for item in np.asarray(inputs[1] if len(inputs) > 1 else node.attributes["pads"].as_ints())]
    axes = inputs[3] if len(inputs) > 3 else None
    which = range(data.ndim) if axes is None else [int(axis) % data.ndim for axis in np.asarray(axes).ravel()]
    dims = list(data.shape)
    for position, axis in enumerate(which):
        dims[axis] += max(0, pads[position]) + max(0, pads[position + len(pads) // 2])
    return math.prod(dims)


def _gather(node: onnx_ir.Node, inputs: Sequence[Array | None]) -> int:
    data = np.asarray(inputs[0])
    axis = node.attributes["axis"].as_int() if "axis" in node.attributes else 0
    return _elements(inputs[1]) * (int(data.size) // max(1, int(data.shape[axis])))


def _gather_nd(node: onnx_ir.Node, inputs: Sequence[Array | None]) -> int:
    data, indices = np.asarray(inputs[0]), np.asarray(inputs[1])
    batch = node.attributes["batch_dims"].as_int() if "batch_dims" in node.attributes else 0
    return math.prod(indices.shape[:-1]) * math.prod(data.shape[batch + int(indices.shape[-1]) :])


def _non_zero(node: onnx_ir.Node, inputs: Sequence[Array | None]) -> int:
    data = np.asarray(inputs[0])
    return int(data.size) * max(1, data.ndim)


def _quantize(node: onnx_ir.Node, inputs: Sequence[Array | None]) -> int:
    """The evaluator repeats scales by the block, and broadcasts what does not fit the axis."""
    data, scales = np.asarray(inputs[0]), max(map(_elements, inputs[1:]))
    if scales == 1:
        return int(data.size)
    if "block_size" in node.attributes:
        return max(int(data.size), scales * node.attributes["block_size"].as_int())
    along = int(data.shape[node.attributes["axis"].as_int() if "axis" in node.attributes else 1])
    return int(data.size) // max(1, along) * max(along, scales)


def _broadcast(node: onnx_ir.Node, inputs: Sequence[Array | None]) -> int:
    shapes = [item.shape for item in inputs if item is not None]
    elements: int = math.prod(np.broadcast_shapes(*shapes))
    return elements


_Formula = Callable[[onnx_ir.Node, Sequence[Array | None]], int]
_GROWS: dict[str, _Formula] = {
    "ConstantOfShape": _constant_of_shape,
    "Expand": _expand,
    "Tile": _tile,
    "Range": _range,
    "OneHot": _one_hot,
    "Pad": _pad,
    "Gather": _gather,
    "GatherND": _gather_nd,
    "NonZero": _non_zero,
    "QuantizeLinear": _quantize,
    "Clip": _broadcast,
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow", "Mod", "Min", "Max", "Mean", "Sum", "PRelu"), _broadcast),
    **dict.fromkeys(("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Where"), _broadcast),
    **dict.fromkeys(("And", "Or", "Xor", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor"), _broadcast),
}
