"""Facts about an operator that rules ask for, and what is missing where a fact is not known."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from dovetail.targets.view import Array, Attribute, OperatorView, Scalar, TensorView

Value = Scalar | tuple[Scalar, ...] | None

LAYOUT: Final = {3: "NCW", 4: "NCHW", 5: "NCDHW"}
"""Names of the dimensions of an image-like tensor, by its rank."""

FLOATS: Final = frozenset({"float16", "float32", "float64", "bfloat16"})

_WINDOWED: Final = frozenset({"Conv", "ConvInteger", "ConvTranspose", "MaxPool", "AveragePool", "LpPool"})
"""Operators whose kernel, strides, dilations and pads have defaults that depend on shapes."""

_BITS: Final = {"bool": 8, "bfloat16": 16, "int4": 4, "uint4": 4, "int2": 2, "uint2": 2}
_ANONYMOUS: Final = "unk__"
"""How symbols begin that shape inference made up."""

_LONGEST_WHOLE: Final = 1e15
"""A larger whole number is shown by its first digits."""

_LARGEST_VALUE: Final = 4096
"""Elements of a constant that an expression may read one by one."""


class MissingFactError(Exception):
    """Whoever asks needs a fact that the model does not state, and catches this."""

    def __init__(self, what: str, fix: str = "") -> None:
        """Keep what is not known, and what the user can do about it."""
        super().__init__(what)
        self.what = what
        self.fix = fix


def show(value: object) -> str:
    """Return `value` as it stands in a message: floats short, whole ones in full, tuples in parentheses."""
    if isinstance(value, tuple | list):
        return "(" + ", ".join(show(item) for item in value) + ")"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _LONGEST_WHOLE else f"{value:.6g}"
    return str(value)


def shape_of(tensor: TensorView) -> tuple[int | str | None, ...]:
    """Return the shape of `tensor`; MissingFactError where not even the rank is known."""
    if tensor.shape is None:
        raise MissingFactError(
            f"the rank of {tensor.name!r}", "give the shapes of the model's inputs: --shape NAME=1,3,224,224"
        )
    return tensor.shape


def dim_of(tensor: TensorView, index: int) -> int:
    """Return one dimension of `tensor`; MissingFactError where it is symbolic or does not exist."""
    shape = shape_of(tensor)
    if not -len(shape) <= index < len(shape):
        raise MissingFactError(f"dimension {index} of {tensor.name!r}, which has rank {len(shape)}")
    size = shape[index]
    if isinstance(size, int):
        return size
    symbol = f" ({size})" if size else ""
    raise MissingFactError(f"dimension {index}{symbol} of {tensor.name!r}", pin(tensor))


def dims_of(tensor: TensorView) -> tuple[int, ...]:
    """Return every dimension of `tensor`; MissingFactError where one is symbolic."""
    return tuple(dim_of(tensor, index) for index in range(len(shape_of(tensor))))


def pin(tensor: TensorView) -> str:
    """Return how the user fixes the symbolic dimensions of `tensor`."""
    symbols = {size for size in tensor.shape or () if isinstance(size, str) and size.isidentifier()}
    named = sorted(symbol for symbol in symbols if not symbol.startswith(_ANONYMOUS))
    if named:
        return "pin it: " + " ".join(f"--dim {symbol}=1" for symbol in named)
    if tensor.is_graph_input and tensor.shape:
        sizes = ",".join(str(size) if isinstance(size, int) else "1" for size in tensor.shape)
        return f"pin it: --shape {tensor.name}={sizes}"
    return "give the shapes of the model's inputs (--shape NAME=1,3,224,224); nothing helps if it depends on the data"


def constant_of(tensor: TensorView) -> Array:
    """Return the value of a constant; MissingFactError where `tensor` is not one."""
    if tensor.constant is None:
        raise MissingFactError(f"the value of {tensor.name!r}, which is not a constant", "make it an initializer")
    return tensor.constant()


def value_of(tensor: TensorView) -> Value:
    """Return a small constant as a number, or as a flat tuple where it has a dimension."""
    array = constant_of(tensor)
    if array.size > _LARGEST_VALUE:
        raise MissingFactError(f"the value of {tensor.name!r}, which has {array.size} elements")
    items = tuple(array.reshape(-1).tolist())
    return items if array.ndim else items[0]


def bytes_of(dtype: str) -> float:
    """Return the bytes that one element of `dtype` takes."""
    if dtype in _BITS:
        return _BITS[dtype] / 8
    if dtype.startswith("float8"):
        return 1
    try:
        return np.dtype(dtype).itemsize
    except TypeError:
        raise MissingFactError(f"the size of an element of type {dtype}") from None


def named_tensor(op: OperatorView, name: str) -> TensorView | None:
    """Return the input, else the output, with this formal name; None where absent."""
    for names, tensors in ((op.input_names, op.inputs), (op.output_names, op.outputs)):
        for formal, tensor in zip(names, tensors, strict=False):
            if formal == name:
                return tensor
    return None


def attribute_of(op: OperatorView, name: str) -> Attribute:
    """Return an attribute, with the defaults of ONNX that depend on shapes worked out.

    `kernel_shape` comes from the weights, `strides` and `dilations` are ones, `pads` are zeros or follow `auto_pad`.
    """
    value = op.attributes.get(name)
    if value is not None:
        return value
    if op.op_type in _WINDOWED:
        return _window_default(op, name)
    if name == "perm" and op.op_type == "Transpose" and op.inputs[0] is not None:
        return tuple(reversed(range(len(shape_of(op.inputs[0])))))
    return None


def parameter_of(op: OperatorView, name: str) -> Value:
    """Return what newer operators take as a constant input and older ones as an attribute; None where absent."""
    value = attribute_of(op, name)
    if isinstance(value, np.ndarray):
        return tuple(value.reshape(-1).tolist())
    if value is not None:
        return value
    tensor = named_tensor(op, name)
    return None if tensor is None else value_of(tensor)


def axes_of(op: OperatorView) -> tuple[int, ...]:
    """Return the axes that a reduction (or Squeeze, Slice, ...) works on, counted from the front; all by default."""
    source = op.inputs[0]
    if source is None:
        raise MissingFactError(f"the input of {op.name!r}")
    rank = len(shape_of(source))
    given = parameter_of(op, "axes")
    if given is None or given == ():
        return tuple(range(rank))
    axes = given if isinstance(given, tuple) else (given,)
    return tuple(int(axis) % rank for axis in axes if isinstance(axis, int) and rank)


def axis_of(op: OperatorView) -> int:
    """Return the attribute `axis`, counted from the front."""
    source, axis = op.inputs[0], op.attributes.get("axis")
    if source is None or not isinstance(axis, int):
        raise MissingFactError(f"the axis of {op.name!r}")
    rank = len(shape_of(source))
    return axis % rank if rank else 0


def spatial(op: OperatorView, name: str) -> tuple[int, ...]:
    """Return an attribute that has one integer a spatial dimension (`strides`, `kernel_shape`, ...)."""
    value = attribute_of(op, name)
    return tuple(item for item in value if isinstance(item, int)) if isinstance(value, tuple) else ()


def _window_default(op: OperatorView, name: str) -> Attribute:
    source, weights = op.inputs[0], op.inputs[1] if len(op.inputs) > 1 else None
    if name == "pads":
        return _implied_pads(op)
    if name == "kernel_shape" and weights is not None:
        return dims_of(weights)[2:]
    if name in ("strides", "dilations") and source is not None:
        return (1,) * (len(shape_of(source)) - 2)
    return None


def _implied_pads(op: OperatorView) -> tuple[int, ...] | None:
    kernel = spatial(op, "kernel_shape")
    mode = op.attributes.get("auto_pad", "NOTSET")
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        return (0,) * (2 * len(kernel))
    source = op.inputs[0]
    if source is None:
        return None
    before, after = [], []
    windows = zip(dims_of(source)[2:], kernel, spatial(op, "strides"), spatial(op, "dilations"), strict=False)
    for size, width, stride, dilation in windows:
        total = max(0, (math.ceil(size / stride) - 1) * stride + (width - 1) * dilation + 1 - size)
        small, large = total // 2, total - total // 2
        before.append(small if mode == "SAME_UPPER" else large)
        after.append(large if mode == "SAME_UPPER" else small)
    return (*before, *after)


@dataclass(frozen=True, slots=True)
class Context:
    """What a rule may know beside the operator: the device it is judged for."""

    properties: dict[str, Scalar]
    """Of the variant: `soc_model`, `htp_arch`, ... Expressions read them by name."""
    dtype_rewrite: dict[str, str]
    """Element types that the device's compiler rewrites by itself, such as int64 to int32."""
