"""Placement and partitioning as plain data: what goes into the algorithms of this package and what comes out.

The compiler driver makes a `Problem` once from the graph. From here on a unit and a device are indices, so
that the algorithms are loops over flat tuples and their results are equal on every run.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """Which unit may run where, and what depends on what."""

    devices: tuple[str, ...]
    """Device ids in order of preference; the last is the CPU."""
    names: tuple[str, ...]
    """One for each unit, used in messages only."""
    allowed: tuple[tuple[bool, ...], ...]
    """`allowed[unit][device]`: the unit's verdict on the device is supported or soft."""
    edges: tuple[tuple[int, int], ...]
    """`(u, v)`: unit v reads what unit u writes, or must run after it. Without repetition."""
    sizes: tuple[int, ...]
    """Number of operators in each unit."""
    pins: Mapping[int, int]
    """Unit -> device, where the user asked for it."""
    limits: Mapping[int, int]
    """Device -> most partitions that it can hold; no entry means no limit."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A unit that a limit took off the device it was first placed on."""

    unit: int
    from_device: int
    to_device: int
    cause: str
    """One sentence for the report."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A device for each unit."""

    device_of: tuple[int, ...]
    moved: tuple[Moved, ...] = ()
    """In the order of the moves; a unit that moved twice is here twice."""


@dataclass(frozen=True, slots=True)
class Partition:
    """Units that run on one device without a switch in between."""

    device: int
    units: tuple[int, ...]
    """In an order in which they can run."""
