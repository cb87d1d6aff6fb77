"""Rules about attributes."""

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from dovetail.targets.facts import Context, attribute_of, axis_of, parameter_of, shape_of, show
from dovetail.targets.rules.base import Broken, Rule, Strings
from dovetail.targets.rules.bounds import Bounds
from dovetail.targets.view import OperatorView, Scalar

Values = tuple[Scalar | tuple[Scalar, ...], ...]


def _read(op: OperatorView, name: str) -> Scalar | tuple[Scalar, ...] | None:
    value = attribute_of(op, name)
    return tuple(value.reshape(-1).tolist()) if isinstance(value, np.ndarray) else value


def _elements(value: Scalar | tuple[Scalar, ...]) -> tuple[Scalar, ...]:
    return value if isinstance(value, tuple) else (value,)


def _listed(values: Values) -> str:
    return " or ".join(show(value) for value in values)


class AttrInRule(Rule):
    """An attribute has one of some values; one that is absent and has no default holds."""

    kind: Literal["attr_in"]
    attr: str
    values: Values = Field(min_length=1)
    elementwise: bool = False
    """Each element of the attribute has one of the values, else the whole has."""

    def limit(self) -> str:
        """Return the values."""
        return _listed(self.values)

    def phrase(self) -> str:
        """Return the rule as a sentence."""
        return f"{'every element of ' if self.elementwise else ''}{self.attr} must be {self.limit()}"

    def test(self, op: OperatorView, context: Context) -> Broken | None:
        """Test `op`."""
        value = _read(op, self.attr)
        if value is None:
            return None
        tested = _elements(value) if self.elementwise else (value,)
        return None if all(item in self.values for item in tested) else Broken(show(value))


class AttrNotInRule(Rule):
    """An attribute has none of some values."""

    kind: Literal["attr_not_in"]
    attr: str
    values: Values = Field(min_length=1)

    def limit(self) -> str:
        """Return the values that are refused."""
        return f"not {_listed(self.values)}"

    def phrase(self) -> str:
        """Return the rule as a sentence."""
        return f"{self.attr} must not be {_listed(self.values)}"

    def test(self, op: OperatorView, context: Context) -> Broken | None:
        """Test `op`."""
        value = _read(op, self.attr)
        if value is None or (value not in self.values and not set(_elements(value)) & set(self.values)):
            return None
        return Broken(show(value))


class AttrAbsentRule(Rule):
    """Some attributes are not given."""

    kind: Literal["attr_absent"]
    attrs: Strings = Field(min_length=1)

    def limit(self) -> str:
        """Return what is allowed."""
        return "absent"

    def phrase(self) -> str:
        """Return the rule as a sentence."""
        return f"{' and '.join(self.attrs)} must not be given"

    def test(self, op: OperatorView, context: Context) -> Broken | None:
        """Test `op`."""
        given = [f"{name} = {show(value)}" for name in self.attrs if (value := _read(op, name)) is not None]
        return Broken(", ".join(given)) if given else None


class AttrRangeRule(Rule, Bounds):
    """A number, or every number of a list, is bounded."""

    kind: Literal["attr_range"]
    attr: str

    @model_validator(mode="after")
    def _has_limit(self) -> "AttrRangeRule":
        if not self.bounded():
            raise ValueError("an attr_range rule needs min or max")
        return self

    def limit(self) -> str:
        """Return the bounds."""
        return self.bounds_text()

    def phrase(self) -> str:
        """Return the rule as a sentence."""
        return f"{self.attr} must be {self.limit()}"

    def test(self, op: OperatorView, context: Context) -> Broken | None:
        """Test `op`."""
        value = _read(op, self.attr)
        if value is None:
            return None
        numbers = [item for item in _elements(value) if isinstance(item, int | float)]
        return None if all(self.within(number) for number in numbers) else Broken(show(value))


class AxisInRule(Rule):
    """The axis, or every one of the axes, that an operator works along is one of some."""

    kind: Literal["axis_in"]
    attr: str = "axis"
    """Name of the attribute, or of the constant input in newer opsets."""
    values: tuple[int, ...] = Field(min_length=1)
    """Positions; negative ones count from the end."""

    def limit(self) -> str:
        """Return the axes."""
        return _listed(self.values)

    def phrase(self) -> str:
        """Return the rule as a sentence."""
        return f"{self.attr} must be {self.limit()}"

    def test(self, op: OperatorView, context: Context) -> Broken | None:
        """Test `op`; positions are compared counted from the front."""
        source = op.inputs[0] if op.inputs else None
        given = parameter_of(op, self.attr) if self.attr != "axis" else (axis_of(op),)
        if source is None or given is None:
            return None
        rank = len(shape_of(source))
        allowed = {value + rank if value < 0 else value for value in self.values}
        axes = [item + rank if item < 0 else item for item in _elements(given) if isinstance(item, int)]
        return None if allowed.issuperset(axes) else Broken(f"{show(given)} of rank {rank}")
