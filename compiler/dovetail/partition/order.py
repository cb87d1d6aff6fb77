"""The order in which units can run."""

from collections.abc import Sequence

from dovetail.partition.problem import Problem
from dovetail.plan.errors import PartitionError


def adjacency(units: int, edges: Sequence[tuple[int, int]]) -> tuple[list[list[int]], list[int]]:
    """The successors of every unit, and how many predecessors it has."""
    successors: list[list[int]] = [[] for _ in range(units)]
    indegree = [0] * units
    for source, target in edges:
        successors[source].append(target)
        indegree[target] += 1
    return successors, indegree


def topological_order(problem: Problem, successors: list[list[int]], indegree: list[int]) -> list[int]:
    """Kahn's algorithm. O(V + E).

    Raises:
        PartitionError: The edges have a cycle; the text names the units on it.
    """
    waiting = indegree.copy()
    order = [unit for unit, count in enumerate(waiting) if count == 0]
    for unit in order:  # the list grows while it is read
        for successor in successors[unit]:
            waiting[successor] -= 1
            if waiting[successor] == 0:
                order.append(successor)
    if len(order) < len(problem.names):
        raise PartitionError(_describe_cycle(problem, order))
    return order


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
