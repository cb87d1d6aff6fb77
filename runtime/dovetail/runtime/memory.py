"""Where the tensors between partitions lie in one piece of memory, those that are never alive together in one place."""

from collections.abc import Mapping, Sequence
from typing import Final

LINE: Final = 64
"""Bytes that tensors are aligned to: a line of the cache, and the widest vector of a CPU."""


def lay_out(
    sizes: Mapping[int, int], makers: Mapping[int, int], users: Sequence[int], before: Sequence[int]
) -> tuple[dict[int, int], int]:
    """Give every slot a place, the largest first, each at the lowest address that is free while it is alive.

    Quadratic in the number of slots.

    Args:
        sizes: Slot -> bytes.
        makers: Slot -> the step that writes it.
        users: Slot -> the set of steps that read or write it, as bits.
        before: Step -> the set of steps that have surely ended when it begins, as bits.

    Returns:
        Slot -> offset in bytes, and the size of the whole.
    """
    places: dict[int, int] = {}
    for slot in sorted(sizes, key=lambda slot: (-sizes[slot], slot)):
        taken = sorted(
            (places[other], places[other] + sizes[other])
            for other in places
            if not _ends_before(slot, other, makers, users, before)
            and not _ends_before(other, slot, makers, users, before)
        )
        offset = 0
        for start, end in taken:
            if offset + sizes[slot] <= start:
                break
            offset = max(offset, -(-end // LINE) * LINE)
        places[slot] = offset
    return places, max((places[slot] + sizes[slot] for slot in places), default=0)


def _ends_before(
    first: int, second: int, makers: Mapping[int, int], users: Sequence[int], before: Sequence[int]
) -> bool:
    """Whether nobody uses the first slot any more when the second is written."""
    return users[first] & ~before[makers[second]] == 0
