"""Rules about how many inputs and outputs there are, and how inputs broadcast."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from dovetail.targets.facts import Context, MissingFactError, dims_of, show
from dovetail.targets.rules.base import Broken, Rule, as_tuple
from dovetail.targets.rules.bounds import Bounds
from dovetail.targets.view import OperatorView, TensorView

Pattern = Annotated[str, StringConstraints(pattern=r"^(same|scalar|any|[A-Z1]+)$")]
Patterns = Annotated[
    tuple[Pattern, ...], BeforeValidator(as_tuple, json_schema_input_type=Pattern | tuple[Pattern, ...])
]


class InputCountRule(Rule, Bounds):
    """The number of inputs, or of inputs that are not constant, is bounded."""

    kind: Literal["input_count"]
    variable_max: int | None = None
    """At most so many inputs that are not constant."""

    @model_validator(mode="after")
    def _has_limit(self) -> "InputCountRule":
        if not self.bounded() and self.variable_max is None:
            raise ValueError("an input_count rule needs min, max or variable_max")
        return self

    def limit(self) -> str:
        """Return the bounds."""
        parts = [f"{self.bounds_text()} inputs"] if self.bounded() else []
        if self.variable_max is not None:
            parts.append(f"at most {self.variable_max} not constant")
        return ", ".join(parts)

    def phrase(self) -> str:
        """Return the rule as a sentence."""
        return f"there must be {self.limit()}"

    def test(self, op: OperatorView, context: Context) -> Broken | None:
        """Test `op`."""
        given = [tensor for tensor in op.inputs if tensor is not None]
        variable = sum(tensor.constant is None for tensor in given)
        too_many = self.variable_max is not None and variable > self.variable_max
        if self.within(len(given)) and not too_many:
            return None
        return Broken(f"{len(given)} inputs, {variable} of them not constant")


class OutputCountRule(Rule, Bounds):
    """The number of outputs that are used is bounded."""

    kind: Literal["output_count"]

    @model_validator(mode="after")
    def _has_limit(self) -> "OutputCountRule":
        if not self.bounded():
            raise ValueError("an output_count rule needs min or max")
        return self

    def limit(self) -> str:
        """Return the bounds."""
        return f"{self.bounds_text()} outputs"

    def phrase(self) -> str:
        """Return the rule as a sentence."""
        return f"there must be {self.limit()}"

    def test(self, op: OperatorView, context: Context) -> Broken | None:
        """Test `op`."""
        used = sum(tensor is not None for tensor in op.outputs)
        return None if self.within(used) else Broken(f"{used} outputs")


class BroadcastRule(Rule):
    """Every input has one of some shapes relative to the output.

    `same`, `scalar`, `any`, or one character a dimension: a letter is the output's size, `1` is size 1. `NC11` is a
    number a channel and image, `1C11` one a channel. Missing leading dimensions count as 1.
    """

    kind: Literal["broadcast"]
    allowed: Patterns = Field(min_length=1)
    constants: Patterns = ()
    """Further shapes that a constant input may have."""

    def limit(self) -> str:
        """Return the shapes."""
        extra = f", constants also {' or '.join(self.constants)}" if self.constants else ""
        return " or ".join(self.allowed) + extra

    def phrase(self) -> str:
        """Return the rule as a sentence."""
        return f"each input's shape, compared with the output's, must be {self.limit()}"

    def test(self, op: OperatorView, context: Context) -> Broken | None:
        """Test `op`."""
        output = op.outputs[0]
        if "any" in self.allowed or output is None:
            return None
        full = dims_of(output)
        missing: MissingFactError | None = None
        for tensor in op.inputs:
            if tensor is None:
                continue
            try:
                if not self._accepts(tensor, full):
                    return Broken(f"{tensor.name} {show(dims_of(tensor))} with output {show(full)}")
            except MissingFactError as error:
                missing = missing or error
        if missing is not None:
            raise missing
        return None

    def _accepts(self, tensor: TensorView, full: Sequence[int]) -> bool:
        shape = dims_of(tensor)
        padded = (1,) * (len(full) - len(shape)) + shape
        patterns = self.allowed + (self.constants if tensor.constant is not None else ())
        return any(_matches(pattern, padded, full) for pattern in patterns)


def _matches(pattern: str, shape: Sequence[int], full: Sequence[int]) -> bool:
    if pattern == "same":
        return tuple(shape) == tuple(full)
    if pattern == "scalar":
        return all(size == 1 for size in shape)
    if len(pattern) != len(full):
        return False
    return all(size == (1 if mark == "1" else whole) for mark, size, whole in zip(pattern, shape, full, strict=True))
