"""What each step of a plan waits for, worked out once; sets of steps are bits of whole numbers."""

from collections.abc import Mapping
from dataclasses import dataclass

from dovetail.plan import Plan, Step


@dataclass(frozen=True, slots=True)
class Wiring:
    """The steps of a plan, by their position in it."""

    steps: tuple[Step, ...]
    lanes: tuple[str, ...]
    """The device of each step: steps of one run one after the other, in this order."""
    waits_for: tuple[int, ...]
    """How many steps must have ended first."""
    followers: tuple[tuple[int, ...], ...]
    """The steps that wait for it."""
    before: tuple[int, ...]
    """The set of all steps that have surely ended when it begins."""
    users: tuple[int, ...]
    """Slot -> the set of steps that read or write it."""
    readers: tuple[int, ...]
    """Slot -> how many steps read it."""
    kept: frozenset[int]
    """Slots that are inputs or outputs of the plan."""
    overlaps: bool
    """The plan means steps of different devices to run at the same time."""


def wire(plan: Plan, device_of: Mapping[str, str]) -> Wiring:
    """The wiring of a plan.

    Args:
        plan: It is valid.
        device_of: Partition -> the device that runs it.
    """
    lanes = tuple(device_of[step.partition] for step in plan.steps)
    needs = _needs(plan, lanes)
    before: list[int] = []
    for own in needs:
        before.append(sum(1 << other for other in own))
        for other in own:
            before[-1] |= before[other]
    followers: list[list[int]] = [[] for _ in needs]
    for index, own in enumerate(needs):
        for other in own:
            followers[other].append(index)
    users, readers = [0] * len(plan.slots), [0] * len(plan.slots)
    for index, step in enumerate(plan.steps):
        for slot in {*step.inputs, *step.outputs}:
            users[slot] |= 1 << index
        for slot in set(step.inputs):
            readers[slot] += 1
    ends = {spec.name for spec in (*plan.inputs, *plan.outputs)}
    return Wiring(
        steps=plan.steps,
        lanes=lanes,
        waits_for=tuple(map(len, needs)),
        followers=tuple(map(tuple, followers)),
        before=tuple(before),
        users=tuple(users),
        readers=tuple(readers),
        kept=frozenset(slot for slot, spec in enumerate(plan.slots) if spec.name in ends),
        overlaps=_overlaps(plan, device_of),
    )


def _needs(plan: Plan, lanes: tuple[str, ...]) -> list[set[int]]:
    """The steps that each step waits for: makers of its inputs, partitions it comes after, the last of its device."""
    position = {step.partition: index for index, step in enumerate(plan.steps)}
    after = {partition.id: partition.after for partition in plan.partitions}
    maker: dict[int, int] = {}
    last: dict[str, int] = {}
    needs = []
    for index, step in enumerate(plan.steps):
        own = {maker[slot] for slot in step.inputs if slot in maker}
        own |= {position[name] for name in after[step.partition] if position[name] < index}
        if lanes[index] in last:
            own.add(last[lanes[index]])
        last[lanes[index]] = index
        maker.update(dict.fromkeys(step.outputs, index))
        needs.append(own)
    return needs


def _overlaps(plan: Plan, device_of: Mapping[str, str]) -> bool:
    return any(
        device_of[partition.id] != device_of[other] for partition in plan.partitions for other in partition.concurrent
    )
