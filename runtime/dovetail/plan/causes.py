"""Why operators are not on the preferred device: broken rules counted over operators, and what that costs."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dovetail.plan.codes import label, remedy
from dovetail.plan.schema import Plan, PlanOperator, Reason

PLACEMENT_RULE = "placement"
"""Stands for the rule where the device takes the operator and the placement put it elsewhere all the same."""
UNIT_RULE = "unit"
"""The rule of an operator that only goes where its Q/DQ group goes: what keeps the group is the cause, not this."""

_CHOSEN = frozenset({PLACEMENT_RULE, "cost", "pinned", "limit"})
"""Rules of a placement: the device would take the operator."""
_OWN_COSTS = "; alone it takes "
_VALUE = "\0"
"""Marks the place of the value found in a template; no message holds it."""
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


@dataclass(frozen=True, slots=True)
class Cause:
    """A rule that keeps operators off the preferred device."""

    code: str
    """`DV104`; empty for a rule without one, as of a plan of an older schema."""
    rule: str
    message: str
    """The rule's sentence without an operator's name; of the first operator where the values differ."""
    operators: int
    """Number of operators that break it. One operator can break several rules and counts for each."""
    sole: int
    """How many of them break nothing else: with this cause gone, the device would take them."""
    op_types: tuple[tuple[str, int], ...]
    """Operator types with their number, the most frequent first."""
    values: tuple[str, ...]
    """The different values found, in the order of the operators."""
    example: str
    """Name of the first operator."""
    confidence: str
    fix: str
    """The first that a reason knows, else what helps with this code as a rule."""

    @property
    def label(self) -> str:
        """`DV104 dtype`."""
        return label(self.code, self.rule)


def rank_causes(plan: Plan, device: str | None = None) -> tuple[Cause, ...]:
    """Return what keeps the plan's operators off a device: rules that are broken, then what the placement chose.

    Of both the cause of most operators comes first, and of equal ones that of the first operator.

    Args:
        plan: of several batch sizes, its own is looked at.
        device: its id; the first device of the target where None.
    """
    wanted = plan.devices[0].id if device is None else device
    groups: dict[tuple[str, str], list[tuple[PlanOperator, Reason, bool]]] = {}
    for operator in displaced_operators(plan, wanted):
        reasons = reasons_against(operator, wanted)
        for reason in reasons:
            if reason.rule == UNIT_RULE:
                continue
            key = (reason.rule, _template(operator, reason))
            groups.setdefault(key, []).append((operator, reason, len(reasons) == 1))
    return tuple(sorted((_cause(group) for group in groups.values()), key=_rank))


def displaced_operators(plan: Plan, device: str | None = None) -> Iterator[PlanOperator]:
    """Yield the operators of the top graph that are not on a device; on the plan's first where None."""
    wanted = plan.devices[0].id if device is None else device
    for operator in plan.operators:
        if not operator.inside and operator.device != wanted:
            yield operator


def reasons_against(operator: PlanOperator, device: str) -> tuple[Reason, ...]:
    """Return what keeps `operator` off `device`: its broken rules, or its placement where none is broken."""
    for verdict in operator.verdicts:
        if verdict.device == device and verdict.state in ("unsupported", "unknown") and verdict.reasons:
            return verdict.reasons
    if operator.fallback is not None and (is_choice(operator.fallback.rule) or _is_first(operator, device)):
        return (operator.fallback,)
    return (Reason(PLACEMENT_RULE, _placed(operator, device), got="", allowed=""),)


def decisive_reason(operator: PlanOperator, device: str) -> Reason:
    """Return what decided that `operator` is not on `device`, the first of the target."""
    return operator.fallback or reasons_against(operator, device)[0]


def unit_costs(plan: Plan) -> Mapping[int, Mapping[str, float]]:
    """Return unit -> `latency_us` and `energy_uj` of it where it is placed; O(operators).

    Every operator is of a unit (`PlanOperator.unit`), those in bodies of that of the operator which holds them. A plan
    without figures has none.
    """
    return {operator.unit: operator.cost for operator in plan.operators if operator.cost is not None}


def is_choice(rule: str) -> bool:
    """Return whether a rule is one of a placement: the device would take the operator."""
    return rule in _CHOSEN


def placement_reason(operator: PlanOperator) -> str:
    """Return why it is not on the first device, without its name; empty where it is there."""
    return nameless_message(operator, operator.reason)


def short_reason(operator: PlanOperator) -> str:
    """Return the same without the operator's own costs, which `explain` has."""
    return placement_reason(operator).partition(_OWN_COSTS)[0]


def short_message(operator: PlanOperator, reason: Reason) -> str:
    """Return a reason's sentence without the operator's name and its own costs."""
    return nameless_message(operator, reason.message).partition(_OWN_COSTS)[0]


def nameless_message(operator: PlanOperator, message: str) -> str:
    """Return a reason's sentence without the operator that it starts with."""
    for subject in (f"'{operator.name}' ({operator.op_type})", f"'{operator.name}'"):
        for start in (f"{subject}: ", f"node {subject}: ", f"operator {subject}: "):
            if message.startswith(start):  # as may each further reason
                return message.removeprefix(start).replace(f"; {start}", "; ")
    return message.replace(f"'{operator.name}'", f"this {operator.op_type}")


def _is_first(operator: PlanOperator, device: str) -> bool:
    """Whether the device is the target's first, which alone `fallback` and `reason` speak of."""
    return not operator.verdicts or operator.verdicts[0].device == device


def _placed(operator: PlanOperator, device: str) -> str:
    told = operator.reason if _is_first(operator, device) else ""
    return told or f"the placement put it on {operator.device}"


def _template(operator: PlanOperator, reason: Reason) -> str:
    """Return what the messages of one rule have in common, whatever the operator and the value found."""
    if is_choice(reason.rule):  # it quotes the user's own option, or ends with the operator's own costs
        return reason.message.partition(_OWN_COSTS)[0]
    text = nameless_message(operator, reason.message)
    # first the value: it may quote a tensor's name itself
    return _QUOTED.sub(_VALUE, text.replace(reason.got, _VALUE) if reason.got else text)


def _cause(group: list[tuple[PlanOperator, Reason, bool]]) -> Cause:
    operator, reason, _ = group[0]
    known = next((each.fix for _, each, _ in group if each.fix), "")
    return Cause(
        code=reason.code,
        rule=reason.rule,
        message=short_message(operator, reason),
        operators=len({member.name for member, _, _ in group}),
        sole=sum(alone for _, _, alone in group),
        op_types=tuple(Counter(member.op_type for member, _, _ in group).most_common()),
        values=tuple(dict.fromkeys(each.got for _, each, _ in group)),
        example=operator.name,
        confidence=reason.confidence,
        fix=remedy(reason.code, known),
    )


def _rank(cause: Cause) -> tuple[bool, int, int]:
    """What a device refuses is what its user can change: it stands before what the placement chose."""
    return is_choice(cause.rule), -cause.operators, -cause.sole
