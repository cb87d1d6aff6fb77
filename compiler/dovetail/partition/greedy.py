"""The first placement: each unit on the first device that takes it."""

from dovetail.partition.problem import Placement, Problem
from dovetail.plan.errors import PartitionError


def place(problem: Problem) -> Placement:
    """Put each unit where it is pinned, else on the first device in order of preference that allows it.

    Raises:
        PartitionError: A pin names a device that does not allow the unit, or no device allows a unit.
    """
    return Placement(tuple(_device_for(problem, unit) for unit in range(len(problem.names))))


def _device_for(problem: Problem, unit: int) -> int:
    allowed = [device for device, possible in enumerate(problem.allowed[unit]) if possible]
    if not allowed:
        raise PartitionError(
            f"unit {problem.names[unit]!r}: one device of the target must support it, got none of "
            f"{', '.join(problem.devices)}; see its verdicts with `dovetail explain`"
        )
    pin = problem.pins.get(unit)
    if pin is None:
        return allowed[0]
    if pin not in allowed:
        raise PartitionError(
            f"unit {problem.names[unit]!r}: a pin must name a device that supports it, got "
            f"{problem.devices[pin]!r}; pin it to {' or '.join(problem.devices[d] for d in allowed)}, "
            f"or take the pin away"
        )
    return pin
