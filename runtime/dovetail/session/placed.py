"""What a session says of a model that its NPU does not take whole."""

import logging
from collections import Counter

from dovetail.plan import Plan, PlanOperator, RunError, shown

_logger = logging.getLogger("dovetail.session")


def tell_placement(plan: Plan, *, strict: bool) -> None:
    """Log one warning where operators are not on the NPU, with the most frequent cause and what to do.

    Raises:
        RunError: If `strict`, and the NPU takes none.
    """
    npu = plan.devices[0]
    operators = [operator for operator in plan.operators if not operator.inside]
    elsewhere = [operator for operator in operators if operator.device != npu.id]
    if npu.kind != "npu" or not elsewhere:
        return
    taken = f"{len(operators) - len(elsewhere)} of {len(operators)} operators are on the NPU"
    line = f"model {shown(plan.model.name)} on {plan.target}: {taken}; {_main_cause(elsewhere, npu.id)}"
    if strict and len(elsewhere) == len(operators):
        raise RunError(f"{line}; strict mode allows no other device")
    _logger.warning(line)


def _main_cause(operators: list[PlanOperator], device: str) -> str:
    """The rule that most operators break, in the words of the first of them, and its remedy."""
    reasons = [
        reason
        for operator in operators
        for verdict in operator.verdicts
        if verdict.device == device
        for reason in verdict.reasons
        if reason.rule != "unit"
    ]
    if not reasons:
        return operators[0].reason
    rule, count = Counter(reason.rule for reason in reasons).most_common(1)[0]
    first = next(reason for reason in reasons if reason.rule == rule)
    remedy = f"; {first.fix}" if first.fix else ""
    return f"first cause ({count} times): {first.message}{remedy}"
