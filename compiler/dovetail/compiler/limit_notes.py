"""Limits of a target that can only be told: nothing that the partitioner could do would keep them."""

from collections.abc import Iterator, Sequence

from dovetail.compiler.unit_facts import units_of
from dovetail.ir import Graph, border, shape_of
from dovetail.partition import Partition, Problem
from dovetail.targets import Target


def limit_notes(graph: Graph, target: Target, problem: Problem, partitions: Sequence[Partition]) -> tuple[str, ...]:
    """One sentence for each such limit that concerns the partitions on the target's NPU; none without any."""
    notes: list[str] = []
    for index, device in enumerate(target.devices):
        own = [part for part in partitions if part.device == index]
        if device.kind == "npu" and own:
            notes += _whole_graph(target, problem, device.id, own)
            notes += _open_shapes(graph, target, device.id, own)
            notes += _small(problem, device.id, index, own)
            notes += _edges(target, device.id)
    return tuple(notes)


def _whole_graph(target: Target, problem: Problem, device: str, own: Sequence[Partition]) -> Iterator[str]:
    taken = sum(problem.sizes[unit] for part in own for unit in part.units)
    elsewhere = sum(problem.sizes) - taken
    if target.limits.whole_graph_preferred and elsewhere:
        yield (
            f"{device}: its compiler takes or refuses each partition as a whole; it gets {len(own)}, with "
            f"{_count(elsewhere, 'operator')} of the model elsewhere"
        )


def _open_shapes(graph: Graph, target: Target, device: str, own: Sequence[Partition]) -> Iterator[str]:
    if not target.limits.static_shapes:
        return
    units = units_of(graph)
    nodes = [name for part in own for unit in part.units for name in units[unit]]
    open_ones = [name for name in nodes if _has_open_shape(graph, name)]
    if open_ones:
        yield (
            f"{device}: static shapes only, but a dimension is not known for {_count(len(open_ones), 'operator')} "
            f"there, such as '{open_ones[0]}'; fix the model's inputs with --dim or --shape"
        )


def _has_open_shape(graph: Graph, name: str) -> bool:
    edge = border(graph, [name])
    shapes = [shape_of(value) for value in (*edge.inputs, *edge.outputs)]
    return any(shape is None or not all(isinstance(dim, int) for dim in shape) for shape in shapes)


def _small(problem: Problem, device: str, index: int, own: Sequence[Partition]) -> Iterator[str]:
    limits = problem.limits.get(index)
    if limits is None:
        return
    small = [part for part in own if sum(problem.sizes[unit] for unit in part.units) < limits.min_operators]
    if small:
        yield (
            f"{device}: keeps {_count(len(small), 'partition')} of fewer than {limits.min_operators} operators, with "
            f"units that can't leave, such as in that of '{problem.names[small[0].units[0]]}'"
        )


def _edges(target: Target, device: str) -> Iterator[str]:
    if target.limits.layout:
        yield f"{device}: works in {target.limits.layout}; its backend converts what enters and leaves a partition"
    if least := target.limits.min_tensor_bytes:
        yield f"{device}: what enters or leaves a partition takes at least {least} bytes; smaller tensors are padded"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
