"""What every rule is: fields that state a limit, a sentence that says it, and a check that tests it."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from dovetail.targets.expression import Expression, holds
from dovetail.targets.facts import Context, MissingFactError, named_tensor, show
from dovetail.targets.view import OperatorView, TensorView

Confidence = Literal["high", "medium", "low"]


def as_tuple(value: object) -> object:
    """Return a single value as a tuple of one."""
    return tuple(value) if isinstance(value, list) else value if isinstance(value, tuple) else (value,)


Strings = Annotated[tuple[str, ...], BeforeValidator(as_tuple)]
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
    when: Expression | None = None
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
    source: Strings = ()
    note: str = ""

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


def select(op: OperatorView, references: tuple[str, ...]) -> list[tuple[str, TensorView]]:
    """Return the tensors that a rule speaks of, with the words it uses for them; absent ones are left out.

    A reference is a formal name (`X`), a position (`input[0]`, `output[1]`), `inputs`, `outputs`, `activations`
    (inputs that are not constant) or `*` for all.
    """
    found: dict[str, TensorView] = {}
    for reference in references:
        for label, tensor in _referred(op, reference):
            if tensor is not None:
                found.setdefault(label, tensor)
    return list(found.items())


def _referred(op: OperatorView, reference: str) -> list[tuple[str, TensorView | None]]:
    inputs = [(_label(op.input_names, "input", i), tensor) for i, tensor in enumerate(op.inputs)]
    outputs = [(_label(op.output_names, "output", i), tensor) for i, tensor in enumerate(op.outputs)]
    if reference == "*":
        return inputs + outputs
    if reference == "inputs":
        return inputs
    if reference == "outputs":
        return outputs
    if reference == "activations":
        return [(label, tensor) for label, tensor in inputs if tensor is None or tensor.constant is None]
    for prefix, group in (("input[", inputs), ("output[", outputs)):
        if reference.startswith(prefix):
            index = int(reference.removeprefix(prefix).removesuffix("]"))
            return group[index : index + 1]
    return [(reference, named_tensor(op, reference))]


def _label(names: tuple[str, ...], group: str, index: int) -> str:
    repeated = index >= len(names) or names.count(names[index]) > 1
    return f"{group}[{index}]" if repeated else names[index]


class TensorRule(Rule):
    """A rule about each of some tensors by itself."""

    tensor: Strings = Field(default=("input[0]",), min_length=1)
    """Formal names, `input[0]`, `output[0]`, `inputs`, `outputs`, `activations` or `*`."""

    @abstractmethod
    def test_tensor(self, tensor: TensorView, op: OperatorView, context: Context) -> Broken | None:
        """Test one tensor."""

    def subject(self) -> str:
        """Return the tensors in words."""
        words = {"*": "every tensor", "inputs": "every input", "outputs": "every output"}
        words["activations"] = "every input that is not constant"
        return " and ".join(words.get(name, name) for name in self.tensor)

    def main_tensor(self, op: OperatorView) -> TensorView | None:
        """Return None: `when_dtype` is looked at tensor by tensor."""
        return None

    def test(self, op: OperatorView, context: Context) -> Broken | None:
        """Test each tensor; one that breaks the rule counts more than one that can't be decided."""
        broken: list[Broken] = []
        missing: MissingFactError | None = None
        selected = select(op, self.tensor)
        for label, tensor in selected:
            try:
                if self.when_dtype and not dtype_in(tensor, self.when_dtype, context):
                    continue
                outcome = self.test_tensor(tensor, op, context)
            except MissingFactError as error:
                missing = missing or error
                continue
            if outcome is not None:
                prefix = f"{label}: " if len(selected) > 1 or label not in self.tensor else ""
                broken.append(Broken(prefix + outcome.got, outcome.fix))
        if broken:
            return Broken("; ".join(item.got for item in broken), broken[0].fix)
        if missing is not None:
            raise missing
        return None


class Bounds(BaseModel):
    """Limits of a number; either end may be left open or excluded."""

    min: float | None = None
    max: float | None = None
    exclusive_min: bool = False
    exclusive_max: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> "Bounds":
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {show(self.min)} is above max {show(self.max)}")
        return self

    def bounded(self) -> bool:
        """Return whether there is a limit at all."""
        return self.min is not None or self.max is not None

    def within(self, value: float) -> bool:
        """Return whether `value` keeps both limits."""
        low = self.min is None or (value > self.min if self.exclusive_min else value >= self.min)
        high = self.max is None or (value < self.max if self.exclusive_max else value <= self.max)
        return low and high

    def bounds_text(self) -> str:
        """Return the limits in words: `in [1, 32]`, `at least 1`, `below 65536`."""
        low, high = show(_short(self.min)), show(_short(self.max))
        if self.min is not None and self.max is not None:
            if self.min == self.max:
                return low
            return f"in {'(' if self.exclusive_min else '['}{low}, {high}{')' if self.exclusive_max else ']'}"
        if self.min is not None:
            return f"above {low}" if self.exclusive_min else f"at least {low}"
        return f"below {high}" if self.exclusive_max else f"at most {high}"


def _short(value: float | None) -> float | int | None:
    return int(value) if value is not None and value.is_integer() else value
