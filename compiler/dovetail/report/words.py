"""How the report writes names, counts and sizes."""

from collections.abc import Iterable, Mapping
from typing import Final

from dovetail.plan.schema import TensorSpec
from dovetail.plan.words import UNKNOWN as UNKNOWN
from dovetail.plan.words import counted as counted
from dovetail.plan.words import digits as digits
from dovetail.plan.words import printable as printable
from dovetail.plan.words import size_text as size_text

_BITS: Final[Mapping[str, int]] = {
    "bool": 8,
    "int2": 2,
    "uint2": 2,
    "int4": 4,
    "uint4": 4,
    "float4_e2m1fn": 4,
    "int8": 8,
    "uint8": 8,
    "float8_e4m3fn": 8,
    "float8_e4m3fnuz": 8,
    "float8_e5m2": 8,
    "float8_e5m2fnuz": 8,
    "float8_e8m0fnu": 8,
    "int16": 16,
    "uint16": 16,
    "float16": 16,
    "bfloat16": 16,
    "int32": 32,
    "uint32": 32,
    "float32": 32,
    "int64": 64,
    "uint64": 64,
    "float64": 64,
    "complex64": 64,
    "complex128": 128,
}


def clipped(text: str, most: int) -> str:
    """Return text of at most so many characters: a model file may name a node as long as it likes."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def quoted(names: Iterable[str]) -> str:
    """Return `'a', 'b'`, or `none`."""
    return ", ".join(f"'{name}'" for name in names) or "none"


def tensor_bytes(tensor: TensorSpec) -> int | None:
    """Return the bytes of a dense tensor, None where its shape or the size of its elements is not known."""
    bits = _BITS.get(tensor.dtype)
    if bits is None or tensor.shape is None:
        return None
    for dim in tensor.shape:
        if not isinstance(dim, int):
            return None
        bits *= dim
    return (bits + 7) // 8


def shape_text(shape: tuple[int | str | None, ...] | None) -> str:
    """Return `1x3x224x224`, `batch x 10` as `batchx10`, `scalar`, or `?` for an unknown rank."""
    if shape is None:
        return UNKNOWN
    if not shape:
        return "scalar"
    return "x".join(UNKNOWN if dim is None else printable(str(dim)) for dim in shape)
