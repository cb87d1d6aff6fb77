"""Simple placements: what deployed tools do, and what no result may be worse than."""

import contextlib
from collections.abc import Iterator

from dovetail.partition import greedy, limits
from dovetail.partition.problem import Placement, Problem
from dovetail.plan.errors import PartitionError
from dovetail.plan.schema import ALL_ON


def simple_placements(problem: Problem) -> Iterator[tuple[str, Placement]]:
    """Yield the greedy placement, and for each device the one that puts there all that it allows.

    What a device does not allow goes to the first one that does. Pins and the limits of devices are kept; a placement
    that can't keep them is left out. Where the greedy one is on one device alone, it stands under both names.
    """
    first = greedy.place(problem)
    yield from _within_limits(problem, "greedy", first)
    for device, name in enumerate(problem.devices):
        device_of = tuple(
            device if row[device] and problem.pins.get(unit, device) == device else first.device_of[unit]
            for unit, row in enumerate(problem.allowed)
        )
        alone = all(each == device for each in device_of)
        if alone or device_of != first.device_of:
            yield from _within_limits(problem, f"{ALL_ON}{name}" if alone else f"{name} first", Placement(device_of))


def _within_limits(problem: Problem, name: str, placement: Placement) -> Iterator[tuple[str, Placement]]:
    """Yield a placement with the limits of devices kept; nothing where giving units back can't keep them."""
    with contextlib.suppress(PartitionError):
        yield name, limits.enforce(problem, placement)
