"""Tensors on their way between partitions, in the forms that backends have."""

from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import onnxruntime as ort

from dovetail.plan import RunError, shown
from dovetail.runtime.feeds import Array


@runtime_checkable
class DLPackTensor(Protocol):
    """A tensor of another library, for example of PyTorch."""

    def __dlpack__(self, **options: Any) -> object:
        """The tensor as a DLPack capsule."""
        ...

    def __dlpack_device__(self) -> tuple[Any, int]:
        """Type and number of the device that holds it."""
        ...


Value: TypeAlias = ort.OrtValue | Array | DLPackTensor
"""A tensor between partitions: of ONNX Runtime, of NumPy (text always is), or of what made it."""


def to_value(array: Array, name: str) -> ort.OrtValue | Array:
    """A tensor for ONNX Runtime on the memory of an array, which must live as long.

    Raises:
        RunError: If ONNX Runtime has no such type in NumPy's form.
    """
    if array.dtype == object:
        return array
    try:
        return ort.OrtValue.ortvalue_from_numpy(array)
    except RuntimeError as problem:
        raise RunError(
            f"tensor {shown(name)}: ONNX Runtime takes no {array.dtype.name} from NumPy; cast it in the model"
        ) from problem


def to_ort(value: Value, name: str) -> ort.OrtValue | Array:
    """A tensor in the form that ONNX Runtime takes, without a copy where it is in the memory of the host.

    Raises:
        RunError: If ONNX Runtime has no such type in NumPy's form.
    """
    if isinstance(value, ort.OrtValue):
        return value
    array = to_array(value, name)
    return to_value(array if array.flags.c_contiguous else np.ascontiguousarray(array), name)


def to_array(value: Value, name: str) -> Array:
    """An array on the memory of a tensor, which it keeps alive; a copy where that is not the host's.

    Raises:
        RunError: If NumPy has no such type.
    """
    if isinstance(value, np.ndarray):
        return value
    try:
        if isinstance(value, ort.OrtValue):
            return np.asarray(value.numpy())
        on_host: Any = value.cpu() if hasattr(value, "cpu") else value  # NumPy reads the host's memory only
        return np.from_dlpack(on_host)
    except (RuntimeError, BufferError) as problem:
        kind = value.data_type() if isinstance(value, ort.OrtValue) else dtype_of(value)
        raise RunError(f"output {shown(name)}: NumPy has no type for {kind}; cast it in the model") from problem


def dtype_of(value: Value) -> str:
    """The type in the words of a plan: `float32`, `int64`, ..., `string`."""
    if isinstance(value, np.ndarray):
        return "string" if value.dtype.kind in "OUS" else str(value.dtype.name)
    if isinstance(value, ort.OrtValue):
        return dtype_of(np.asarray(value.numpy()))
    return str(getattr(value, "dtype", "")).rpartition(".")[2]  # PyTorch writes torch.float32


def shape_of(value: Value) -> tuple[int, ...]:
    """The size of every dimension."""
    shape = value.shape() if isinstance(value, ort.OrtValue) else getattr(value, "shape", ())
    return tuple(int(size) for size in shape)
