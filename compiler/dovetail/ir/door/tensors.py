"""Every tensor of a file: its dimensions, its type, and exactly the values that they ask for."""

from collections.abc import Sequence

import numpy as np
import onnx_ir
from onnx import TensorProto

from dovetail.ir.door.budgets import MAX_DIM, MAX_RANK, MAX_STRING_ELEMENTS, MAX_TENSOR_BYTES
from dovetail.ir.door.external import ExternalFiles, ExternalSlice
from dovetail.ir.door.names import check_properties, check_text
from dovetail.plan.errors import ModelError

BITS: dict[int, int] = {
    int(dtype): dtype.bitwidth
    for dtype in onnx_ir.DataType
    if dtype not in (onnx_ir.DataType.UNDEFINED, onnx_ir.DataType.STRING)
}
"""Bits of one element, by ONNX data type; text has none."""

_VALUE_FIELDS = frozenset(
    {"float_data", "int32_data", "int64_data", "uint64_data", "double_data", "string_data", "raw_data"}
)
_TYPED_FIELD: dict[int, str] = {
    TensorProto.FLOAT: "float_data",
    TensorProto.COMPLEX64: "float_data",
    TensorProto.DOUBLE: "double_data",
    TensorProto.COMPLEX128: "double_data",
    TensorProto.INT64: "int64_data",
    TensorProto.UINT32: "uint64_data",
    TensorProto.UINT64: "uint64_data",
    TensorProto.STRING: "string_data",
}
"""The field for a type's values; `int32_data` for all others."""

_TWO_NUMBERS = frozenset({TensorProto.COMPLEX64, TensorProto.COMPLEX128})
_RANGES: dict[int, tuple[int, int]] = {
    TensorProto.BOOL: (0, 1),
    TensorProto.INT8: (-(2**7), 2**7 - 1),
    TensorProto.UINT8: (0, 2**8 - 1),
    TensorProto.INT16: (-(2**15), 2**15 - 1),
    TensorProto.UINT16: (0, 2**16 - 1),
    TensorProto.FLOAT16: (0, 2**16 - 1),
    TensorProto.BFLOAT16: (0, 2**16 - 1),
    TensorProto.FLOAT6E2M3: (0, 2**6 - 1),
    TensorProto.FLOAT6E3M2: (0, 2**6 - 1),
}
_BYTE_RANGE = (-(2**7), 2**8 - 1)
"""Packed and 8-bit float types: some exporters write the byte with a sign, some without."""


def check_tensor(tensor: TensorProto, label: str, files: ExternalFiles) -> ExternalSlice | None:
    """Refuse a tensor whose values are not exactly what its dimensions and type ask for.

    Returns:
        Where the values lie if they are external.
    """
    check_text(tensor.doc_string, f"{label}: doc_string")
    check_properties(tensor.metadata_props, label)
    count = check_dims(tensor.dims, BITS.get(tensor.data_type, 8), label)
    if tensor.data_type != TensorProto.STRING and tensor.data_type not in BITS:
        raise ModelError(f"{label}: has the unknown data type {tensor.data_type}; export the model again")
    if tensor.HasField("segment"):
        raise ModelError(f"{label}: is stored in segments, which nothing reads; export the model again")
    fields = {field.name: value for field, value in tensor.ListFields() if field.name in _VALUE_FIELDS}
    if tensor.data_location == TensorProto.EXTERNAL:
        return _check_external(tensor, fields, count, label, files)
    if tensor.external_data:
        raise ModelError(f"{label}: has external data but says that it is inside; export the model again")
    _check_inline(tensor, fields, count, label)
    return None


def check_dims(dims: Sequence[int], bits: int, label: str) -> int:
    """Refuse dimensions that overflow 64-bit arithmetic or NumPy's rank.

    Returns:
        The number of elements.
    """
    if len(dims) > MAX_RANK:
        raise ModelError(f"{label}: has rank {len(dims)}, at most {MAX_RANK} is allowed; reshape it")
    count = product = 1
    for dim in dims:
        if not 0 <= dim <= MAX_DIM:
            raise ModelError(f"{label}: a dimension must be in [0, {MAX_DIM}], got {dim}; export the model again")
        count *= dim
        product *= dim or 1
    if product * bits > MAX_TENSOR_BYTES * 8:
        raise ModelError(f"{label}: {product} elements overflow 64-bit sizes; export the model again")
    return count


def byte_size(data_type: int, count: int) -> int:
    """Bytes of `count` elements, packed as in `raw_data`."""
    return (count * BITS[data_type] + 7) // 8


def _check_external(
    tensor: TensorProto, fields: dict[str, object], count: int, label: str, files: ExternalFiles
) -> ExternalSlice:
    if fields:
        raise ModelError(f"{label}: has external data and {', '.join(sorted(fields))}; keep one of them")
    if tensor.data_type == TensorProto.STRING:
        raise ModelError(f"{label}: text can't be external data; store it in the model")
    return files.check(tensor, byte_size(tensor.data_type, count), label)


def _check_inline(tensor: TensorProto, fields: dict[str, Sequence[object]], count: int, label: str) -> None:
    if len(fields) > 1:
        raise ModelError(f"{label}: has values in {' and '.join(sorted(fields))}; keep one of them")
    if tensor.data_type == TensorProto.STRING and count > MAX_STRING_ELEMENTS:
        raise ModelError(f"{label}: has {count} strings, at most {MAX_STRING_ELEMENTS} are allowed; split it")
    typed = _TYPED_FIELD.get(tensor.data_type, "int32_data")
    name, values = next(iter(fields.items()), (typed, ()))
    if name == "raw_data" and tensor.data_type != TensorProto.STRING:
        needed, unit = byte_size(tensor.data_type, count), "bytes"
    elif name == typed:
        needed, unit = _typed_count(tensor.data_type, count), "values"
    else:
        dtype = TensorProto.DataType.Name(tensor.data_type)
        raise ModelError(f"{label}: {dtype} values can't be in {name}; export the model again")
    if len(values) != needed:
        raise ModelError(
            f"{label}: {name} has {len(values)} {unit}, its dims {list(tensor.dims)} and type need {needed}; "
            "get the whole file or export the model again"
        )
    if name == "int32_data":
        _check_range(tensor, label)


def _typed_count(data_type: int, count: int) -> int:
    if data_type in _TWO_NUMBERS:
        return 2 * count
    # 4-bit and 2-bit elements are packed into one byte for each entry, 6-bit elements are not
    bits = BITS.get(data_type, 8)
    return (count * bits + 7) // 8 if bits in (2, 4) else count


def _check_range(tensor: TensorProto, label: str) -> None:
    """Values in `int32_data` must fit their narrower type: libraries wrap or raise."""
    if BITS[tensor.data_type] >= 32 or not tensor.int32_data:
        return
    values = np.fromiter(tensor.int32_data, dtype=np.int64, count=len(tensor.int32_data))
    low, high = _RANGES.get(tensor.data_type, _BYTE_RANGE)
    smallest, largest = int(values.min()), int(values.max())
    if smallest < low or largest > high:
        raise ModelError(
            f"{label}: values must be in [{low}, {high}], got [{smallest}, {largest}]; export the model again"
        )
