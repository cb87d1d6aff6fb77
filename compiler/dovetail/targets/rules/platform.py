"""Rules about the variant of the target, and what they say of where and how an operator runs."""

from typing import Literal

from pydantic import Field, model_validator

from dovetail.targets.facts import Context, MissingFactError, show
from dovetail.targets.rules.base import Broken, Rule, Strings
from dovetail.targets.rules.bounds import Bounds
from dovetail.targets.view import OperatorView, Scalar


class OpsetRule(Rule, Bounds):
    """The model's ai.onnx opset is in a range or a list; operators of other domains are not concerned."""

    kind: Literal["opset"]
    values: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _has_limit(self) -> "OpsetRule":
        if not self.bounded() and not self.values:
            raise ValueError("an opset rule needs min, max or values")
        return self

    def limit(self) -> str:
        """Return the range or the list."""
        return f"one of {show(self.values)}" if self.values else self.bounds_text()

    def phrase(self) -> str:
        """Return the rule as a sentence."""
        return f"the opset must be {self.limit()}"

    def test(self, op: OperatorView, context: Context) -> Broken | None:
        """Test `op`."""
        if op.domain:
            return None
        kept = op.opset in self.values if self.values else self.within(op.opset)
        return None if kept else Broken(f"opset {op.opset}", "convert the model with onnx.version_converter")


class ModeInRule(Rule):
    """The variant's mode of computing (its property `mode`) is one of some."""

    kind: Literal["mode_in"]
    values: Strings = Field(min_length=1)

    def limit(self) -> str:
        """Return the modes."""
        return " or ".join(self.values)

    def phrase(self) -> str:
        """Return the rule as a sentence."""
        return f"the mode must be {self.limit()}"

    def test(self, op: OperatorView, context: Context) -> Broken | None:
        """Test `op`."""
        mode = _property(context, "mode")
        return None if mode in self.values else Broken(str(mode), "choose another variant of the target")


class ArchRule(Rule, Bounds):
    """A property of the variant (`htp_arch`, `soc_model`, `driver`, ...) is in a range or a list."""

    kind: Literal["arch"]
    property: str
    values: tuple[Scalar, ...] = ()

    @model_validator(mode="after")
    def _has_limit(self) -> "ArchRule":
        if not self.bounded() and not self.values:
            raise ValueError("an arch rule needs min, max or values")
        return self

    def limit(self) -> str:
        """Return the range or the list."""
        return f"{self.property} {show(self.values) if self.values else self.bounds_text()}"

    def phrase(self) -> str:
        """Return the rule as a sentence."""
        return f"the device's {self.property} must be {show(self.values) if self.values else self.bounds_text()}"

    def test(self, op: OperatorView, context: Context) -> Broken | None:
        """Test `op`."""
        value = _property(context, self.property)
        kept = value in self.values if self.values else not isinstance(value, str) and self.within(value)
        return None if kept else Broken(f"{self.property} {show(value)}")


class EngineRule(Rule):
    """The engine inside the device that runs the operator. It refuses nothing; it names where the cost falls."""

    kind: Literal["engine"]
    value: str

    def limit(self) -> str:
        """Return the engine."""
        return self.value

    def phrase(self) -> str:
        """Return the rule as a sentence."""
        return f"it runs on the engine {self.value}"

    def test(self, op: OperatorView, context: Context) -> Broken | None:
        """Never broken."""
        return None


class LoweringRule(Rule):
    """How the device's compiler makes the operator. `host` means that it does not: it runs on the host."""

    kind: Literal["lowering"]
    how: Literal["native", "composite", "unrolled", "folded", "host"]
    to: str = ""
    """The operator that it becomes."""

    def limit(self) -> str:
        """Return how."""
        return self.how

    def phrase(self) -> str:
        """Return the rule as a sentence."""
        words = {"native": "it has a kernel of its own", "composite": "it is made from other operators"}
        words |= {
            "unrolled": "it is unrolled",
            "folded": "it is folded away",
            "host": "it must not run on the host",
        }
        return words[self.how] + (f" ({self.to})" if self.to else "")

    def test(self, op: OperatorView, context: Context) -> Broken | None:
        """Broken by `host` alone."""
        return Broken("left to the host by the device's compiler") if self.how == "host" else None


def _property(context: Context, name: str) -> Scalar:
    if name not in context.properties:
        raise MissingFactError(f"the property {name} of the target's variant", "choose a variant that states it")
    return context.properties[name]
