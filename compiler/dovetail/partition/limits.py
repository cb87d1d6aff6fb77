"""Limits of devices, kept by giving units to the next device that allows them.

A target may limit what runs on a device beyond the verdicts of single operators (`DeviceLimits`). Each limit is a
function of `limit_rules`, which says what to give back where the limit is broken.
"""

from collections.abc import Sequence

from dovetail.partition.limit_rules import RULES
from dovetail.partition.phases import partition
from dovetail.partition.problem import Moved, Partition, Placement, Problem
from dovetail.plan.errors import PartitionError


def enforce(problem: Problem, placement: Placement) -> Placement:
    """Move units to their next allowed device until every limit of every device is kept.

    A unit that is pinned, or that no later device allows, never moves. In a round the first broken limit gives back
    all that breaks it; then the partitions are made anew, because units that left can let others join or part.

    Ends because every round moves at least one unit to a later device. Deterministic. Time: O(V + E) for each round
    (`phases.partition`, and one pass for each limit). One limit takes one or two rounds as a rule; five at once took
    eight on 100,000 units with 200,000 random edges.

    Raises:
        PartitionError: A limit is still broken when nothing that breaks it can move, or the edges have a cycle.
    """
    if not problem.limits:
        return placement
    device_of = list(placement.device_of)
    moved = list(placement.moved)
    while True:
        moves = _first_moves(problem, partition(problem, Placement(tuple(device_of))))
        if not moves:
            return Placement(tuple(device_of), tuple(moved))
        for move in moves:
            device_of[move.unit] = move.to_device
        moved.extend(moves)


def are_kept(problem: Problem, partitions: tuple[Partition, ...]) -> bool:
    """Whether partitions keep every limit of every device."""
    try:
        return not _first_moves(problem, partitions)
    except PartitionError:  # nothing could be moved that would keep it
        return False


def _first_moves(problem: Problem, partitions: tuple[Partition, ...]) -> Sequence[Moved]:
    """Devices in order of preference, because what one gives back may burden the later ones."""
    for device in sorted(problem.limits):
        for rule in RULES:
            if moves := rule(problem, partitions, device):
                return moves
    return ()
