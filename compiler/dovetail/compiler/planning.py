"""From a placed, partitioned graph to the plan's data."""

from collections.abc import Iterator, Mapping, Sequence

from dovetail.compiler.costing import Costing
from dovetail.compiler.figures import UnitCosts, overlapping, partition_figures, predicted, unit_costs
from dovetail.compiler.limit_notes import limit_notes
from dovetail.compiler.options import CompileOptions
from dovetail.compiler.placing import matches
from dovetail.compiler.schedule import Handed, make_schedule
from dovetail.compiler.unit_facts import units_of
from dovetail.ir import Border, Graph, tensor_spec
from dovetail.lowering import Piece
from dovetail.partition import Arrangement, Partition, Placed, Placement, Problem
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
from dovetail.targets import Device, Target, Verdict


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
        operators=tuple(_operators(graph, target, placement, pieces, figures, options)),
        transfers=schedule.transfers,
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
    placement: Placement,
    pieces: Sequence[Piece],
    figures: UnitCosts,
    options: CompileOptions,
) -> Iterator[PlanOperator]:
    home = {name: piece.id for piece in pieces for name in piece.nodes}
    moved = {each.unit: each.cause for each in placement.moved}
    units = units_of(graph)
    for name in graph:
        node, unit = graph.node(name), graph.tag(name, UnitTag)
        number = placement.device_of[unit.index]
        device = target.devices[number]
        origins = graph.origins(name)
        costs = figures.place[unit.index]
        here = figures.table[costs[number]]
        reason = ""
        if device is not target.devices[0]:
            reason = _reason(graph, name, units[unit.index], target, moved, options.place)
            reason = reason or _dearer(figures, costs, target, number, options)
        yield PlanOperator(
            name=name,
            op_type=node.op_type,
            domain=node.domain,
            device=device.id,
            partition=home[name],
            unit=unit.index,
            verdicts=_verdicts(graph.tag(name, VerdictTag), costs),
            reason=reason,
            origins=() if origins == (name,) else origins,
            cost={"latency_us": here.latency_us, "energy_uj": here.energy_uj} if name == unit.main else None,
        )
        if graph.has_bodies(name):
            yield from _body(graph, name, device, home[name], unit.index)


def _dearer(figures: UnitCosts, costs: Sequence[int], target: Target, number: int, options: CompileOptions) -> str:
    """Why an operator is elsewhere though the first device takes it: by cost."""
    first, here = target.devices[0].id, target.devices[number].id
    there, own = figures.table[costs[0]], figures.table[costs[number]]
    return (
        f"costs less here for the whole model ({options.objective}); alone it takes {own.latency_us:.3g} us and "
        f"{own.energy_uj:.3g} uJ on {here}, {there.latency_us:.3g} us and {there.energy_uj:.3g} uJ on {first}, before "
        "launches and transfers"
    )


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


def _verdicts(tag: VerdictTag, costs: Sequence[int] = ()) -> tuple[PlanVerdict, ...]:
    return tuple(
        PlanVerdict(device, v.state, v.reasons, v.engine, costs[number] if costs and v.state in _TAKEN else None)
        for number, (device, v) in enumerate(tag.verdicts)
    )


def _reason(
    graph: Graph,
    name: str,
    members: Sequence[str],
    target: Target,
    moved: Mapping[int, str],
    place: Sequence[tuple[str, str]],
) -> str:
    """Why an operator is not on the target's first device; empty where nothing but its cost speaks against that."""
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
    taken = all(graph.tag(member, VerdictTag).on(target.devices[0].id).state in _TAKEN for member in members)
    return "" if taken else f"stays with '{unit.main}'"


def _means_one(graph: Graph, members: Sequence[str], pattern: str) -> bool:
    """Whether a pin means a unit: one of its members is enough, as all of them stay together."""
    return any(matches(graph, member, pattern) for member in members)


_TAKEN: tuple[State, ...] = ("supported", "soft")


def _words(verdict: Verdict) -> str:
    if verdict.state in _TAKEN:
        return ""
    return "; ".join(reason.message for reason in verdict.reasons)
