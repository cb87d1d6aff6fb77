"""A placement problem as flat arrays, made once, for the solvers.

Units are nodes 0 to n-1. Two nodes stand beside them. The *host*, n, makes the model's inputs and reads its outputs;
it is on the CPU. The *root*, n+1, comes before every unit that waits for nothing, and its device is that of the first
partition: with it, the launches of a placement on two devices are those on the path from the root with most of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dovetail.partition.order import adjacency, topological_order
from dovetail.partition.problem import Problem

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Arrays:
    """The structure of a problem; what placements cost is in `Weights`."""

    units: int
    devices: int
    allowed: Bools
    """[units + 2, devices], pins applied."""
    edge_source: Ints
    """[edges], those of the root included; duplicates removed."""
    edge_target: Ints
    order: tuple[int, ...]
    """The root and the units in topological order."""
    incoming: tuple[tuple[tuple[int, int], ...], ...]
    """For each node, (source, edge) of the edges that enter it."""
    producer: Ints
    """[tensors]: a unit, or the host."""
    reader_tensor: Ints
    """[readings]: the tensor of each reading, in ascending order."""
    reader: Ints
    """[readings]: the unit that reads, or the host."""

    @property
    def host(self) -> int:
        """The node of the caller's memory."""
        return self.units

    @property
    def root(self) -> int:
        """The node before all units."""
        return self.units + 1

    def positions(self) -> Ints:
        """[units + 2]: where each node is in `order`; -1 for the host, which is not in it."""
        made = np.full(self.units + 2, -1, np.int64)
        made[list(self.order)] = np.arange(len(self.order))
        return made

    def labels(self, device_of: Sequence[int] | Ints) -> Ints:
        """The devices of all nodes, for a placement of the units; the root goes where the first unit goes."""
        made = np.empty(self.units + 2, np.int64)
        made[: self.units] = device_of
        made[self.host] = self.devices - 1
        made[self.root] = made[self.order[1]] if self.units else self.devices - 1
        return made


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """What a solver makes smallest: one number for every part of a placement."""

    unit: Floats
    """[units + 2, devices]. The host's are 0, the root's the launch of the first partition."""
    transfer: Floats
    """[tensors, devices, devices]."""
    launch: Floats
    """[devices]."""

    def times(self, factor: float) -> "Weights":
        """The same in another measure."""
        return Weights(factor * self.unit, factor * self.transfer, factor * self.launch)


def make_arrays(problem: Problem) -> Arrays:
    """Flatten a problem that has costs. O(V + E).

    Raises:
        PartitionError: the edges have a cycle.
    """
    units, devices = len(problem.names), len(problem.devices)
    allowed = np.ones((units + 2, devices), np.bool_)
    if units:
        allowed[:units] = problem.allowed
    for unit, device in problem.pins.items():
        allowed[unit] = np.arange(devices) == device
    allowed[units] = np.arange(devices) == devices - 1
    edges = np.array(problem.edges, np.int64).reshape(-1, 2)
    has_source = np.zeros(units, np.bool_)
    has_source[edges[:, 1]] = True
    first = np.flatnonzero(~has_source)
    source = np.concatenate([np.full(len(first), units + 1), edges[:, 0]])
    target = np.concatenate([first, edges[:, 1]])
    incoming: list[list[tuple[int, int]]] = [[] for _ in range(units + 2)]
    for number, (a, b) in enumerate(zip(source.tolist(), target.tolist(), strict=True)):
        incoming[b].append((a, number))
    order = topological_order(problem, *adjacency(units, problem.edges))
    counts = np.array([len(t.readers) + t.is_output for t in problem.tensors], np.int64)
    return Arrays(
        units=units,
        devices=devices,
        allowed=allowed,
        edge_source=source,
        edge_target=target,
        order=(units + 1, *order),
        incoming=tuple(map(tuple, incoming)),
        producer=np.array([units if t.producer is None else t.producer for t in problem.tensors], np.int64),
        reader_tensor=np.repeat(np.arange(len(counts)), counts),
        reader=np.array(
            [r for t in problem.tensors for r in (*t.readers, *((units,) if t.is_output else ()))], np.int64
        ),
    )


def make_weights(problem: Problem, latency: Floats, energy: float) -> Weights:
    """Weigh the costs of a problem: `latency[device]` times each latency, plus `energy` times each energy.

    A transfer's latency counts for the device that receives it.
    """
    costs = problem.costs
    assert costs is not None
    launch = costs.launch_latency * latency + costs.launch_energy * energy
    unit = np.zeros((len(problem.names) + 2, len(problem.devices)))
    unit[:-2] = costs.unit_latency * latency + costs.unit_energy * energy
    unit[-1] = launch
    return Weights(unit, costs.transfer_latency * latency + costs.transfer_energy * energy, launch)


def serial_parts(arrays: Arrays, weights: Weights, labels: Ints) -> float:
    """Units and transfers of a placement, without its launches. O(V + E)."""
    nodes = np.arange(arrays.units)
    total = float(weights.unit[nodes, labels[:-2]].sum())
    if len(arrays.producer):
        crosses = np.zeros((len(arrays.producer), arrays.devices), np.bool_)
        crosses[arrays.reader_tensor, labels[arrays.reader]] = True
        total += float(weights.transfer[np.arange(len(arrays.producer)), labels[arrays.producer]][crosses].sum())
    return total
