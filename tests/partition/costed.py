"""Random placement problems with costs, and all placements of one: what solvers are compared with.

Nothing here is shared with the solvers. `every_placement` counts the launches of two devices by the longest path of
switches, for all placements at once; those of more devices are counted in the partitions that would run.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dovetail.cost import CostTable
from dovetail.partition import DeviceLimits, Objective, Placement, PlaceOptions, Problem, Tensor
from dovetail.partition.phases import Grouper

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

FREE_UNITS = {1: 14, 2: 14, 3: 7}
"""The most units that brute force takes, by the number of devices."""
DEVICES = ("npu", "gpu", "cpu")

COUNTS = st.integers(0, 12).map(float)
"""Zeros and equal numbers."""
MEASURED = st.floats(0.01, 1e3)
MAGNITUDES = st.floats(-6, 9).map(lambda exponent: float(10.0**exponent)) | st.just(0.0)
"""From a picosecond to a quarter of an hour."""


def devices_of(count: int) -> tuple[str, ...]:
    """The ids of so many devices; the last is the CPU."""
    return DEVICES[-1:] if count == 1 else (*DEVICES[: count - 1], "cpu")


@st.composite
def costed_problems(
    draw: st.DrawFn,
    devices: int = 2,
    max_units: int | None = None,
    amounts: st.SearchStrategy[float] | None = None,
    limited: bool = True,
    launches: bool = True,
) -> Problem:
    """Random graphs, numbered in topological order.

    Tensors have no reader, one or several, and may be inputs or outputs of the model; some edges carry none.

    Args:
        draw: from hypothesis.
        devices: how many.
        max_units: the most units; without, as many as brute force takes.
        amounts: what a latency or an energy is.
        limited: with pins, memory caps and limits of partitions.
        launches: with the launches of partitions.
    """
    units = draw(st.integers(1, max_units or FREE_UNITS[devices]))
    amounts = draw(st.sampled_from([COUNTS, MEASURED])) if amounts is None else amounts
    tensors = draw(_tensors(units))
    pairs = [(source, target) for target in range(units) for source in range(target)]
    waits = draw(st.lists(st.sampled_from(pairs), max_size=2)) if pairs else []
    carried = [(t.producer, reader) for t in tensors if t.producer is not None for reader in t.readers]
    masks = [mask for mask in itertools.product((True, False), repeat=devices) if any(mask)]
    allowed = tuple(draw(st.lists(st.just(masks[0]) | st.sampled_from(masks), min_size=units, max_size=units)))
    pinned = draw(st.sets(st.integers(0, units - 1), max_size=2)) if limited and draw(_one_in(2)) else set()
    return Problem(
        devices=devices_of(devices),
        names=tuple(f"unit{unit}" for unit in range(units)),
        allowed=allowed,
        edges=tuple(dict.fromkeys([*carried, *waits])),
        sizes=(1,) * units,
        pins={u: draw(st.sampled_from(np.flatnonzero(allowed[u]).tolist())) for u in sorted(pinned)},
        limits=draw(_partition_limits(devices)) if limited else {},
        tensors=tensors,
        costs=draw(_cost_tables(units, devices, len(tensors), amounts, limited, launches)),
    )


def _one_in(many: int) -> st.SearchStrategy[bool]:
    return st.integers(1, many).map(lambda number: number == many)


@st.composite
def _tensors(draw: st.DrawFn, units: int) -> tuple[Tensor, ...]:
    made = [*range(units), *draw(st.lists(st.integers(0, units - 1), max_size=2))]
    tensors = [Tensor(8, unit, tuple(sorted(draw(_readers(unit + 1, units)))), draw(_one_in(4))) for unit in made]
    inputs = [draw(_readers(0, units)) for _ in range(draw(st.integers(0, 2)))]
    return (*tensors, *(Tensor(8, None, tuple(sorted(readers)), draw(st.booleans())) for readers in inputs))


def _readers(first: int, end: int) -> st.SearchStrategy[set[int]]:
    return st.sets(st.integers(first, min(first + 4, end - 1)), max_size=3) if first < end else st.just(set())


@st.composite
def _partition_limits(draw: st.DrawFn, devices: int) -> dict[int, DeviceLimits]:
    limited = [device for device in range(devices - 1) if draw(_one_in(4))]
    return {device: DeviceLimits(max_partitions=draw(st.sampled_from([1, 2, 3, 0]))) for device in limited}


@st.composite
def _cost_tables(
    draw: st.DrawFn,
    units: int,
    devices: int,
    tensors: int,
    amounts: st.SearchStrategy[float],
    limited: bool,
    launches: bool,
) -> CostTable:
    def table(*shape: int, elements: st.SearchStrategy[float] = amounts) -> Floats:
        return draw(hnp.arrays(np.float64, shape, elements=elements, fill=st.nothing()))

    transfer = table(tensors, devices, devices) * (1 - np.eye(devices))
    launch = np.zeros(devices) if not launches or draw(_one_in(4)) else table(devices)
    memory = np.round(table(units, devices, elements=COUNTS))
    most = [draw(st.integers(2, 6)) * units if limited and draw(_one_in(4)) else np.inf for _ in range(devices - 1)]
    watts = st.sampled_from([0.5, 1.0, 2.0, 15.0])
    return CostTable(
        unit_latency=table(units, devices),
        unit_energy=table(units, devices),
        transfer_latency=transfer,
        transfer_energy=transfer * draw(watts),
        launch_latency=launch,
        launch_energy=launch * table(devices, elements=watts),
        memory=memory,
        capacity=np.array([*most, np.inf]),
    )


# --- brute force -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class EveryPlacement:
    """All placements that pins and devices allow, one a row, and what each costs, run one partition after the other."""

    device_of: Ints
    """[placements, units]."""
    loads: Floats
    """[placements, devices]: microseconds that each device is busy."""
    energy: Floats
    memory: Floats
    """[placements, devices]."""
    partitions: Ints
    """[placements, devices]."""

    @property
    def latency(self) -> Floats:
        """Microseconds."""
        return np.asarray(self.loads.sum(axis=1))

    def objective(self, objective: Objective) -> Floats:
        """What each placement is worth."""
        values: dict[Objective, Callable[[], Floats]] = {
            "latency": lambda: self.latency,
            "energy": lambda: self.energy,
            "edp": lambda: self.latency * self.energy,
            "throughput": lambda: np.asarray(self.loads.max(axis=1)),
        }
        return values[objective]()

    def within(self, problem: Problem, options: PlaceOptions) -> Bools:
        """Which placements keep the limits of devices and of the user."""
        assert problem.costs is not None
        kept = (self.memory <= problem.costs.capacity).all(axis=1)
        for device, limits in problem.limits.items():
            if limits.max_partitions is not None:
                kept &= self.partitions[:, device] <= limits.max_partitions
        if options.max_latency_ms is not None:
            kept &= self.latency <= 1e3 * options.max_latency_ms * (1 + 1e-9)
        if options.max_energy_mj is not None:
            kept &= self.energy <= 1e3 * options.max_energy_mj * (1 + 1e-9)
        return np.asarray(kept)

    def row(self, device_of: Sequence[int]) -> int:
        """Which one a placement is."""
        (found,) = np.flatnonzero((self.device_of == np.array(device_of, np.int64)).all(axis=1))
        return int(found)


def every_placement(problem: Problem) -> EveryPlacement:
    """Enumerate all placements and add up what they cost."""
    costs = problem.costs
    assert costs is not None
    devices = len(problem.devices)
    choices = [
        [problem.pins[unit]] if unit in problem.pins else np.flatnonzero(row).tolist()
        for unit, row in enumerate(problem.allowed)
    ]
    grids = np.meshgrid(*choices, indexing="ij")
    device_of = np.stack([grid.ravel() for grid in grids], axis=1).astype(np.int64)
    partitions = _count_partitions(problem, device_of)
    loads = partitions * costs.launch_latency
    energy = partitions @ costs.launch_energy
    memory = np.zeros_like(loads)
    for unit, device in itertools.product(range(len(problem.names)), range(devices)):
        here = device_of[:, unit] == device
        loads[here, device] += costs.unit_latency[unit, device]
        energy[here] += costs.unit_energy[unit, device]
        memory[here, device] += costs.memory[unit, device]
    cpu = np.full(len(device_of), devices - 1)
    for number, tensor in enumerate(problem.tensors):
        home = cpu if tensor.producer is None else device_of[:, tensor.producer]
        for device in range(devices):
            wanted = (device_of[:, list(tensor.readers)] == device).any(axis=1)
            wanted |= tensor.is_output and device == devices - 1
            wanted &= home != device
            loads[wanted, device] += costs.transfer_latency[number, home[wanted], device]
            energy[wanted] += costs.transfer_energy[number, home[wanted], device]
    return EveryPlacement(device_of, loads, energy, memory, partitions)


def _count_partitions(problem: Problem, device_of: Ints) -> Ints:
    assert problem.costs is not None
    devices = len(problem.devices)
    if devices == 2:
        return _alternations(problem, device_of, problem.costs.launch_latency)
    grouper = Grouper(problem)
    counts = np.zeros((len(device_of), devices), np.int64)
    for row, labels in zip(counts, device_of.tolist(), strict=True):
        for part in grouper.partition(labels):
            row[part.device] += 1
    return counts


def _alternations(problem: Problem, device_of: Ints, launch: Floats) -> Ints:
    """Of two devices: one partition more than the most switches on a path, from the better device to start on."""
    starts = sorted((0, 1), key=lambda device: (launch[device], device))
    lengths = []
    for start in starts:
        switches = (device_of != start).astype(np.int64)
        for source, target in sorted(problem.edges, key=lambda edge: edge[1]):
            after = switches[:, source] + (device_of[:, source] != device_of[:, target])
            switches[:, target] = np.maximum(switches[:, target], after)
        lengths.append(1 + switches.max(axis=1))
    first = np.where(lengths[0] <= lengths[1], starts[0], starts[1])
    length = np.minimum(lengths[0], lengths[1])
    counts = np.empty((len(device_of), 2), np.int64)
    for device in (0, 1):
        counts[:, device] = np.where(first == device, (length + 1) // 2, length // 2)
    return counts


def placement_of(everything: EveryPlacement, row: int) -> Placement:
    """One of the placements."""
    return Placement(tuple(everything.device_of[row].tolist()))
