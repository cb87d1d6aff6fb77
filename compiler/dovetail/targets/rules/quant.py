"""Rules about quantization."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from dovetail.targets.facts import FLOATS, Context, MissingFactError
from dovetail.targets.functions import has_float
from dovetail.targets.rules.base import Broken, Strings
from dovetail.targets.rules.tensor import TensorRule, select
from dovetail.targets.view import Array, OperatorView, QuantView, TensorView

Scheme = Literal["per_tensor", "per_channel", "per_block"]


class QuantRule(TensorRule):
    """How tensors must, may or must not be quantized. Exactly one of the fields below states the rule."""

    kind: Literal["quant"]
    tensor: Strings = ("*",)
    required: bool = False
    """No tensor is a float: the operator sits in a Q/DQ group, or works on integers."""
    forbidden: bool = False
    """The operator does not sit in a Q/DQ group."""
    scheme: tuple[Scheme, ...] = ()
    """Where a tensor is quantized, it is so by one of these schemes."""
    axis: int | None = None
    """With `scheme`: the axis of a per-channel tensor."""
    per_channel_only_for: Strings = ()
    """Only these operators may have a tensor that is quantized per channel."""
    zero_point: int | None = None
    """Where a tensor is quantized, its zero point is this."""
    same_scale: Strings = Field(default=())
    """These tensors, where quantized, have one scale and zero point."""

    @model_validator(mode="after")
    def _one_statement(self) -> "QuantRule":
        stated = (self.required, self.forbidden, self.scheme, self.per_channel_only_for, self.same_scale)
        if sum(map(bool, stated)) + (self.zero_point is not None) != 1:
            raise ValueError(
                "a quant rule states exactly one of required, forbidden, scheme, per_channel_only_for, zero_point"
                " and same_scale"
            )
        return self

    def limit(self) -> str:
        """Return what is allowed."""
        if self.required or self.forbidden:
            return "quantized" if self.required else "not quantized"
        if self.scheme:
            return " or ".join(self.scheme) + (f" on axis {self.axis}" if self.axis is not None else "")
        if self.zero_point is not None:
            return f"zero point {self.zero_point}"
        return "one scale and zero point" if self.same_scale else f"only {' '.join(self.per_channel_only_for)}"

    def phrase(self) -> str:
        """Return the rule as a sentence."""
        if self.required:
            return "it must be quantized: there is no float arithmetic"
        if self.forbidden:
            return "it must not be quantized"
        if self.scheme:
            return f"{self.subject()}, where quantized, must be {self.limit()}"
        if self.zero_point is not None:
            return f"{self.subject()}, where quantized, must have zero point {self.zero_point}"
        if self.same_scale:
            return f"{' and '.join(self.same_scale)} must have the same scale and zero point"
        return f"only {' '.join(self.per_channel_only_for)} may be quantized per channel"

    def test(self, op: OperatorView, context: Context) -> Broken | None:
        """Test `op`."""
        if self.required:
            got = _floats(op)
            return (
                Broken(got, "quantize the model to int8 (--quantize int8, or Q/DQ in its file)")
                if has_float(op)
                else None
            )
        if self.forbidden:
            return Broken("quantized", "leave this operator in float") if op.quantized else None
        if self.same_scale:
            return _compare(select(op, self.same_scale))
        if self.per_channel_only_for and op.op_type in self.per_channel_only_for:
            return None
        return super().test(op, context)

    def test_tensor(self, tensor: TensorView, op: OperatorView, context: Context) -> Broken | None:
        """Test one tensor."""
        quant = tensor.quant
        if quant is None:
            return None
        if self.zero_point is not None:
            return self._test_zero_point(tensor, quant)
        if self.per_channel_only_for:
            return Broken(quant.scheme) if quant.scheme != "per_tensor" else None
        if quant.scheme not in self.scheme:
            return Broken(quant.scheme)
        wrong_axis = self.axis is not None and quant.scheme == "per_channel" and quant.axis != self.axis
        return Broken(f"per_channel on axis {quant.axis}") if wrong_axis else None

    def _test_zero_point(self, tensor: TensorView, quant: QuantView) -> Broken | None:
        if quant.zero_point is None:
            return None if self.zero_point == 0 else Broken("no zero point")
        if np.all(quant.zero_point == self.zero_point):
            return None
        return Broken(f"zero point {quant.zero_point.reshape(-1)[:4].tolist()}")


def _floats(op: OperatorView) -> str:
    tensors = [tensor for tensor in (*op.inputs, *op.outputs) if tensor is not None]
    found = sorted({str(tensor.dtype) for tensor in tensors if tensor.dtype in FLOATS})
    return " and ".join(found) + " tensors"


def _compare(tensors: Iterable[tuple[str, TensorView]]) -> Broken | None:
    quantized = [(label, tensor, tensor.quant) for label, tensor in tensors if tensor.quant is not None]
    for label, tensor, quant in quantized[1:]:
        first_label, first, expected = quantized[0]
        if quant.scale is None or expected.scale is None:
            unknown = tensor if quant.scale is None else first
            raise MissingFactError(f"the scale of {unknown.name!r}", "make the scales initializers")
        if not _equal(quant.scale, expected.scale) or not _equal(_zero(quant), _zero(expected)):
            return Broken(f"{first_label} and {label} differ", "quantize them with one scale")
    return None


def _zero(quant: QuantView) -> Array:
    return quant.zero_point if quant.zero_point is not None else np.zeros(1, dtype=np.int64)


def _equal(left: Array, right: Array) -> bool:
    return bool(np.array_equal(left.reshape(-1), right.reshape(-1)))
