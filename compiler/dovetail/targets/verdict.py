"""The answer of one device about one operator."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from dovetail.plan.schema import Reason, State

SEVERITY: Final[dict[State, int]] = {"supported": 0, "soft": 1, "unknown": 2, "unsupported": 3}
"""Order of the states; the worst of an operator's rules is its verdict."""


def worst(states: Iterable[State]) -> State:
    """Return the most severe of `states`, `supported` where there are none."""
    return max(states, key=SEVERITY.__getitem__, default="supported")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a device takes an operator, and every rule that speaks against it.

    `unsupported`, `unknown` and `soft` always carry at least one reason.
    """

    state: State
    reasons: tuple[Reason, ...] = ()
    engine: str = ""
    """The engine inside the device that runs it (`dpu`, `shave`, ...), where the target names one."""
