"""Rules about the size of dimensions."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator

from dovetail.targets.facts import LAYOUT, Context, MissingFactError, axes_of, axis_of, dim_of, shape_of, show
from dovetail.targets.rules.base import Broken
from dovetail.targets.rules.bounds import Bounds
from dovetail.targets.rules.tensor import TensorRule
from dovetail.targets.view import OperatorView, TensorView

DimName = Literal["N", "C", "D", "H", "W", "K", "axis", "reduced", "spatial", "non-batch", "any"]


class DimensionRule(TensorRule):
    """A rule about one or more dimensions of each tensor."""

    dim: DimName | int = "any"
    """A position, a name in NCHW, `K` (the last), `axis` (the attribute), `reduced`, `spatial`, `non-batch`, `any`."""

    @abstractmethod
    def accepts(self, size: int) -> bool:
        """Return whether one size keeps the rule."""

    def phrase(self) -> str:
        """Return the rule as a sentence."""
        words = {
            "any": "every dimension",
            "non-batch": "every dimension but the first",
            "axis": "the axis dimension",
        }
        words |= {"reduced": "every reduced dimension", "spatial": "every spatial dimension"}
        dim = words.get(str(self.dim), f"dimension {self.dim}")
        return f"{dim} of {self.subject()} must be {self.limit()}"

    def test_tensor(self, tensor: TensorView, op: OperatorView, context: Context) -> Broken | None:
        """Test one tensor; a dimension that it does not have is not limited."""
        missing: MissingFactError | None = None
        for index in self._indices(tensor, op):
            try:
                size = dim_of(tensor, index)
            except MissingFactError as error:
                missing = missing or error
                continue
            if not self.accepts(size):
                return Broken(f"{size} (shape {show(shape_of(tensor))})")
        if missing is not None:
            raise missing
        return None

    def _indices(self, tensor: TensorView, op: OperatorView) -> Sequence[int]:
        rank = len(shape_of(tensor))
        if isinstance(self.dim, int):
            return [self.dim] if -rank <= self.dim < rank else []
        if self.dim in ("axis", "reduced"):
            indices = [axis_of(op)] if self.dim == "axis" else axes_of(op)
            return [index for index in indices if index < rank]
        groups = {"any": range(rank), "non-batch": range(1, rank), "spatial": range(2, rank)}
        if self.dim in groups:
            return groups[self.dim]
        layout = LAYOUT.get(rank, "NC"[:rank])
        if self.dim == "K":
            return [rank - 1] if rank else []
        return [layout.index(self.dim)] if self.dim in layout else []


class DimRangeRule(DimensionRule, Bounds):
    """The size of a dimension is bounded."""

    kind: Literal["dim_range"]

    @model_validator(mode="after")
    def _has_limit(self) -> "DimRangeRule":
        if not self.bounded():
            raise ValueError("a dim_range rule needs min or max")
        return self

    def limit(self) -> str:
        """Return the bounds."""
        return self.bounds_text()

    def accepts(self, size: int) -> bool:
        """Return whether `size` is in the bounds."""
        return self.within(size)


class DimMultipleRule(DimensionRule):
    """The size of a dimension is a multiple of a number."""

    kind: Literal["dim_multiple"]
    of: int = Field(gt=0)

    def limit(self) -> str:
        """Return what is allowed."""
        return f"a multiple of {self.of}"

    def accepts(self, size: int) -> bool:
        """Return whether `size` is a multiple."""
        return size % self.of == 0


class DimInRule(DimensionRule):
    """The size of a dimension is one of a list."""

    kind: Literal["dim_in"]
    of: tuple[int, ...] = Field(min_length=1)

    def limit(self) -> str:
        """Return the list."""
        return f"one of {show(self.of)}"

    def accepts(self, size: int) -> bool:
        """Return whether `size` is in the list."""
        return size in self.of
