"""What a value is, in the words that the rest of Dovetail uses: NumPy dtype names and plain shapes."""

import math

import onnx
import onnx_ir

from dovetail.plan.schema import Dim, TensorSpec

_NAMES: dict[onnx_ir.DataType, str] = {
    t: str(t.numpy().name) for t in onnx_ir.DataType if t not in (onnx_ir.DataType.UNDEFINED, onnx_ir.DataType.STRING)
}
_TYPES = {name: t for t, name in _NAMES.items()} | {"string": onnx_ir.DataType.STRING}
_ELEMENT_BYTES = {name: dtype.itemsize for dtype, name in _NAMES.items()}
"""NumPy (or ml_dtypes) name -> bytes of one element; a fraction for ONNX's packed types."""


def dtype_name(value: onnx_ir.Value) -> str | None:
    """NumPy's name of a tensor's element type; `string`, `sequence`, `optional` for what NumPy has no name for.

    None where no type is known.
    """
    kind = value.type
    if kind is None:
        return None
    if type(kind) is not onnx_ir.TensorType:  # most are, and the questions below take long
        if isinstance(kind, onnx_ir.SequenceType):
            return "sequence"
        if isinstance(kind, onnx_ir.OptionalType):
            return "optional"
    return "string" if kind.dtype == onnx_ir.DataType.STRING else _NAMES.get(kind.dtype)


def shape_of(value: onnx_ir.Value) -> tuple[Dim, ...] | None:
    """The dimensions: an int, the name of a symbol, or None for an unnamed unknown one. None: unknown rank."""
    if value.shape is None:
        return None
    return tuple([dim if isinstance(dim, int) else dim.value for dim in value.shape.dims])


def tensor_spec(value: onnx_ir.Value) -> TensorSpec:
    """Name, element type and shape of a value. An unknown element type reads `unknown`."""
    return TensorSpec(str(value.name), dtype_name(value) or "unknown", shape_of(value))


def value_info(spec: TensorSpec) -> onnx.ValueInfoProto:
    """A declaration of a tensor; what is no tensor, or of unknown type, gets no element type."""
    kind = _TYPES.get(spec.dtype, onnx_ir.DataType.UNDEFINED)
    return onnx.helper.make_tensor_value_info(spec.name, kind.value, spec.shape)


def in_memory(tensor: onnx_ir.TensorProtocol) -> onnx_ir.TensorProtocol:
    """A tensor that holds its elements itself, not a place in a file; strings always do."""
    if tensor.dtype == onnx_ir.DataType.STRING:
        return tensor
    return onnx_ir.Tensor(tensor.numpy(), dtype=tensor.dtype)


def byte_size(spec: TensorSpec) -> int | None:
    """Bytes of a tensor, or None where a dimension or the size of an element is not known."""
    element = _ELEMENT_BYTES.get(spec.dtype)
    if spec.shape is None or element is None:
        return None
    dims = [dim for dim in spec.shape if isinstance(dim, int)]
    if len(dims) < len(spec.shape):
        return None
    return math.ceil(math.prod(dims) * element)
