"""Partitions for devices that work at the same time.

Units are taken one at a time, the one with the longest way to the end first, and put where they end first (after
Topcuoglu, Hariri and Wu, "Performance-effective and low-complexity task scheduling", 2002). What is new is that a
device runs partitions, not units: a partition starts when all that it reads is there, and hands on its tensors when
it ends. So on every device one partition is open. A unit joins it if all that it needs from elsewhere was there when
the partition started; else it opens the next one, and pays its launch. A unit that needs a tensor of an open
partition of another device closes that.
"""

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from dovetail.partition.order import adjacency, topological_order
from dovetail.partition.problem import Partition, Problem


@dataclass(slots=True)
class _Open:
    """The partition that a device has open."""

    number: int = -1
    start: float = 0.0
    end: float = 0.0
    closed: bool = True


@dataclass(slots=True)
class _State:
    """The run so far."""

    problem: Problem
    choices: Sequence[Sequence[int]]
    """The devices that each unit may be on."""
    predecessors: list[list[int]]
    tensor_of: dict[int, list[int]]
    """The tensors that each unit reads from other units or the caller."""
    partitions: list[tuple[int, list[int]]] = field(default_factory=list)
    start: list[float] = field(default_factory=list)
    part_of: dict[int, int] = field(default_factory=dict)
    end: list[float] = field(default_factory=list)
    """Of each partition, so far."""
    arrived: dict[tuple[int, int], float] = field(default_factory=dict)


def partition_concurrently(
    problem: Problem, choices: Sequence[Sequence[int]], closing_price: float = 0.5, close_forks: bool = False
) -> tuple[Partition, ...]:
    """Place and partition for concurrent devices. O((V + E) * devices + V log V).

    Args:
        problem: with costs.
        choices: the devices that each unit may be on; one for a placement that is settled.
        closing_price: launches that it counts to make another device close its partition.
        close_forks: end a partition behind every unit that several others wait for, so that another device can start.
    """
    costs = problem.costs
    assert costs is not None, "a problem without costs can't be scheduled"
    successors, indegree = adjacency(len(problem.names), problem.edges)
    order = topological_order(problem, successors, indegree)
    rank = _ranks(problem, choices, successors, order)
    state = _State(problem, choices, [[] for _ in problem.names], {unit: [] for unit in range(len(problem.names))})
    for source, target in problem.edges:
        state.predecessors[target].append(source)
    for number, tensor in enumerate(problem.tensors):
        for unit in tensor.readers:
            state.tensor_of[unit].append(number)
    opened = [_Open() for _ in problem.devices]
    waiting = indegree.copy()
    ready = [(-rank[unit], unit) for unit, count in enumerate(waiting) if count == 0]
    heapq.heapify(ready)
    while ready:
        _, unit = heapq.heappop(ready)
        device = _put(state, opened, unit, closing_price)
        if close_forks and len(successors[unit]) > 1:
            opened[device].closed = True
        for successor in successors[unit]:
            waiting[successor] -= 1
            if waiting[successor] == 0:
                heapq.heappush(ready, (-rank[successor], successor))
    parts = (state.partitions[number] for number in _run_order(state))
    return tuple(Partition(device, tuple(units)) for device, units in parts)


def _run_order(state: _State) -> list[int]:
    """The partitions by their start, each behind those that it reads from: one opened late may have started early."""
    behind: dict[int, set[int]] = {number: set() for number in range(len(state.partitions))}
    for source, target in state.problem.edges:
        if state.part_of[source] != state.part_of[target]:
            behind[state.part_of[source]].add(state.part_of[target])
    waiting = Counter(target for targets in behind.values() for target in targets)
    ready = [(state.start[number], number) for number in behind if not waiting[number]]
    heapq.heapify(ready)
    order = []
    while ready:
        _, number = heapq.heappop(ready)
        order.append(number)
        for target in behind[number]:
            waiting[target] -= 1
            if not waiting[target]:
                heapq.heappush(ready, (state.start[target], target))
    return order


def _ranks(
    problem: Problem, choices: Sequence[Sequence[int]], successors: list[list[int]], order: list[int]
) -> list[float]:
    """For each unit the time from its start to the end of the request, with mean costs."""
    costs = problem.costs
    assert costs is not None
    means = [sum(row[d] for d in may) / len(may) for row, may in zip(costs.unit_latency.tolist(), choices, strict=True)]
    rank = [0.0] * len(order)
    for unit in reversed(order):
        rank[unit] = means[unit] + max((rank[successor] for successor in successors[unit]), default=0.0)
    return rank


def _put(state: _State, opened: list[_Open], unit: int, closing_price: float) -> int:
    """Put a unit where it ends first; returns the device."""
    best: tuple[float, float, int, bool] | None = None
    for device in state.choices[unit]:
        end, start, joins, closes = _try(state, opened, unit, device)
        score = end + closing_price * closes
        if best is None or score < best[0]:
            best = (score, start, device, joins)
    assert best is not None, "a unit that no device takes"
    _, start, device, joins = best
    costs = state.problem.costs
    assert costs is not None
    for before in state.predecessors[unit]:
        number = state.part_of[before]
        maker = state.partitions[number][0]
        if maker != device and opened[maker].number == number:
            opened[maker].closed = True
    for number in state.tensor_of[unit]:
        state.arrived.setdefault((number, device), _arrival(state, number, device))
    own = opened[device]
    if not joins:
        own.number, own.closed = len(state.partitions), False
        own.start = start
        own.end = start + float(costs.launch_latency[device])
        state.partitions.append((device, []))
        state.start.append(start)
        state.end.append(own.end)
    own.end += float(costs.unit_latency[unit, device])
    state.partitions[own.number][1].append(unit)
    state.part_of[unit] = own.number
    state.end[own.number] = own.end
    return device


def _try(state: _State, opened: list[_Open], unit: int, device: int) -> tuple[float, float, bool, float]:
    """When the unit ends on a device, when its partition starts, whether it joins, what it makes others launch."""
    costs = state.problem.costs
    assert costs is not None
    own = opened[device]
    there, closes = 0.0, 0.0
    for before in state.predecessors[unit]:
        number = state.part_of[before]
        maker = state.partitions[number][0]
        if maker != device:
            there = max(there, state.end[number])
            if opened[maker].number == number and not opened[maker].closed:
                closes += float(costs.launch_latency[maker])
    for number in state.tensor_of[unit]:
        there = max(there, _arrival(state, number, device))
    work = float(costs.unit_latency[unit, device])
    if not own.closed and there <= own.start:
        return own.end + work, own.start, True, closes
    start = max(own.end, there)
    return start + float(costs.launch_latency[device]) + work, start, False, closes


def _arrival(state: _State, number: int, device: int) -> float:
    """When a tensor is on a device; 0 for one that is made there, as the device's own order sees to that."""
    known = state.arrived.get((number, device))
    if known is not None:
        return known
    tensor, costs = state.problem.tensors[number], state.problem.costs
    assert costs is not None
    cpu = len(state.problem.devices) - 1
    if tensor.producer is None:
        return float(costs.transfer_latency[number, cpu, device])
    maker = state.part_of[tensor.producer]
    home = state.partitions[maker][0]
    return 0.0 if home == device else state.end[maker] + float(costs.transfer_latency[number, home, device])
