"""The smallest part of an ordered whole that fails."""

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def smallest_failing(items: Sequence[Item], fails: Callable[[Sequence[Item]], bool]) -> tuple[int, int]:
    """An interval that fails, while no shorter one with the same end or start does.

    `fails` should hold for every interval around one that fails; where it does not, the interval that is returned
    fails all the same. Asks 2 ceil(log2(items)) + 1 times at most; ceil(log2(items)) + 1 times where one item fails
    alone.

    Args:
        items: a whole that fails. In topological order of a convex set every interval is convex.
        fails: whether an interval fails.

    Returns:
        Start and end.
    """
    below, end = 0, len(items)  # no failure in what ends below, one in what ends at the end
    while end - below > 1:
        middle = (below + end) // 2
        if fails(items[:middle]):
            end = middle
        else:
            below = middle
    if end > 1 and fails(items[end - 1 : end]):
        return end - 1, end
    start, above = 0, max(end - 1, 1)
    while above - start > 1:
        middle = (start + above) // 2
        if fails(items[middle:end]):
            start = middle
        else:
            above = middle
    return start, end
