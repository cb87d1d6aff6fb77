"""Sizes of an operator's tensors, where an unknown dimension counts as 1 and is remembered."""

import math
from collections.abc import Iterable

from dovetail.targets.facts import MissingFactError, bytes_of, parameter_of, spatial
from dovetail.targets.view import OperatorView, TensorView

_UNKNOWN_ELEMENT = 4.0
"""Bytes of an element whose type is not known or has no fixed size, such as a string."""


class Sizes:
    """Reads the sizes of one operator; `assumed` says whether any of them had to be taken for 1.

    Attributes:
        op: the operator.
        assumed: a dimension, a rank or an element type was not known.
    """

    def __init__(self, op: OperatorView) -> None:
        """Read from `op`."""
        self.op = op
        self.assumed = False

    def input(self, index: int) -> TensorView | None:
        """An input, or None where it is absent."""
        return self.op.inputs[index] if index < len(self.op.inputs) else None

    def has_input(self, index: int) -> bool:
        """Whether an optional input is there."""
        return self.input(index) is not None

    def dims(self, tensor: TensorView | None) -> tuple[int, ...]:
        """The shape in elements; () for a scalar, an absent tensor and one of unknown rank."""
        if tensor is None:
            return ()
        if tensor.shape is None:
            self.assumed = True
            return ()
        if not all(isinstance(dim, int) for dim in tensor.shape):
            self.assumed = True
        return tuple(dim if isinstance(dim, int) else 1 for dim in tensor.shape)

    def in_dims(self, index: int) -> tuple[int, ...]:
        """The shape of an input."""
        return self.dims(self.input(index))

    def out_dims(self, index: int = 0) -> tuple[int, ...]:
        """The shape of an output."""
        return self.dims(self.op.outputs[index] if index < len(self.op.outputs) else None)

    def ins(self, index: int = 0) -> int:
        """Elements of an input; 0 where it is absent."""
        return math.prod(self.in_dims(index)) if self.has_input(index) else 0

    def outs(self) -> int:
        """Elements of the first output; of a shape that is not known, those of the first input."""
        first = self.op.outputs[0] if self.op.outputs else None
        if first is not None and first.shape is None and self.has_input(0):
            self.assumed = True
            return self.ins(0)
        return math.prod(self.dims(first)) if first is not None else 0

    def bytes(self, tensors: Iterable[TensorView | None]) -> float:
        """Bytes of some tensors, each counted once."""
        each = {tensor.name: tensor for tensor in tensors if tensor is not None}
        return math.fsum(math.prod(self.dims(tensor)) * self._element(tensor) for tensor in each.values())

    def number(self, name: str, default: int) -> int:
        """A whole attribute."""
        value = self.op.attributes.get(name)
        return value if isinstance(value, int) else default

    def text(self, name: str, default: str) -> str:
        """A text attribute."""
        value = self.op.attributes.get(name)
        return value if isinstance(value, str) else default

    def kernel(self) -> int:
        """Elements of a window (`kernel_shape`, or what the weights imply); 1 where it is not known."""
        try:
            return math.prod(spatial(self.op, "kernel_shape"))
        except MissingFactError:
            self.assumed = True
            return 1

    def constant(self, name: str, default: int) -> int:
        """A whole number given as an attribute or a constant input; `default`, and assumed, where it is neither."""
        try:
            value = parameter_of(self.op, name)
        except MissingFactError:
            value = None
        if isinstance(value, tuple) and len(value) == 1:
            value = value[0]
        if isinstance(value, int):
            return value
        self.assumed = True
        return default

    def _element(self, tensor: TensorView) -> float:
        try:
            return bytes_of(tensor.dtype or "")
        except MissingFactError:
            self.assumed = True
            return _UNKNOWN_ELEMENT
