"""Rules that no simpler kind can state: expressions, and tables of expressions."""

from typing import Literal

from pydantic import Field

from dovetail.targets.expression import Condition, Expression, evaluate, facts_in, holds
from dovetail.targets.facts import Context, show
from dovetail.targets.rules.base import Broken, Rule
from dovetail.targets.view import OperatorView


class PredicateRule(Rule):
    """An expression is true of the operator."""

    kind: Literal["predicate"]
    expr: Condition
    says: str = Field(min_length=1)
    """The rule as a sentence."""
    got: Expression | None = None
    """What to show of an operator that breaks the rule; by default, what `expr` reads."""
    allowed: str = ""
    """What is allowed, in few words; by default `expr`."""

    def limit(self) -> str:
        """Return what is allowed."""
        return self.allowed or self.expr

    def phrase(self) -> str:
        """Return the rule as a sentence."""
        return self.says

    def test(self, op: OperatorView, context: Context) -> Broken | None:
        """Test `op`."""
        if holds(self.expr, op, context):
            return None
        if self.got is not None:
            return Broken(show(evaluate(self.got, op, context)))
        return Broken(facts_in(self.expr, op, context) or "false")


class TableRule(Rule):
    """The operator's key selects an expression, which is true of it."""

    kind: Literal["table"]
    key: Expression
    rows: dict[str, Condition] = Field(min_length=1)
    """Key as text, without blanks (`(0,2,3,1)`) -> expression."""
    otherwise: Condition = "False"
    """For keys that are not in the table."""
    says: str = Field(min_length=1)

    def limit(self) -> str:
        """Return the keys."""
        return " or ".join(self.rows)

    def phrase(self) -> str:
        """Return the rule as a sentence."""
        return self.says

    def test(self, op: OperatorView, context: Context) -> Broken | None:
        """Test `op`."""
        key = show(evaluate(self.key, op, context)).replace(" ", "")
        expression = self.rows.get(key, self.otherwise)
        if holds(expression, op, context):
            return None
        facts = facts_in(expression, op, context)
        return Broken(f"{self.key} = {key}" + (f", {facts}" if facts else ""))
