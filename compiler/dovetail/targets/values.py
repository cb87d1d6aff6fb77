"""Tensors and shapes as expressions see them: a fact is asked for only when it is read."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from dovetail.targets.facts import (
    LAYOUT,
    Context,
    MissingFactError,
    bytes_of,
    dim_of,
    dims_of,
    shape_of,
    show,
    value_of,
)
from dovetail.targets.view import TensorView


@dataclass(frozen=True, slots=True, eq=False)
class ShapeValue:
    """A shape. It equals another shape, or a list or tuple of sizes."""

    view: TensorView

    def __getitem__(self, index: int | slice) -> int | tuple[int, ...]:
        """Return one dimension, or a tuple of some."""
        if isinstance(index, slice):
            return tuple(dim_of(self.view, position) for position in range(*index.indices(len(self))))
        return dim_of(self.view, index)

    def __len__(self) -> int:
        """Return the rank."""
        return len(shape_of(self.view))

    def __iter__(self) -> Iterator[int]:
        """Iterate over all dimensions."""
        return iter(dims_of(self.view))

    def __eq__(self, other: object) -> bool:
        """Compare size by size."""
        return isinstance(other, ShapeValue | list | tuple) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        """Return the shape as messages show it."""
        return show(shape_of(self.view))


@dataclass(frozen=True, slots=True)
class TensorValue:
    """A tensor. Its fields are those of TENSOR_FIELDS."""

    view: TensorView
    context: Context

    def field(self, name: str) -> object:
        """Return a field by name; MissingFactError where the model does not state it."""
        return TENSOR_FIELDS[name](self)


def _named_dim(name: str, tensor: TensorValue) -> int:
    rank = len(shape_of(tensor.view))
    layout = LAYOUT.get(rank, "NC"[:rank])
    if name not in layout:
        raise MissingFactError(f"dimension {name} of {tensor.view.name!r}, which has rank {rank}")
    return dim_of(tensor.view, layout.index(name))


def _dtype(tensor: TensorValue) -> str:
    if tensor.view.dtype is None:
        raise MissingFactError(f"the element type of {tensor.view.name!r}")
    return tensor.view.dtype


def _bytes(tensor: TensorValue) -> float:
    """Return the bytes of an element as the device holds it, after the compiler's own rewriting."""
    dtype = _dtype(tensor)
    return bytes_of(tensor.context.dtype_rewrite.get(dtype, dtype))


TENSOR_FIELDS: Final[dict[str, Callable[[TensorValue], object]]] = {
    **{name: partial(_named_dim, name) for name in ("N", "C", "D", "H", "W")},
    "K": lambda tensor: dim_of(tensor.view, -1),
    "rank": lambda tensor: len(shape_of(tensor.view)),
    "shape": lambda tensor: ShapeValue(tensor.view),
    "spatial": lambda tensor: ShapeValue(tensor.view)[2:],
    "size": lambda tensor: math.prod(dims_of(tensor.view)),
    "dtype": _dtype,
    "bytes": _bytes,
    "value": lambda tensor: value_of(tensor.view),
}
"""Field name -> how it is read."""
