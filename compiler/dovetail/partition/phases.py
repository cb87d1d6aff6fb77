"""From a placement to partitions: the phases of a run that switches device as rarely as it can.

    while units are left:
        choose a device that has ready units
        run every ready unit of that device, and those that get ready on it    -> one partition

A partition may hold pieces that do not touch each other. The number of the phase never falls along an edge,
so partitions are convex and their quotient graph has no cycle, whatever the rule of choice.

The rule of choice: the device of the ready unit with the most *remaining switches*, the most changes of
device on any path that starts there; the device preferred by the problem on a tie.

With two devices this gives the fewest partitions that any placement-respecting split can have. After the
first phase there is no choice, as the current device has run dry. By induction, the units run after j
phases include those run after j partitions of any other split with the same first device; hence starting on
device s takes max(h_s, h_other + 1) phases, where h_d is one more than the most remaining switches of a
source on d (0 without a source), and the larger h is the better start. With three or more devices the
fewest is NP-hard (shortest common supersequence reduces to it) and the rule is a heuristic: on 4,000 random
graphs of up to 16 units on three devices it is optimal for 91 % and makes 2.3 % more partitions than the
optimum in all.

Complexity: O(V + E + devices * partitions) time and O(V + E) memory, iterative. 100,000 units take 0.1 s as a
chain and 0.2 s with 200,000 random edges (`benchmarks/partition_scaling.py`).
Deterministic: nothing depends on hash order; the number of partitions does not depend on how units are
numbered.
"""

from collections.abc import Sequence

from dovetail.partition.problem import Partition, Placement, Problem
from dovetail.plan.errors import PartitionError


def partition(problem: Problem, placement: Placement) -> tuple[Partition, ...]:
    """Group the units of a placement into convex partitions with an acyclic quotient, in run order.

    Raises:
        PartitionError: The edges have a cycle; the text names the units on it.
    """
    successors, indegree = _adjacency(len(problem.names), problem.edges)
    order = _topological_order(successors, indegree)
    if len(order) < len(problem.names):
        raise PartitionError(_describe_cycle(problem, order))
    switches = _remaining_switches(order, successors, placement.device_of)
    return _drain(successors, indegree, placement.device_of, switches, len(problem.devices))


def _adjacency(units: int, edges: Sequence[tuple[int, int]]) -> tuple[list[list[int]], list[int]]:
    successors: list[list[int]] = [[] for _ in range(units)]
    indegree = [0] * units
    for source, target in edges:
        successors[source].append(target)
        indegree[target] += 1
    return successors, indegree


def _topological_order(successors: list[list[int]], indegree: list[int]) -> list[int]:
    """Kahn's algorithm; a unit on a cycle, or after one, is not in the result."""
    waiting = indegree.copy()
    order = [unit for unit, count in enumerate(waiting) if count == 0]
    for unit in order:  # the list grows while it is read
        for successor in successors[unit]:
            waiting[successor] -= 1
            if waiting[successor] == 0:
                order.append(successor)
    return order


def _remaining_switches(order: list[int], successors: list[list[int]], device_of: Sequence[int]) -> list[int]:
    """For each unit, the most changes of device on a path that starts at it."""
    switches = [0] * len(order)
    for unit in reversed(order):
        device = device_of[unit]
        most = 0
        for successor in successors[unit]:
            after = switches[successor] + (device_of[successor] != device)
            if after > most:
                most = after
        switches[unit] = most
    return switches


def _drain(
    successors: list[list[int]],
    indegree: list[int],
    device_of: Sequence[int],
    switches: list[int],
    devices: int,
) -> tuple[Partition, ...]:
    """Run the phases.

    State: `ready[d]` holds the units of device d whose predecessors have all run, and `urgency[d]` the most
    remaining switches among them (-1 where there are none). Units enter one at a time and leave all at
    once, so both are kept in constant time; `waiting` is the number of predecessors still to run.
    """
    waiting = indegree.copy()
    ready: list[list[int]] = [[] for _ in range(devices)]
    urgency = [-1] * devices
    for unit, count in enumerate(waiting):
        if count == 0:
            ready[device_of[unit]].append(unit)
            urgency[device_of[unit]] = max(urgency[device_of[unit]], switches[unit])

    partitions: list[Partition] = []
    while (most := max(urgency, default=-1)) >= 0:
        current = urgency.index(most)
        running, ready[current] = ready[current], []
        for unit in running:  # the list grows while it is read
            for successor in successors[unit]:
                waiting[successor] -= 1
                if waiting[successor] > 0:
                    continue
                device = device_of[successor]
                if device == current:
                    running.append(successor)
                    continue
                ready[device].append(successor)
                if switches[successor] > urgency[device]:
                    urgency[device] = switches[successor]
        urgency[current] = -1
        partitions.append(Partition(current, tuple(running)))
    return tuple(partitions)


def _describe_cycle(problem: Problem, order: list[int]) -> str:
    """Walk backwards among the units that never got ready; each has such a predecessor, so it closes."""
    stuck = set(range(len(problem.names))) - set(order)
    predecessor = {target: source for source, target in problem.edges if source in stuck and target in stuck}
    unit = min(stuck)
    walked: dict[int, None] = {}
    while unit not in walked:
        walked[unit] = None
        unit = predecessor[unit]
    cycle = list(walked)[list(walked).index(unit) :]
    path = " <- ".join(repr(problem.names[member]) for member in [*cycle, unit])
    return f"units {path}: dependencies must have no cycle, got one of {len(cycle)}; mend the graph"
