"""The rule about the operators around an operator."""

from typing import Literal

from pydantic import model_validator

from dovetail.targets.facts import Context
from dovetail.targets.rules.base import Broken, Rule, Strings
from dovetail.targets.view import OperatorView


class OnlyInPatternRule(Rule):
    """The operator is taken only between certain operators, with which the device's compiler fuses it."""

    kind: Literal["only_in_pattern"]
    pattern: str
    """The pattern for people, such as `DynamicQuantizeLinear->MatMulInteger->Cast->Mul`."""
    producers: Strings = ()
    """One of its inputs comes from one of these."""
    consumers: Strings = ()
    """Everything that reads its outputs is one of these."""

    @model_validator(mode="after")
    def _has_limit(self) -> "OnlyInPatternRule":
        if not self.producers and not self.consumers:
            raise ValueError("an only_in_pattern rule needs producers or consumers")
        return self

    def limit(self) -> str:
        """Return the pattern."""
        return self.pattern

    def phrase(self) -> str:
        """Return the rule as a sentence."""
        return f"it is taken only in the pattern {self.pattern}"

    def test(self, op: OperatorView, context: Context) -> Broken | None:
        """Test `op`."""
        before = not self.producers or bool(set(op.producers) & set(self.producers))
        after = not self.consumers or (bool(op.consumers) and set(op.consumers) <= set(self.consumers))
        if before and after:
            return None
        around = f"{'/'.join(filter(None, op.producers)) or 'input'} -> {op.op_type} -> "
        return Broken(around + ("/".join(op.consumers) or "output"))
