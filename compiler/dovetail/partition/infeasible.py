"""Why no placement keeps all limits: which ones contradict each other, and by how much."""

import math
from collections.abc import Sequence

from dovetail.partition.bounded import Limit, minimise_within
from dovetail.partition.search import Search
from dovetail.plan.errors import PartitionError

_SHOWN = {"us": (1e-3, "ms"), "uJ": (1e-3, "mJ"), "B": (1e-6, "MB"), "": (1.0, "")}


def explain_infeasible(search: Search, limits: Sequence[Limit]) -> PartitionError:
    """Find the first limit that can't be kept alone, or else with those before it, and say what could be reached."""
    kept: list[Limit] = []
    for limit in limits:
        labels, value, bound = minimise_within(search, limit.weights, kept)
        if labels is None or value > limit.most * (1 + 1e-9):
            beside = " and ".join(_amount(other, other.most) for other in kept)
            proven = bound > limit.most
            least = bound if proven else value
            if proven and not limit.unit:  # a number of partitions: more than 1.9 are 2
                least = float(math.ceil(least - 1e-6))
            verb = "no placement has less than" if proven else "the least that was found is"
            return PartitionError(
                f"placement: the {limit.what} must be at most {_size(limit, limit.most)}"
                f"{f' together with at most {beside}' if beside else ''}, but {verb} {_size(limit, least)}, "
                f"{_size(limit, least - limit.most)} more; raise the limit, take pins away, or choose another target"
            )
        kept.append(limit)
    each = ", ".join(_amount(limit, limit.most) for limit in limits)
    return PartitionError(
        f"placement: no placement was found that keeps all of: {each}, with the limits of the target's devices; each "
        "can be kept without the ones behind it; raise one of them, take pins away, or choose another target"
    )


def _amount(limit: Limit, value: float) -> str:
    return f"{_size(limit, value)} {limit.what}"


def _size(limit: Limit, value: float) -> str:
    factor, unit = _SHOWN[limit.unit]
    return f"{value * factor:.6g} {unit}".rstrip()
