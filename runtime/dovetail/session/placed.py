"""What a session says of where its model runs."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping

from dovetail.plan import DeviceKind, Plan, RunError, Variant, shown, verdict_line

_logger = logging.getLogger("dovetail.session")


def tell_placement(plan: Plan, kind: DeviceKind | None, *, strict: bool) -> None:
    """Log the verdict in one line: a warning where operators are not on the device that was asked for, else at INFO.

    Args:
        plan: what the session runs.
        kind: of the first device of the providers that is no CPU; None where none is, and where a plan was given,
            whose placement was told when it was compiled.
        strict: do not take a plan that leaves the device idle.

    Raises:
        RunError: If `strict`, and the device takes none.
    """
    device = next((device for device in plan.devices if device.kind == kind), None)
    operators = [operator for operator in plan.operators if not operator.inside]
    elsewhere = [operator for operator in operators if device is not None and operator.device != device.id]
    subject = f"model {shown(plan.model.name)} on {plan.target}"
    if device is None or not elsewhere:
        _logger.info("%s: %s", subject, verdict_line(plan))
        return
    taken = f"{len(operators) - len(elsewhere)} of {len(operators)} operators are on the {device.kind.upper()}"
    line = f"{subject}: {taken}; {verdict_line(plan, device.id)}"
    if strict and len(elsewhere) == len(operators):
        raise RunError(f"{line}, and strict mode allows no other device; leave it out to fall back")
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
