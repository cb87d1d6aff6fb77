"""What a partitioning costs, added up again: plain, and sharing no code with the solvers."""

import math
from dataclasses import dataclass

from dovetail.partition.problem import Partition, Problem


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The cost of one request when its partitions run one after the other."""

    latency: float
    """Microseconds."""
    energy: float
    """Microjoules."""
    loads: tuple[float, ...]
    """Microseconds that each device is busy: its units, its launches, and what is transferred to it."""
    memory: tuple[float, ...]
    """Bytes of constants on each device."""


def evaluate(problem: Problem, partitions: tuple[Partition, ...]) -> Evaluation:
    """Add up units, transfers (one for each tensor and destination device) and launches. O(V + E)."""
    costs = problem.costs
    assert costs is not None, "a problem without costs can't be evaluated"
    devices = range(len(problem.devices))
    latency: list[list[float]] = [[] for _ in devices]
    memory: list[list[float]] = [[] for _ in devices]
    energy = []
    device_of = {}
    for part in partitions:
        latency[part.device].append(float(costs.launch_latency[part.device]))
        energy.append(float(costs.launch_energy[part.device]))
        for unit in part.units:
            device_of[unit] = part.device
            latency[part.device].append(float(costs.unit_latency[unit, part.device]))
            energy.append(float(costs.unit_energy[unit, part.device]))
            memory[part.device].append(float(costs.memory[unit, part.device]))
    cpu = len(problem.devices) - 1
    for number, tensor in enumerate(problem.tensors):
        home = cpu if tensor.producer is None else device_of[tensor.producer]
        destinations = {device_of[unit] for unit in tensor.readers} | ({cpu} if tensor.is_output else set())
        for device in sorted(destinations - {home}):
            latency[device].append(float(costs.transfer_latency[number, home, device]))
            energy.append(float(costs.transfer_energy[number, home, device]))
    loads = tuple(math.fsum(parts) for parts in latency)
    return Evaluation(math.fsum(loads), math.fsum(energy), loads, tuple(math.fsum(parts) for parts in memory))
