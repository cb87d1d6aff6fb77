"""What a session says of a model that its NPU or GPU does not take whole."""

import logging
from collections import Counter

from dovetail.plan import DeviceKind, Plan, PlanOperator, RunError, shown

_logger = logging.getLogger("dovetail.session")


def tell_placement(plan: Plan, kind: DeviceKind, *, strict: bool) -> None:
    """Log one warning where operators are not on the device that was asked for, with the main cause and what to do.

    Args:
        plan: of a model compiled for a list of providers.
        kind: of the first of them.
        strict: do not take a plan that leaves the device idle.

    Raises:
        RunError: If `strict`, and the device takes none.
    """
    device = next((device for device in plan.devices if device.kind == kind), None)
    operators = [operator for operator in plan.operators if not operator.inside]
    elsewhere = [operator for operator in operators if device is not None and operator.device != device.id]
    if device is None or not elsewhere:
        return
    taken = f"{len(operators) - len(elsewhere)} of {len(operators)} operators are on the {kind.upper()}"
    line = f"model {shown(plan.model.name)} on {plan.target}: {taken}; {_main_cause(elsewhere, device.id)}"
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
