"""What a device gives back where one of its limits is broken.

A rule takes a problem, its partitions in run order and a device, and returns the moves that mend the limit, or that
bring it nearer; none where it is kept. Each is O(V + E), plus a sort of the device's partitions for their number.

Moving a whole partition to another device leaves the order of all the others possible, so with two devices each one
given back lowers the number of partitions. As many as are over the limit are therefore given back at once; with two
devices that is nearly always one round. On random graphs of 100 to 1,000 units this moved as few operators as going
one by one, with two devices and with three, in a fraction of the rounds.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from dovetail.partition.problem import Moved, Partition, Problem
from dovetail.plan.errors import PartitionError

Rule = Callable[[Problem, tuple[Partition, ...], int], list[Moved]]
Value = TypeVar("Value", int, str)


def end_at_first_unit_elsewhere(problem: Problem, partitions: tuple[Partition, ...], device: int) -> list[Moved]:
    """`prefix_only`: give back every unit that some path reaches from a unit on another device.

    A unit that only quantizes an input of the model may be elsewhere: the host does so before the device starts.
    """
    if not problem.limits[device].prefix_only:
        return []
    successors: list[list[int]] = [[] for _ in problem.names]
    for source, target in problem.edges:
        successors[source].append(target)
    end_before: dict[int, int] = {}
    on_device: list[int] = []
    for part in partitions:
        for unit in part.units:
            if part.device == device:
                on_device.append(unit)
            elif unit not in problem.entrances:
                end_before.setdefault(unit, unit)
            if unit in end_before:
                for successor in successors[unit]:
                    end_before.setdefault(successor, end_before[unit])
    moves = []
    for unit in on_device:
        if unit in end_before:
            limit = f"only the start of the model on {problem.devices[device]}, which ends at "
            limit += repr(problem.names[end_before[unit]])
            moves += _give_back(problem, device, [unit], limit, "what comes after it given back")
    return moves


def keep_one_precision(problem: Problem, partitions: tuple[Partition, ...], device: int) -> list[Moved]:
    """`one_precision`: keep the precision of the most operators on the device, over all its partitions."""
    if not problem.limits[device].one_precision:
        return []
    units = [unit for part in _on(partitions, device) for unit in part.units]
    limit = f"one precision on {problem.devices[device]}"
    return _keep_common(problem, device, units, problem.precisions, limit)


def keep_one_batch(problem: Problem, partitions: tuple[Partition, ...], device: int) -> list[Moved]:
    """`uniform_batch`: keep the batch size of the most operators in each partition."""
    if not problem.limits[device].uniform_batch:
        return []
    limit = f"one batch size in a partition on {problem.devices[device]}"
    return [
        move
        for part in _on(partitions, device)
        for move in _keep_common(problem, device, part.units, problem.batches, limit)
    ]


def keep_one_subgraph(problem: Problem, partitions: tuple[Partition, ...], device: int) -> list[Moved]:
    """`contiguous`: keep the connected piece of the most operators; one that holds a unit that can't move goes first.

    A connected piece of a convex partition is convex too: a path that leaves it would leave the partition. With two
    devices the piece is therefore one partition when the others are gone; with more, `phases` may still cut it, and
    then the larger part stays.
    """
    if not problem.limits[device].contiguous:
        return []
    pieces = _connected_pieces(problem, _on(partitions, device))
    if len(pieces) < 2:
        return []
    kept = max(pieces, key=lambda piece: (_stuck(problem, piece, device) != [], _operators(problem, piece)))
    limit = f"one connected subgraph on {problem.devices[device]}"
    moves = []
    for piece in pieces:
        movable = [unit for unit in piece if _next_device(problem, unit, device) is not None]
        if piece is not kept and movable:
            given = f"this one of {_count(_operators(problem, movable), 'operator')} given back"
            why = f"that of {_count(_operators(problem, kept), 'operator')} is kept, {given}"
            moves += _give_back(problem, device, movable, limit, why)
    if not moves:
        raise _impossible(problem, device, limit, [unit for piece in pieces for unit in piece[:1]])
    return moves


def drop_small(problem: Problem, partitions: tuple[Partition, ...], device: int) -> list[Moved]:
    """`min_operators`: give back each smaller partition whose units can all move."""
    least = problem.limits[device].min_operators
    limit = f"at least {_count(least, 'operator')} in a partition on {problem.devices[device]}"
    moves = []
    for part in _on(partitions, device):
        operators = _operators(problem, part.units)
        if operators < least and not _stuck(problem, part.units, device):
            moves += _give_back(problem, device, part.units, limit, f"this partition of {operators} given back")
    return moves


def drop_small_tensors(problem: Problem, partitions: tuple[Partition, ...], device: int) -> list[Moved]:
    """`min_tensor_bytes`: give back each partition with only smaller tensors, if its units can all move."""
    least = problem.limits[device].min_tensor_bytes
    if not least:
        return []
    largest = _largest_tensors(problem, partitions)
    limit = f"a tensor of at least {least} bytes in a partition on {problem.devices[device]}"
    moves = []
    for part, largest_bytes in zip(partitions, largest, strict=True):
        small = part.device == device and largest_bytes is not None and largest_bytes < least
        if small and not _stuck(problem, part.units, device):
            why = f"this partition given back, whose largest has {largest_bytes}"
            moves += _give_back(problem, device, part.units, limit, why)
    return moves


def keep_few_partitions(problem: Problem, partitions: tuple[Partition, ...], device: int) -> list[Moved]:
    """`max_partitions`: give back the partitions of the fewest operators.

    A partition that holds a unit that can't move is broken up only when no other is left to give, as what stays may
    then join another.
    """
    most = problem.limits[device].max_partitions
    own = _on(partitions, device)
    if most is None or len(own) <= most:
        return []
    limit = f"limit of {_count(most, 'partition')} on {problem.devices[device]}"
    offers = [[unit for unit in part.units if _next_device(problem, unit, device) is not None] for part in own]
    ranked = sorted(zip(own, offers, strict=True), key=lambda pair: _operators(problem, pair[1]))
    whole = [offer for part, offer in ranked if len(offer) == len(part.units)]
    parts = [offer for part, offer in ranked if 0 < len(offer) < len(part.units)]
    if not whole and not parts:
        raise _impossible(problem, device, f"{limit}, got {len(own)}", [part.units[0] for part in own])
    given = "this partition of " if whole else "the part that can move of a partition, "
    moves = []
    for offer in whole[: len(own) - most] or parts[:1]:
        why = f"{given}{_count(_operators(problem, offer), 'operator')} given back"
        moves += _give_back(problem, device, offer, limit, why)
    return moves


RULES: Final[tuple[Rule, ...]] = (
    end_at_first_unit_elsewhere,
    keep_one_precision,
    keep_one_batch,
    keep_one_subgraph,
    drop_small,
    drop_small_tensors,
    keep_few_partitions,
)
"""First the limits of single units, then those of whole partitions: what the former leave may be too small."""


def _on(partitions: Iterable[Partition], device: int) -> list[Partition]:
    return [part for part in partitions if part.device == device]


def _operators(problem: Problem, units: Iterable[int]) -> int:
    return sum(problem.sizes[unit] for unit in units)


def _next_device(problem: Problem, unit: int, device: int) -> int | None:
    if unit in problem.pins:
        return None
    later = range(device + 1, len(problem.devices))
    return next((d for d in later if problem.allowed[unit][d]), None)


def _stuck(problem: Problem, units: Iterable[int], device: int) -> list[int]:
    return [unit for unit in units if _next_device(problem, unit, device) is None]


def _give_back(problem: Problem, device: int, units: Iterable[int], limit: str, why: str) -> list[Moved]:
    """Move each unit to its own next device.

    Raises:
        PartitionError: one of them can't move.
    """
    moves = []
    for unit in units:
        to_device = _next_device(problem, unit, device)
        if to_device is None:
            raise _impossible(problem, device, limit, [unit])
        moves.append(Moved(unit, device, to_device, f"{limit}: {why}"))
    return moves


def _keep_common(
    problem: Problem, device: int, units: Sequence[int], values: Sequence[tuple[Value, ...]], limit: str
) -> list[Moved]:
    """Give back the units that have another value than the one kept, or one more."""
    kept = _most_frequent(problem, device, units, values)
    moves = []
    for unit in units:
        if any(value != kept for value in values[unit]):
            own = " and ".join(str(value) for value in values[unit])
            keeps = f"{kept} is kept, " if kept is not None else ""
            moves += _give_back(problem, device, [unit], limit, f"{keeps}operators of {own} given back")
    return moves


def _most_frequent(
    problem: Problem, device: int, units: Sequence[int], values: Sequence[tuple[Value, ...]]
) -> Value | None:
    """The value of the most operators, the smaller one on a tie; values of units that can't move go first."""
    candidates = [unit for unit in units if len(values[unit]) == 1]
    counts: Counter[Value] = Counter()
    for unit in _stuck(problem, candidates, device) or candidates:
        counts[values[unit][0]] += problem.sizes[unit]
    return min(counts, key=lambda value: (-counts[value], value), default=None)


def _connected_pieces(problem: Problem, partitions: Sequence[Partition]) -> list[list[int]]:
    """The pieces of each partition that do not touch each other, in run order. O(V + E)."""
    part_of = {unit: index for index, part in enumerate(partitions) for unit in part.units}
    neighbours: dict[int, list[int]] = {unit: [] for unit in part_of}
    for source, target in problem.edges:
        if source in part_of and part_of[source] == part_of.get(target):
            neighbours[source].append(target)
            neighbours[target].append(source)
    seen: set[int] = set()
    pieces = []
    for unit in part_of:
        if unit in seen:
            continue
        seen.add(unit)
        piece = [unit]
        for member in piece:  # the list grows while it is read
            fresh = [other for other in dict.fromkeys(neighbours[member]) if other not in seen]
            seen.update(fresh)
            piece += fresh
        pieces.append(piece)
    return pieces


def _largest_tensors(problem: Problem, partitions: Sequence[Partition]) -> list[int | None]:
    """For each partition, the bytes of the largest tensor that it reads or makes; None where one is not known."""
    part_of = {unit: index for index, part in enumerate(partitions) for unit in part.units}
    largest: list[int | None] = [0] * len(partitions)
    for tensor in problem.tensors:
        makers = () if tensor.producer is None else (tensor.producer,)
        for index in {part_of[unit] for unit in (*makers, *tensor.readers)}:
            known = largest[index]
            if known is not None:
                largest[index] = None if tensor.bytes is None else max(known, tensor.bytes)
    return largest


def _impossible(problem: Problem, device: int, limit: str, units: Sequence[int]) -> PartitionError:
    names = ", ".join(repr(problem.names[unit]) for unit in units[:3])
    more = ", ..." if len(units) > 3 else ""
    return PartitionError(
        f"device {problem.devices[device]!r}: {limit}, but units can't leave it (pinned there, or supported by no "
        f"later device), with {names}{more}; take pins away or choose a target without this limit"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
