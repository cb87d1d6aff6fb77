"""From a placed, partitioned graph to the plan's data."""

from collections.abc import Iterator, Mapping, Sequence

from dovetail.compiler.limit_notes import limit_notes
from dovetail.compiler.placing import matches, units_of
from dovetail.compiler.schedule import Placed, make_schedule
from dovetail.ir import Graph, tensor_spec
from dovetail.lowering import Piece
from dovetail.partition import Partition, Placement, Problem
from dovetail.passes.tagging import BodyTag, UnitTag, VerdictTag
from dovetail.plan._version import __version__
from dovetail.plan.schema import (
    ModelInfo,
    Plan,
    PlanDevice,
    PlanOperator,
    PlanPartition,
    PlanVerdict,
    Predicted,
    State,
)
from dovetail.targets import Device, Target, Verdict


def make_plan(
    graph: Graph,
    target: Target,
    problem: Problem,
    placement: Placement,
    partitions: Sequence[Partition],
    pieces: Sequence[Piece],
    place: Sequence[tuple[str, str]],
) -> Plan:
    """Everything that is known about a compilation, as plain data; `files` stays empty until it is written."""
    borders = [piece.border(graph) for piece in pieces]
    devices = [target.devices[partition.device] for partition in partitions]
    placed = [Placed(p.id, d.id, b) for p, d, b in zip(pieces, devices, borders, strict=True)]
    schedule = make_schedule(graph, placed)
    return Plan(
        dovetail_version=__version__,
        model=ModelInfo(graph.name, graph.sha256, graph.bindings, graph.eliminated()),
        target=target.ref,
        objective="greedy",
        predicted=Predicted(),
        devices=tuple(PlanDevice(d.id, d.kind, d.name, d.backend, d.numerics) for d in target.devices),
        inputs=tuple(tensor_spec(value) for value in graph.inputs),
        outputs=tuple(tensor_spec(value) for value in graph.outputs),
        slots=schedule.slots,
        partitions=tuple(
            PlanPartition(
                id=piece.id,
                device=device.id,
                kind=device.kind,
                nodes=tuple(dict.fromkeys(origin for name in piece.nodes for origin in graph.origins(name))),
                inputs=tuple(tensor_spec(value) for value in border.inputs),
                outputs=tuple(tensor_spec(value) for value in border.outputs),
                file=piece.file,
                emulated_file=piece.emulated_file if piece.rounds_to_half else None,
                fallback=_fallback(problem, partition),
            )
            for piece, device, border, partition in zip(pieces, devices, borders, partitions, strict=True)
        ),
        steps=schedule.steps,
        operators=tuple(_operators(graph, target, placement, pieces, place)),
        transfers=schedule.transfers,
        notes=(
            *dict.fromkeys(moved.cause for moved in placement.moved),
            *limit_notes(graph, target, problem, partitions),
        ),
    )


def _fallback(problem: Problem, partition: Partition) -> tuple[str, ...]:
    """The other devices that take every unit of a partition, in the target's order."""
    return tuple(
        device
        for index, device in enumerate(problem.devices)
        if index > partition.device and all(problem.allowed[unit][index] for unit in partition.units)
    )


def _operators(
    graph: Graph, target: Target, placement: Placement, pieces: Sequence[Piece], place: Sequence[tuple[str, str]]
) -> Iterator[PlanOperator]:
    home = {name: piece.id for piece in pieces for name in piece.nodes}
    moved = {each.unit: each.cause for each in placement.moved}
    units = units_of(graph)
    for name in graph:
        node, unit = graph.node(name), graph.tag(name, UnitTag)
        device = target.devices[placement.device_of[unit.index]]
        origins = graph.origins(name)
        yield PlanOperator(
            name=name,
            op_type=node.op_type,
            domain=node.domain,
            device=device.id,
            partition=home[name],
            unit=unit.index,
            verdicts=_verdicts(graph.tag(name, VerdictTag)),
            reason="" if device is target.devices[0] else _reason(graph, name, units[unit.index], target, moved, place),
            origins=() if origins == (name,) else origins,
        )
        if graph.has_bodies(name):
            yield from _body(graph, name, device, home[name], unit.index)


def _body(graph: Graph, name: str, device: Device, partition: str, unit: int) -> Iterator[PlanOperator]:
    for inner, op_type, domain, verdicts in graph.tag(name, BodyTag).operators:
        yield PlanOperator(
            name=inner,
            op_type=op_type,
            domain=domain,
            device=device.id,
            partition=partition,
            unit=unit,
            verdicts=_verdicts(verdicts),
            reason=f"runs where '{name}' runs, whose body holds it",
            inside=name,
        )


def _verdicts(tag: VerdictTag) -> tuple[PlanVerdict, ...]:
    return tuple(PlanVerdict(device, v.state, v.reasons, v.engine) for device, v in tag.verdicts)


def _reason(
    graph: Graph,
    name: str,
    members: Sequence[str],
    target: Target,
    moved: Mapping[int, str],
    place: Sequence[tuple[str, str]],
) -> str:
    """Why an operator is not on the target's first device."""
    pins = [f"pinned by --place '{pattern}={to}'" for pattern, to in place if _means_one(graph, members, pattern)]
    if pins:
        return pins[-1]
    unit = graph.tag(name, UnitTag)
    if unit.index in moved:
        return moved[unit.index]
    for member in (name, *members):
        words = _words(graph.tag(member, VerdictTag).on(target.devices[0].id))
        if words:
            return words
    return f"stays with '{unit.main}'"


def _means_one(graph: Graph, members: Sequence[str], pattern: str) -> bool:
    """Whether a pin means a unit: one of its members is enough, as all of them stay together."""
    return any(matches(graph, member, pattern) for member in members)


_TAKEN: tuple[State, ...] = ("supported", "soft")


def _words(verdict: Verdict) -> str:
    if verdict.state in _TAKEN:
        return ""
    return "; ".join(reason.message for reason in verdict.reasons)
