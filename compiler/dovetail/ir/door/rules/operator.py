"""A node as the rules see it: ranks, sizes, constants and attributes, each None where it is not known."""

from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import onnx_ir
from numpy.typing import NDArray

from dovetail.ir.names import name_from_output
from dovetail.plan.errors import ModelError
from dovetail.plan.naming import shown

Dims = tuple[int | None, ...]
"""Sizes of a tensor; None for a symbolic one."""

_READ_ELEMENTS = 2**24
"""Constants up to this many elements are looked into."""


@dataclass(frozen=True, slots=True)
class Operator:
    """A node of an ONNX operator."""

    node: onnx_ir.Node
    version: int
    """Opset version of ONNX's own domain."""

    def dims(self, index: int) -> Dims | None:
        """Sizes of an input, None where it is left out or its rank is not known."""
        value = self._input(index)
        if value is None or value.shape is None:
            return None
        return tuple([dim if isinstance(dim, int) else None for dim in value.shape.dims])

    def rank(self, index: int) -> int | None:
        """Rank of an input."""
        dims = self.dims(index)
        return None if dims is None else len(dims)

    def dtype(self, index: int) -> onnx_ir.DataType | None:
        """Element type of an input."""
        value = self._input(index)
        return None if value is None else value.dtype

    def constant(self, index: int) -> NDArray[Any] | None:
        """The values of a constant input, if it is not too large to look into."""
        value = self._input(index)
        tensor = None if value is None else onnx_ir.convenience.get_const_tensor(value)
        if tensor is None or tensor.size > _READ_ELEMENTS:
            return None
        return np.asarray(tensor.numpy())

    def integer(self, name: str, default: int) -> int:
        """An attribute of type INT."""
        attribute = self.node.attributes.data.get(name)
        return default if attribute is None else attribute.as_int()

    def integers(self, name: str) -> tuple[int, ...] | None:
        """An attribute of type INTS."""
        attribute = self.node.attributes.data.get(name)
        return None if attribute is None else tuple(attribute.as_ints())

    def text(self, name: str, default: str) -> str:
        """An attribute of type STRING."""
        attribute = self.node.attributes.data.get(name)
        return default if attribute is None else str(attribute.as_string())

    def refuse(self, rule: str, got: object, remedy: str = "export the model again") -> NoReturn:
        """Raise the error for a broken rule.

        Raises:
            ModelError: always.
        """
        name = shown(self.node.name or name_from_output(self.node))
        raise ModelError(f"node {name} ({self.node.op_type}): {rule}, got {got}; {remedy}")

    def _input(self, index: int) -> onnx_ir.Value | None:
        return self.node.inputs[index] if index < len(self.node.inputs) else None
