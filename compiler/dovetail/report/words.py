"""How the report writes names, counts and sizes."""

from collections.abc import Iterable, Mapping
from typing import Final

from dovetail.plan.schema import TensorSpec

UNKNOWN: Final = "?"
"""Stands for a size that depends on a symbolic dimension; never 0."""

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


def printable(text: str) -> str:
    """Return `text` with control characters escaped: names come from model files and go to a terminal."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )


def counted(number: int, noun: str) -> str:
    """Return `1 operator`, `2 operators`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


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


def size_text(size: int | None) -> str:
    """Return `812 B`, `1.2 kB`, `3.4 MB` (powers of 1000), `?` for None."""
    if size is None:
        return UNKNOWN
    if size < 1000:
        return f"{size} B"
    amount = size / 1000
    for unit in ("kB", "MB", "GB"):
        if amount < 999.95:
            return f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def shape_text(shape: tuple[int | str | None, ...] | None) -> str:
    """Return `1x3x224x224`, `batch x 10` as `batchx10`, `scalar`, or `?` for an unknown rank."""
    if shape is None:
        return UNKNOWN
    if not shape:
        return "scalar"
    return "x".join(UNKNOWN if dim is None else printable(str(dim)) for dim in shape)
