"""The functions of the expression language."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np

from dovetail.targets.facts import (
    FLOATS,
    MissingFactError,
    Value,
    axes_of,
    axis_of,
    constant_of,
    dims_of,
    parameter_of,
)
from dovetail.targets.values import ShapeValue, TensorValue
from dovetail.targets.view import OperatorView, TensorView

Number = int | float

_LONGEST_RANGE: Final = 1000


def _numbers(values: Sequence[object]) -> list[Number]:
    """Return the numbers in `values`, or in the one sequence that `values` holds."""
    items = values[0] if len(values) == 1 and isinstance(values[0], list | tuple | ShapeValue) else values
    numbers = [item for item in items if isinstance(item, int | float)]
    if len(numbers) != len(items):
        raise MissingFactError("a number, where the operator has none")
    return numbers


def _absolute(value: Number | Sequence[Number]) -> Number | tuple[Number, ...]:
    return tuple(abs(item) for item in value) if isinstance(value, list | tuple) else abs(value)  # type: ignore[arg-type]


def _range(*bounds: int) -> list[int]:
    numbers = range(*bounds)
    if len(numbers) > _LONGEST_RANGE:
        raise MissingFactError(f"the items of a range of {len(numbers)}")
    return list(numbers)


def _zip(*sequences: Iterable[object]) -> list[tuple[object, ...]]:
    return list(zip(*sequences, strict=False))


def _is_whole(value: Number) -> bool:
    return float(value).is_integer()


def _is_power_of_two(value: Number) -> bool:
    return _is_whole(value) and value >= 1 and int(value) & (int(value) - 1) == 0


def _is_const(tensor: TensorValue | None) -> bool:
    return tensor is not None and tensor.view.constant is not None


def _max_abs_sum(tensor: TensorValue, axis: int) -> float:
    """Return the largest sum of absolute weights over a slice along `axis`, zero points taken off."""
    weights = constant_of(tensor.view).astype(np.float64)
    quant = tensor.view.quant
    if quant is not None and quant.zero_point is not None and quant.zero_point.size == 1:
        weights = weights - float(quant.zero_point.reshape(-1)[0])
    rows = np.moveaxis(np.abs(weights), axis, 0).reshape(weights.shape[axis], -1)
    return float(rows.sum(axis=1).max(initial=0.0))


FUNCTIONS: Final[dict[str, Callable[..., object]]] = {
    "ceil": math.ceil,
    "floor": math.floor,
    "round": round,
    "abs": _absolute,
    "max": lambda *values: max(_numbers(values)),
    "min": lambda *values: min(_numbers(values)),
    "sum": lambda *values: sum(_numbers(values)),
    "prod": lambda *values: math.prod(_numbers(values)),
    "all": lambda values: all(values),
    "any": lambda values: any(values),
    "len": lambda values: len(values),
    "sorted": lambda values: sorted(values),
    "range": _range,
    "zip": _zip,
    "roundup": lambda value, multiple: math.ceil(value / multiple) * multiple,
    "is_whole": _is_whole,
    "is_power_of_two": _is_power_of_two,
    "is_const": _is_const,
    "max_abs_sum": _max_abs_sum,
}
"""Functions of their arguments alone."""


def _quantized(op: OperatorView, *tensors: TensorValue | None) -> bool:
    if not tensors:
        return op.quantized
    return all(tensor is not None and tensor.view.quant is not None for tensor in tensors)


def _param(op: OperatorView, name: str) -> Value:
    return parameter_of(op, name)


def _activations(op: OperatorView) -> list[TensorView]:
    inputs = [tensor for tensor in op.inputs if tensor is not None and tensor.constant is None]
    return inputs + [tensor for tensor in op.outputs if tensor is not None]


def _any_dtype(op: OperatorView, *dtypes: str) -> bool:
    return any(tensor.dtype in dtypes for tensor in _activations(op))


def has_float(op: OperatorView) -> bool:
    return _any_dtype(op, *FLOATS)


def _scales(op: OperatorView) -> tuple[float, ...]:
    """Return how much Resize or Upsample enlarges each dimension, from its scales or its shapes."""
    given = parameter_of(op, "scales")
    if isinstance(given, tuple) and given:
        return tuple(float(item) for item in given if isinstance(item, int | float))
    source, result = op.inputs[0], op.outputs[0]
    if source is None or result is None:
        raise MissingFactError(f"the scales of {op.name!r}")
    return tuple(large / small for small, large in zip(dims_of(source), dims_of(result), strict=True))


def _scales_are_powers_of_two(op: OperatorView) -> bool:
    """Return whether every scale of the quantized tensors is a power of two."""
    for tensor in (*op.inputs, *op.outputs):
        if tensor is None or tensor.quant is None:
            continue
        if tensor.quant.scale is None:
            raise MissingFactError(f"the scale of {tensor.name!r}", "make the scales initializers")
        mantissas, _ = np.frexp(tensor.quant.scale.astype(np.float64))
        if not np.all(mantissas == 0.5):
            return False
    return True


OPERATOR_FUNCTIONS: Final[dict[str, Callable[..., object]]] = {
    "quantized": _quantized,
    "param": _param,
    "any_dtype": _any_dtype,
    "has_float": has_float,
    "axes": axes_of,
    "axis_index": axis_of,
    "scales_of": _scales,
    "scales_are_powers_of_two": _scales_are_powers_of_two,
    "consumers": lambda op: list(op.consumers),
    "producers": lambda op: list(op.producers),
}
"""Functions whose first argument is the operator, which the expression does not write."""
