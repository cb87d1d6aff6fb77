"""From a placed, partitioned graph to the plan's data."""

from collections.abc import Iterator, Sequence

from dovetail.compiler.costing import Costing
from dovetail.compiler.crossing import with_costs
from dovetail.compiler.fallbacks import Fallbacks, holder_reason
from dovetail.compiler.figures import UnitCosts, overlapping, partition_figures, predicted, unit_costs
from dovetail.compiler.limit_notes import limit_notes
from dovetail.compiler.options import CompileOptions
from dovetail.compiler.schedule import Handed, make_schedule
from dovetail.compiler.unit_facts import units_of
from dovetail.ir import Border, Graph, tensor_spec
from dovetail.lowering import Piece
from dovetail.partition import Arrangement, Partition, Placed, Problem
from dovetail.passes.tagging import BodyTag, UnitTag, VerdictTag
from dovetail.plan._version import __version__
from dovetail.plan.schema import (
    ModelInfo,
    Plan,
    PlanDevice,
    PlanOperator,
    PlanPartition,
    PlanVerdict,
    State,
)
from dovetail.targets import Device, Target


def make_plan(
    graph: Graph,
    target: Target,
    problem: Problem,
    placed: Placed,
    arrangement: Arrangement,
    pieces: Sequence[Piece],
    costing: Costing,
    options: CompileOptions,
) -> Plan:
    """Everything that is known about a compilation, as plain data; `files` stays empty until it is written."""
    assert problem.costs is not None
    placement, partitions = arrangement.placement, arrangement.partitions
    borders = [piece.border(graph) for piece in pieces]
    devices = [target.devices[partition.device] for partition in partitions]
    handed = [Handed(p.id, d.id, b) for p, d, b in zip(pieces, devices, borders, strict=True)]
    schedule = make_schedule(graph, handed)
    figures = unit_costs(costing)
    return Plan(
        dovetail_version=__version__,
        model=_model_info(graph),
        target=target.ref,
        objective=options.objective,
        predicted=predicted(problem, placed, arrangement, options.placing, costing),
        devices=tuple(PlanDevice(d.id, d.kind, d.name, d.backend, d.numerics) for d in target.devices),
        inputs=tuple(tensor_spec(value) for value in graph.inputs),
        outputs=tuple(tensor_spec(value) for value in graph.outputs),
        slots=schedule.slots,
        partitions=tuple(_partitions(graph, problem, arrangement, pieces, devices, borders)),
        steps=schedule.steps,
        operators=tuple(_operators(graph, target, arrangement, pieces, figures, options)),
        transfers=with_costs(schedule.transfers, graph, problem, units_of(graph)),
        costs=figures.table,
        notes=(
            *dict.fromkeys(moved.cause for moved in placement.moved),
            *limit_notes(graph, target, problem, partitions),
        ),
    )


def _model_info(graph: Graph) -> ModelInfo:
    model = graph.model
    return ModelInfo(
        name=graph.name,
        sha256=graph.sha256,
        bindings=graph.bindings,
        eliminated=graph.eliminated(),
        metadata=dict(model.metadata_props),
        graph=model.graph.name or "",
        producer=model.producer_name or "",
        domain=model.domain or "",
        version=model.model_version or 0,
        description=model.doc_string or "",
    )


def _partitions(
    graph: Graph,
    problem: Problem,
    arrangement: Arrangement,
    pieces: Sequence[Piece],
    devices: Sequence[Device],
    borders: Sequence[Border],
) -> Iterator[PlanPartition]:
    timeline, partitions = arrangement.timeline, arrangement.partitions
    beside = overlapping(partitions, timeline.start, timeline.end)
    rows = zip(pieces, devices, borders, partitions, partition_figures(problem, arrangement), strict=True)
    for number, (piece, device, border, partition, figures) in enumerate(rows):
        yield PlanPartition(
            id=piece.id,
            device=device.id,
            kind=device.kind,
            nodes=tuple(dict.fromkeys(origin for name in piece.nodes for origin in graph.origins(name))),
            inputs=tuple(tensor_spec(value) for value in border.inputs),
            outputs=tuple(tensor_spec(value) for value in border.outputs),
            file=piece.file,
            emulated_file=piece.emulated_file if piece.rounds_to_half else None,
            fallback=_fallback(problem, partition),
            after=tuple(pieces[other].id for other in timeline.after[number]),
            concurrent=tuple(pieces[other].id for other in beside[number]),
            predicted=figures,
        )


def _fallback(problem: Problem, partition: Partition) -> tuple[str, ...]:
    """The other devices that take every unit of a partition, in the target's order."""
    return tuple(
        device
        for index, device in enumerate(problem.devices)
        if index > partition.device and all(problem.allowed[unit][index] for unit in partition.units)
    )


def _operators(
    graph: Graph,
    target: Target,
    arrangement: Arrangement,
    pieces: Sequence[Piece],
    figures: UnitCosts,
    options: CompileOptions,
) -> Iterator[PlanOperator]:
    home = {name: piece.id for piece in pieces for name in piece.nodes}
    why = Fallbacks(graph, target, arrangement, figures, options)
    placement = arrangement.placement
    for name in graph:
        node, unit = graph.node(name), graph.tag(name, UnitTag)
        device = target.devices[placement.device_of[unit.index]]
        origins = graph.origins(name)
        costs = figures.place[unit.index]
        here = figures.table[costs[placement.device_of[unit.index]]]
        reasons = why.of(name)
        yield PlanOperator(
            name=name,
            op_type=node.op_type,
            domain=node.domain,
            device=device.id,
            partition=home[name],
            unit=unit.index,
            verdicts=_verdicts(graph.tag(name, VerdictTag), costs),
            reason="; ".join(reason.message for reason in reasons),
            origins=() if origins == (name,) else origins,
            cost={"latency_us": here.latency_us, "energy_uj": here.energy_uj} if name == unit.main else None,
            fallback=reasons[0] if reasons else None,
        )
        if graph.has_bodies(name):
            yield from _body(graph, name, device, home[name], unit.index, away=bool(reasons))


def _body(graph: Graph, name: str, device: Device, partition: str, unit: int, away: bool) -> Iterator[PlanOperator]:
    for inner, op_type, domain, verdicts in graph.tag(name, BodyTag).operators:
        reason = holder_reason(name)
        yield PlanOperator(
            name=inner,
            op_type=op_type,
            domain=domain,
            device=device.id,
            partition=partition,
            unit=unit,
            verdicts=_verdicts(verdicts),
            reason=reason.message,
            inside=name,
            fallback=reason if away else None,
        )


_TAKEN: tuple[State, ...] = ("supported", "soft")


def _verdicts(tag: VerdictTag, costs: Sequence[int] = ()) -> tuple[PlanVerdict, ...]:
    return tuple(
        PlanVerdict(device, v.state, v.reasons, v.engine, costs[number] if costs and v.state in _TAKEN else None)
        for number, (device, v) in enumerate(tag.verdicts)
    )
