"""Rules about inputs that must be constant, and about the values of constants."""

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from dovetail.targets.facts import Context, constant_of, show
from dovetail.targets.rules.base import Broken, Rule, Strings
from dovetail.targets.rules.bounds import Bounds
from dovetail.targets.rules.tensor import TensorRule, select
from dovetail.targets.view import OperatorView, Scalar, TensorView

_SHOWN = 6
"""Elements of a constant that a message lists."""


class ConstInputRule(Rule):
    """Some inputs, where they are given, are constants."""

    kind: Literal["const_input"]
    inputs: Strings = Field(min_length=1)
    """Formal names or positions (`input[1]`)."""

    def limit(self) -> str:
        """Return what is allowed."""
        return "a constant"

    def phrase(self) -> str:
        """Return the rule as a sentence."""
        return f"{' and '.join(self.inputs)} must be constant"

    def test(self, op: OperatorView, context: Context) -> Broken | None:
        """Test `op`."""
        variable = [(label, tensor) for label, tensor in select(op, self.inputs) if tensor.constant is None]
        if not variable:
            return None
        got = ", ".join(f"{label} ({tensor.name})" for label, tensor in variable)
        return Broken(f"{got} not constant", f"make {variable[0][1].name!r} an initializer")


class ConstValueRule(TensorRule, Bounds):
    """Every element of a constant keeps a limit; where the input is not constant that can't be decided."""

    kind: Literal["const_value"]
    allowed: tuple[float, ...] = Field(default=(), alias="in")
    """Every element is one of these."""
    equal: Scalar | None = None
    """Every element is this."""
    none_equal: Scalar | None = None
    """No element is this."""

    @model_validator(mode="after")
    def _has_limit(self) -> "ConstValueRule":
        if not self.bounded() and not self.allowed and self.equal is None and self.none_equal is None:
            raise ValueError("a const_value rule needs min, max, in, equal or none_equal")
        return self

    def limit(self) -> str:
        """Return what is allowed."""
        if self.equal is not None:
            return show(self.equal)
        if self.none_equal is not None:
            return f"not {show(self.none_equal)}"
        return f"one of {show(self.allowed)}" if self.allowed else self.bounds_text()

    def phrase(self) -> str:
        """Return the rule as a sentence."""
        return f"the value of {self.subject()} must be {self.limit()}"

    def test_tensor(self, tensor: TensorView, op: OperatorView, context: Context) -> Broken | None:
        """Test one constant."""
        values = constant_of(tensor).reshape(-1)
        refused = [item for item in np.unique(values).tolist() if not self._accepts(item)]
        if not refused:
            return None
        more = ", ..." if len(refused) > _SHOWN else ""
        return Broken(", ".join(show(item) for item in refused[:_SHOWN]) + more)

    def _accepts(self, item: Scalar) -> bool:
        if self.equal is not None:
            return item == self.equal
        if self.none_equal is not None:
            return item != self.none_equal
        if self.allowed:
            return item in self.allowed
        return not isinstance(item, str) and self.within(item)
