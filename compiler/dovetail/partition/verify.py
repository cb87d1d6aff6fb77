"""An independent check of every partitioning: plain, and sharing no code with what made the result.

Each rule is one function below. Time is linear in units and edges but for convexity, which keeps a bit set
over the partitions for each unit. In all, 10,000 units in 1,800 partitions take 50 ms, 100,000 units in
3,000 partitions 0.9 s (`benchmarks/partition_scaling.py`).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from graphlib import CycleError, TopologicalSorter

import networkx as nx

from dovetail.partition.problem import DeviceLimits, Partition, Placement, Problem, Tensor
from dovetail.plan.errors import PartitionError

_MAX_CONVEXITY_BITS = 1 << 29
"""Units * partitions up to which convexity is checked directly (64 MiB). Beyond, it follows from the run
order: each edge goes to the same or a later partition, so a path that has left a partition can't come
back."""


def verify_partitions(problem: Problem, placement: Placement, partitions: tuple[Partition, ...]) -> None:
    """Check that a result is a partitioning of the problem for the placement.

    The rules: every unit is in exactly one partition (cover, disjoint); a partition has units of its own
    device only, allowed there and as pinned; no path leaves a partition and comes back (convex); partitions
    do not wait for each other in a circle (acyclic); everything runs after what it depends on (run order);
    every limit of every device is kept (`DeviceLimits`).

    Raises:
        PartitionError: A rule is broken; the text names the rule and the units.
    """
    _check_cover(problem, partitions)
    _check_devices(problem, placement, partitions)
    part_of = {unit: index for index, part in enumerate(partitions) for unit in part.units}
    _check_convex(problem, partitions, part_of)
    _check_acyclic(problem, partitions, part_of)
    _check_run_order(problem, partitions)
    _check_limits(problem, partitions)


def _check_cover(problem: Problem, partitions: tuple[Partition, ...]) -> None:
    seen = Counter(unit for part in partitions for unit in part.units)
    units = range(len(problem.names))
    if unknown := [unit for unit in seen if unit not in units]:
        raise _broken("cover", f"got unit numbers {unknown[:3]}, allowed are 0 to {len(units) - 1}")
    if missing := [unit for unit in units if seen[unit] == 0]:
        raise _broken("cover", f"every unit must be in a partition, got none for {_names(problem, missing)}")
    if repeated := [unit for unit in units if seen[unit] > 1]:
        raise _broken("disjoint", f"a unit must be in one partition, once; got more for {_names(problem, repeated)}")
    if empty := [index for index, part in enumerate(partitions) if not part.units]:
        raise _broken("cover", f"a partition must have units, got none in partition {empty[0]}")


def _check_devices(problem: Problem, placement: Placement, partitions: tuple[Partition, ...]) -> None:
    if len(placement.device_of) != len(problem.names):
        raise _broken("device", f"{len(problem.names)} units need a device each, got {len(placement.device_of)}")
    for index, part in enumerate(partitions):
        if part.device not in range(len(problem.devices)):
            raise _broken("device", f"partition {index} is on device {part.device}, which the target lacks")
        device = problem.devices[part.device]
        if wrong := [unit for unit in part.units if placement.device_of[unit] != part.device]:
            raise _broken("device", f"partition {index} is on {device}, {_names(problem, wrong)} is placed elsewhere")
        if wrong := [unit for unit in part.units if not problem.allowed[unit][part.device]]:
            raise _broken("device", f"partition {index} is on {device}, which does not allow {_names(problem, wrong)}")
        if wrong := [unit for unit in part.units if problem.pins.get(unit, part.device) != part.device]:
            raise _broken("device", f"partition {index} is on {device}, {_names(problem, wrong)} is pinned elsewhere")


def _check_convex(problem: Problem, partitions: tuple[Partition, ...], part_of: dict[int, int]) -> None:
    """No path leaves a partition and comes back.

    `left[unit]` is the set, as bits, of the partitions that some path to the unit has been in and has left.
    """
    if len(problem.names) * len(partitions) > _MAX_CONVEXITY_BITS:
        return
    predecessors: dict[int, list[int]] = {unit: [] for unit in range(len(problem.names))}
    for source, target in problem.edges:
        predecessors[target].append(source)
    try:
        order = list(TopologicalSorter(predecessors).static_order())
    except CycleError as error:
        raise _broken("graph", f"units depend on each other: {_names(problem, error.args[1])}") from error
    left = [0] * len(problem.names)
    for unit in order:
        for predecessor in predecessors[unit]:
            left[unit] |= left[predecessor]
            if part_of[predecessor] != part_of[unit]:
                left[unit] |= 1 << part_of[predecessor]
        if left[unit] >> part_of[unit] & 1:
            raise _broken(
                "convex",
                f"a path leaves partition {part_of[unit]} and comes back to {_names(problem, [unit])}",
            )


def _check_acyclic(problem: Problem, partitions: tuple[Partition, ...], part_of: dict[int, int]) -> None:
    waits_for: dict[int, set[int]] = {index: set() for index in range(len(partitions))}
    for source, target in problem.edges:
        if part_of[source] != part_of[target]:
            waits_for[part_of[target]].add(part_of[source])
    try:
        TopologicalSorter(waits_for).prepare()
    except CycleError as error:
        circle = [partitions[index] for index in error.args[1]]
        raise _broken(
            "acyclic",
            f"partitions {error.args[1]} wait for each other, "
            f"with {_names(problem, [part.units[0] for part in circle[1:]])}",
        ) from error


def _check_run_order(problem: Problem, partitions: tuple[Partition, ...]) -> None:
    run = [unit for part in partitions for unit in part.units]
    time_of = {unit: time for time, unit in enumerate(run)}
    for source, target in problem.edges:
        if time_of[source] >= time_of[target]:
            raise _broken(
                "run order",
                f"{_names(problem, [target])} needs {_names(problem, [source])}, which runs later",
            )


def _check_limits(problem: Problem, partitions: tuple[Partition, ...]) -> None:
    for device, limits in problem.limits.items():
        own = [part for part in partitions if part.device == device]
        units = {unit for part in own for unit in part.units}
        name = problem.devices[device]
        if limits.max_partitions is not None and len(own) > limits.max_partitions:
            raise _broken(
                "limit",
                f"{name} can hold {limits.max_partitions} partitions, got {len(own)}, with "
                f"{_names(problem, [part.units[0] for part in own])}",
            )
        if limits.contiguous:
            _check_contiguous(problem, own, name)
        before = units | problem.entrances
        if limits.prefix_only and (late := [t for s, t in problem.edges if t in units and s not in before]):
            raise _broken(
                "prefix", f"{name} runs the start of a model, got {_names(problem, late)} after units elsewhere"
            )
        if limits.one_precision:
            _check_common(problem, units, problem.precisions, f"one precision on {name}")
        if limits.uniform_batch:
            for part in own:
                _check_common(problem, part.units, problem.batches, f"one batch size in a partition on {name}")
        _check_sizes(problem, limits, own)


def _check_contiguous(problem: Problem, own: Sequence[Partition], device: str) -> None:
    if len(own) > 1:
        raise _broken("contiguous", f"{device} runs one subgraph, got {len(own)} partitions")
    for part in own:
        inside: nx.Graph[int] = nx.Graph()
        inside.add_nodes_from(part.units)
        inside.add_edges_from((s, t) for s, t in problem.edges if s in inside and t in inside)
        pieces = [sorted(piece)[0] for piece in nx.connected_components(inside)]
        if len(pieces) > 1:
            raise _broken(
                "contiguous", f"{device} runs one connected subgraph, got pieces of {_names(problem, pieces)}"
            )


def _check_common(
    problem: Problem, units: Iterable[int], values: Sequence[tuple[int, ...]] | Sequence[tuple[str, ...]], limit: str
) -> None:
    first_with: dict[int | str, int] = {}
    for unit in units:
        for value in values[unit]:
            first_with.setdefault(value, unit)
    if len(first_with) > 1:
        got = " and ".join(str(value) for value in first_with)
        raise _broken("uniform", f"{limit}: got {got}, with {_names(problem, first_with.values())}")


def _check_sizes(problem: Problem, limits: DeviceLimits, own: Sequence[Partition]) -> None:
    """Every partition is large enough, or a unit of it can go nowhere else."""
    of_unit: dict[int, list[Tensor]] = {}
    for tensor in problem.tensors:
        for unit in (tensor.producer, *tensor.readers):
            if unit is not None:
                of_unit.setdefault(unit, []).append(tensor)
    for part in own:
        later = range(part.device + 1, len(problem.devices))
        if any(unit in problem.pins or not any(problem.allowed[unit][d] for d in later) for unit in part.units):
            continue
        operators = sum(problem.sizes[unit] for unit in part.units)
        if operators < limits.min_operators:
            raise _broken(
                "size",
                f"a partition has at least {limits.min_operators} operators, got {operators}, with "
                f"{_names(problem, part.units)}",
            )
        sizes = [tensor.bytes for unit in part.units for tensor in of_unit.get(unit, [])]
        if limits.min_tensor_bytes and all(size is not None and size < limits.min_tensor_bytes for size in sizes):
            raise _broken(
                "size",
                f"a partition has a tensor of at least {limits.min_tensor_bytes} bytes, got none in that of "
                f"{_names(problem, part.units)}",
            )


def _broken(rule: str, what: str) -> PartitionError:
    return PartitionError(
        f"partitioning breaks the rule {rule!r}: {what}; this is a fault of the partitioner, please report it"
    )


def _names(problem: Problem, units: Iterable[int]) -> str:
    names = [problem.names[unit] for unit in units]
    shown = ", ".join(repr(name) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
