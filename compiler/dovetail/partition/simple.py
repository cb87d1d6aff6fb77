"""Simple placements: what deployed tools do, and what no result may be worse than."""

from collections.abc import Iterator

from dovetail.partition import greedy, limits
from dovetail.partition.problem import Placement, Problem


def simple_placements(problem: Problem) -> Iterator[tuple[str, Placement]]:
    """Yield the greedy placement, and for each device the one that puts there all that it allows.

    What a device does not allow goes to the first one that does. Pins and the limits of devices are kept.
    """
    first = greedy.place(problem)
    yield "greedy", limits.enforce(problem, first)
    for device, name in enumerate(problem.devices):
        device_of = tuple(
            device if row[device] and problem.pins.get(unit, device) == device else first.device_of[unit]
            for unit, row in enumerate(problem.allowed)
        )
        if device_of != first.device_of:
            alone = all(each == device for each in device_of)
            yield f"all on {name}" if alone else f"{name} first", limits.enforce(problem, Placement(device_of))
