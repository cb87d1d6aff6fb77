"""What every rule is: fields that state a limit, a sentence that says it, and a check that tests it."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from dovetail.targets.expression import Condition, holds
from dovetail.targets.facts import Context, MissingFactError
from dovetail.targets.view import OperatorView, TensorView

Confidence = Literal["high", "medium", "low"]


def as_tuple(value: object) -> object:
    """Return a single value as a tuple of one."""
    return tuple(value) if isinstance(value, list) else value if isinstance(value, tuple) else (value,)


Strings = Annotated[tuple[str, ...], BeforeValidator(as_tuple, json_schema_input_type=str | tuple[str, ...])]
"""One or more strings; a single one needs no brackets in the file."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The rule does not hold."""

    got: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Undecidable:
    """The model does not state a fact that the rule needs."""

    missing: str
    fix: str = ""


Outcome = Broken | Undecidable | None
"""None: the rule holds, or does not apply."""


class Rule(BaseModel):
    """A rule of a target. Subclasses add `kind`, their fields, `limit`, `phrase` and `test`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    kind: str
    when: Condition | None = None
    """The rule applies only to operators for which this is true."""
    when_dtype: Strings = ()
    """The rule applies only to tensors of these element types; one that names no tensor looks at the first input."""
    except_ops: Strings = ()
    """For a rule of a whole device: operators that it does not apply to."""
    soft: bool = False
    """Breaking it costs speed, not support."""
    says: str = ""
    """The sentence, where the generated one would not say it well."""
    confidence: Confidence | None = None
    """How sure the fact is; by default, as sure as the operator's."""
    source: Strings = ()
    """Keys of the file's `sources`, an anchor behind `#` allowed; by default, the operator's."""
    note: str = ""
    """For those who read the file."""

    @abstractmethod
    def limit(self) -> str:
        """Return what is allowed, in few words: `in [1, 32]`."""

    @abstractmethod
    def phrase(self) -> str:
        """Return the rule as a sentence without a full stop: `kernel_shape must be in [1, 32]`."""

    @abstractmethod
    def test(self, op: OperatorView, context: Context) -> Broken | None:
        """Test `op`; MissingFactError where that can't be decided."""

    def sentence(self) -> str:
        """Return the rule for people, with the condition under which it applies."""
        text = self.says or self.phrase()
        if self.when_dtype:
            text += f", for {' '.join(self.when_dtype)}"
        if self.when is not None and not self.says:
            text += f", where {self.when}"
        return text

    def check(self, op: OperatorView, context: Context) -> Outcome:
        """Test `op`, where the rule applies to it."""
        try:
            applies: bool | MissingFactError = self._applies(op, context)
        except MissingFactError as missing:
            applies = missing
        if applies is False:
            return None
        try:
            outcome = self.test(op, context)
        except MissingFactError as missing:
            return Undecidable(missing.what, missing.fix)
        if outcome is not None and isinstance(applies, MissingFactError):
            return Undecidable(applies.what, applies.fix)
        return outcome

    def is_about(self, op: OperatorView, context: Context) -> bool:
        """Return whether the rule surely applies to `op`."""
        try:
            return self._applies(op, context)
        except MissingFactError:
            return False

    def _applies(self, op: OperatorView, context: Context) -> bool:
        if op.op_type in self.except_ops:
            return False
        if self.when_dtype:
            tensor = self.main_tensor(op)
            if tensor is not None and not dtype_in(tensor, self.when_dtype, context):
                return False
        return self.when is None or holds(self.when, op, context)

    def main_tensor(self, op: OperatorView) -> TensorView | None:
        """Return the tensor whose element type decides `when_dtype`."""
        return next((tensor for tensor in op.inputs if tensor is not None), None)


def dtype_in(tensor: TensorView, allowed: tuple[str, ...], context: Context) -> bool:
    """Return whether an element type is in `allowed`, as it is or as the device's compiler rewrites it."""
    if tensor.dtype is None:
        raise MissingFactError(f"the element type of {tensor.name!r}")
    return tensor.dtype in allowed or context.dtype_rewrite.get(tensor.dtype) in allowed
