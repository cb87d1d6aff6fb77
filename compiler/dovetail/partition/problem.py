"""Placement and partitioning as plain data: what goes into the algorithms of this package and what comes out.

The compiler driver makes a `Problem` once from the graph. From here on a unit and a device are indices, so
that the algorithms are loops over flat tuples and their results are equal on every run.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from dovetail.cost import CostTable


@dataclass(frozen=True, slots=True)
class DeviceLimits:
    """What a device asks of the partitions on it. The defaults ask nothing."""

    max_partitions: int | None = None
    contiguous: bool = False
    """One connected subgraph is all that runs on it."""
    prefix_only: bool = False
    """Nothing runs on it that depends on a unit elsewhere, entrances apart."""
    uniform_batch: bool = False
    """The units of a partition have the same batch size."""
    one_precision: bool = False
    """All units on it have the same precision."""
    min_operators: int = 1
    """In a partition, unless a unit of it can't leave: it is pinned, or no later device allows it."""
    min_tensor_bytes: int = 0
    """Of the largest tensor in a partition or at its edge, with the same exception."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor that one unit hands to others, or that enters or leaves the model."""

    bytes: int | None
    """None: not known before the model runs."""
    producer: int | None
    """The unit that makes it. None: it is an input of the model."""
    readers: tuple[int, ...]
    """The units that read it, its producer not among them."""
    is_output: bool = False
    """The model returns it."""


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
    limits: Mapping[int, DeviceLimits]
    """Device -> its limits; no entry means none."""
    batches: tuple[tuple[int, ...], ...] = ()
    """The batch sizes of each unit: one as a rule, none where it fits any. May be left out without `uniform_batch`."""
    precisions: tuple[tuple[str, ...], ...] = ()
    """The precisions that each unit computes in, in the same way. May be left out without `one_precision`."""
    tensors: tuple[Tensor, ...] = ()
    """What crosses units or enters or leaves the model. May be left out without costs and `min_tensor_bytes`."""
    entrances: frozenset[int] = frozenset()
    """Units that only quantize the model's inputs. May be left out without `prefix_only`."""
    costs: CostTable | None = None
    """What placements cost; None where only what is allowed counts."""


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
