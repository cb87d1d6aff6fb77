"""From what a user typed to the operators that are meant."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from dovetail.plan import ModelError, closest, shown
from dovetail.plan.schema import Plan, PlanOperator
from dovetail.report.words import quoted

CLOSEST: Final = 3
"""How many names a message proposes."""


@dataclass(frozen=True, slots=True)
class Match:
    """The answer to a query: operators of the compiled graph, or original nodes that folded away."""

    operators: tuple[PlanOperator, ...]
    eliminated: tuple[str, ...] = ()


def find_operators(plan: Plan, query: str) -> Match:
    """Return what `query` names in `plan`.

    Tried in this order: the name of an operator, the name of an original node, a glob (`*`, `?`), a part of
    a name that only one operator has.

    Raises:
        ModelError: nothing or too much is named; the message proposes names.
    """
    exact = tuple(operator for operator in plan.operators if operator.name == query)
    if exact:
        return Match(exact)
    made_of = tuple(operator for operator in plan.operators if query in operator.origins)
    if made_of or query in plan.model.eliminated:
        return Match(made_of, () if made_of else (query,))
    if "*" in query or "?" in query:
        found = tuple(operator for operator in plan.operators if _any_matches(operator, query))
        folded = tuple(name for name in plan.model.eliminated if fnmatchcase(name, query))
        if found or folded:
            return Match(found, folded)
    return Match((_only_one(plan, query),))


def _any_matches(operator: PlanOperator, pattern: str) -> bool:
    return any(fnmatchcase(name, pattern) for name in (operator.name, *operator.origins))


def _only_one(plan: Plan, part: str) -> PlanOperator:
    if not part:
        raise ModelError(f"model '{plan.model.name}': an empty name names no operator; give a name or a glob")
    found = [operator for operator in plan.operators if part in operator.name]
    if len(found) == 1:
        return found[0]
    if found:
        raise ModelError(
            f"model '{plan.model.name}': '{part}' must name one operator, got {len(found)}, among them "
            f"{quoted(operator.name for operator in found[:CLOSEST])}; write the whole name or a glob with *"
        )
    known = dict.fromkeys(
        name for operator in plan.operators for name in (operator.name, *operator.origins)
    ) | dict.fromkeys(plan.model.eliminated)
    found_name = closest(part, list(known))
    advice = (
        f"did you mean {shown(found_name)}?" if found_name else "see 'dovetail inspect --format json' for their names"
    )
    raise ModelError(f"model '{plan.model.name}': no operator is named {shown(part)}; {advice}")
