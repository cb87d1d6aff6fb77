"""Rules about rank and about knowing the shape at all."""

from typing import Literal

from pydantic import model_validator

from dovetail.targets.facts import Context, dims_of, shape_of, show
from dovetail.targets.rules.base import Broken, Strings
from dovetail.targets.rules.bounds import Bounds
from dovetail.targets.rules.tensor import TensorRule
from dovetail.targets.view import OperatorView, TensorView


class RankRule(TensorRule, Bounds):
    """The number of dimensions of each tensor is bounded."""

    kind: Literal["rank"]
    non_singleton: bool = False
    """Dimensions of size 1 are not counted."""

    @model_validator(mode="after")
    def _has_limit(self) -> "RankRule":
        if not self.bounded():
            raise ValueError("a rank rule needs min or max")
        return self

    def limit(self) -> str:
        """Return the bounds."""
        return f"rank {self.bounds_text()}"

    def phrase(self) -> str:
        """Return the rule as a sentence."""
        counted = " without dimensions of size 1" if self.non_singleton else ""
        return f"the rank of {self.subject()}{counted} must be {self.bounds_text()}"

    def test_tensor(self, tensor: TensorView, op: OperatorView, context: Context) -> Broken | None:
        """Test one tensor."""
        rank = len(shape_of(tensor))
        if self.non_singleton and not self.within(rank):
            rank = sum(size != 1 for size in dims_of(tensor))
        return None if self.within(rank) else Broken(f"rank {rank}")


class StaticShapeRule(TensorRule):
    """Every dimension of each tensor is a number."""

    kind: Literal["static_shape"]
    tensor: Strings = ("*",)
    except_dims: tuple[int, ...] = ()
    """Positions of dimensions that may stay symbolic."""

    def limit(self) -> str:
        """Return what is allowed."""
        return "static shapes"

    def phrase(self) -> str:
        """Return the rule as a sentence."""
        spared = f", dimension {show(self.except_dims)} apart" if self.except_dims else ""
        return f"the shape of {self.subject()} must be static{spared}"

    def test_tensor(self, tensor: TensorView, op: OperatorView, context: Context) -> Broken | None:
        """Test one tensor: a symbolic dimension is a fact that is missing, not a rule that is broken."""
        for index, size in enumerate(shape_of(tensor)):
            if not isinstance(size, int) and index not in self.except_dims:
                dims_of(tensor)
        return None


class NoZeroDimRule(TensorRule):
    """No tensor is empty."""

    kind: Literal["no_zero_dim"]
    tensor: Strings = ("*",)

    def limit(self) -> str:
        """Return what is allowed."""
        return "every dimension at least 1"

    def phrase(self) -> str:
        """Return the rule as a sentence."""
        return f"{self.subject()} must have no dimension of size 0"

    def test_tensor(self, tensor: TensorView, op: OperatorView, context: Context) -> Broken | None:
        """Test one tensor."""
        shape = tensor.shape or ()
        return Broken(f"shape {show(shape)}") if 0 in shape else None
