"""What a session says of a model that its NPU or GPU does not take whole."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping

from dovetail.plan import DeviceKind, Plan, RunError, Variant, main_cause, shown

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
    line = f"model {shown(plan.model.name)} on {plan.target}: {taken}; {main_cause(elsewhere, device.id)}"
    if strict and len(elsewhere) == len(operators):
        raise RunError(f"{line}; strict mode allows no other device")
    _logger.warning(line)


def moved_lines(plan: Plan, placement: Mapping[str, str]) -> Iterator[str]:
    """Say how many partitions of each device run elsewhere here, a line for each device that really runs some.

    Args:
        plan: its partitions, of all batch sizes.
        placement: partition -> where it really runs; see `Executor.placement`.
    """
    parts: tuple[Plan | Variant, ...] = (plan, *plan.variants)
    planned = {each.id: each.device for part in parts for each in part.partitions}
    moves = Counter((planned[name], where) for name, where in placement.items() if where != planned[name])
    for (device, where), count in moves.items():
        yield f"{'runs here':<12}{count} of the partitions for {device} on {where}"
