"""When partitions run if devices and links work at the same time: list scheduling."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from dovetail.partition.problem import Partition, Problem


@dataclass(frozen=True, slots=True)
class Timeline:
    """Start and end of every partition, in microseconds from the start of a request."""

    start: tuple[float, ...]
    end: tuple[float, ...]
    latency: float
    """When the last output is back in the caller's memory."""
    after: tuple[tuple[int, ...], ...]
    """For each partition, the earlier ones whose tensors it reads or that must run before it."""

    def overlaps(self, partitions: Sequence[Partition]) -> bool:
        """Whether two devices ever work at the same time."""
        runs = sorted(zip(self.start, self.end, (part.device for part in partitions), strict=True))
        return any(next_start < end for (_, end, _), (next_start, _, _) in pairwise(runs))


def schedule(problem: Problem, partitions: Sequence[Partition]) -> Timeline:
    """Start every partition as soon as its device is free and its tensors are there, in the given order.

    A device runs one partition at a time, in the order of the list; a link carries one tensor at a time, in the order
    in which tensors are asked for, once for each destination. Never later than one after the other. O(V + E).
    """
    costs = problem.costs
    assert costs is not None, "a problem without costs can't be scheduled"
    reads, writes = _border(problem, partitions)
    cpu = len(problem.devices) - 1
    free = [0.0] * len(problem.devices)
    link_free: dict[tuple[int, int], float] = {}
    there: dict[tuple[int, int], float] = {}  # (tensor, device) -> when
    home = [cpu if tensor.producer is None else -1 for tensor in problem.tensors]
    for number, tensor in enumerate(problem.tensors):
        if tensor.producer is None:
            there[number, cpu] = 0.0
    unit_latency, launch = costs.unit_latency, costs.launch_latency.tolist()

    def arrival(number: int, device: int) -> float:
        if (number, device) not in there:
            link = (home[number], device)
            begin = max(there[number, home[number]], link_free.get(link, 0.0))
            there[number, device] = link_free[link] = begin + float(costs.transfer_latency[number, link[0], device])
        return there[number, device]

    ends: list[float] = []
    starts: list[float] = []
    after = _dependencies(problem, partitions)
    for index, part in enumerate(partitions):
        ready = max((ends[other] for other in after[index]), default=0.0)
        ready = max([ready, free[part.device], *(arrival(number, part.device) for number in reads[index])])
        work = float(unit_latency[list(part.units), part.device].sum()) + launch[part.device]
        starts.append(ready)
        ends.append(ready + work)
        free[part.device] = ready + work
        for number in writes[index]:
            home[number] = part.device
            there[number, part.device] = ready + work
    back = [arrival(number, cpu) for number, tensor in enumerate(problem.tensors) if tensor.is_output]
    return Timeline(tuple(starts), tuple(ends), max([*ends, *back], default=0.0), after)


def _border(problem: Problem, partitions: Sequence[Partition]) -> tuple[list[list[int]], list[list[int]]]:
    """The tensors that each partition reads from outside, and those that it makes."""
    part_of = {unit: index for index, part in enumerate(partitions) for unit in part.units}
    reads: list[list[int]] = [[] for _ in partitions]
    writes: list[list[int]] = [[] for _ in partitions]
    for number, tensor in enumerate(problem.tensors):
        maker = None if tensor.producer is None else part_of[tensor.producer]
        if maker is not None:
            writes[maker].append(number)
        for reader in dict.fromkeys(part_of[unit] for unit in tensor.readers):
            if reader != maker:
                reads[reader].append(number)
    return reads, writes


def _dependencies(problem: Problem, partitions: Sequence[Partition]) -> tuple[tuple[int, ...], ...]:
    part_of = {unit: index for index, part in enumerate(partitions) for unit in part.units}
    before: list[set[int]] = [set() for _ in partitions]
    for source, target in problem.edges:
        if part_of[source] != part_of[target]:
            before[part_of[target]].add(part_of[source])
    return tuple(tuple(sorted(each)) for each in before)
