"""A small TFLite model as plain data."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dovetail.targets import Array


class NoFormError(Exception):
    """An operator that is not written as TFLite; the text says why."""


@dataclass(frozen=True, slots=True, eq=False)
class LiteTensor:
    """A tensor, in TFLite's layout. Two of equal fields are still two tensors."""

    shape: tuple[int, ...]
    dtype: str = "int8"
    data: Array | None = None
    """Of this element type, in C order; None: not a constant."""
    scale: tuple[float, ...] = ()
    """Empty: not quantized."""
    zero_point: tuple[int, ...] = ()
    """One for each scale."""
    axis: int = 0
    """The one along which several scales lie."""


@dataclass(frozen=True, slots=True)
class LiteOperator:
    """A builtin operator."""

    name: str
    """As in TFLite's schema: `CONV_2D`."""
    inputs: tuple[LiteTensor | None, ...]
    """None: an optional one that is absent."""
    outputs: tuple[LiteTensor, ...]
    options: str = ""
    """The table of its options: `Conv2DOptions`."""
    values: Mapping[str, int | float | list[int]] = field(default_factory=dict)


Form = tuple[LiteOperator, ...]
"""A model: its operators, in the order in which they run."""


def as_json(name: str, form: Form) -> dict[str, Any]:
    """A model as the child of `vela` reads it."""
    read = [tensor for operator in form for tensor in operator.inputs if tensor is not None]
    made = [tensor for operator in form for tensor in operator.outputs]
    tensors = list(dict.fromkeys((*read, *made)))
    index = {tensor: number for number, tensor in enumerate(tensors)}
    inputs = [tensor for tensor in dict.fromkeys(read) if tensor.data is None and tensor not in made]
    return {
        "name": name,
        "tensors": [_tensor(tensor) for tensor in tensors],
        "operators": [_operator(operator, index) for operator in form],
        "inputs": [index[tensor] for tensor in inputs],
        "outputs": [index[tensor] for tensor in dict.fromkeys(made) if tensor not in read],
    }


def _tensor(tensor: LiteTensor) -> dict[str, Any]:
    data = None
    if tensor.data is not None:
        data = base64.b64encode(np.ascontiguousarray(tensor.data, dtype=tensor.dtype).tobytes()).decode()
    return {
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "data": data,
        "scale": list(tensor.scale),
        "zero_point": list(tensor.zero_point),
        "axis": tensor.axis,
    }


def _operator(operator: LiteOperator, index: Mapping[LiteTensor, int]) -> dict[str, Any]:
    return {
        "name": operator.name,
        "inputs": [-1 if tensor is None else index[tensor] for tensor in operator.inputs],
        "outputs": [index[tensor] for tensor in operator.outputs],
        "options": operator.options,
        "values": dict(operator.values),
    }


def single(
    name: str,
    inputs: Sequence[LiteTensor | None],
    output: LiteTensor,
    options: str = "",
    **values: int | float | list[int],
) -> LiteOperator:
    """An operator with one output."""
    return LiteOperator(name, tuple(inputs), (output,), options, values)
