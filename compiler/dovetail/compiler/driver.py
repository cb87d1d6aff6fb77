"""The driver: from a model and a target to a compilation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from dovetail.compiler.costing import Costing
from dovetail.compiler.options import CompileOptions
from dovetail.compiler.placing import make_problem
from dovetail.compiler.planning import make_plan
from dovetail.compiler.quantizing import Values, decide, quantize_graph, with_quantization
from dovetail.compiler.refusals import Refusals, refuse
from dovetail.compiler.unit_facts import units_of
from dovetail.cost.costs_file import apply_costs, read_costs
from dovetail.ir import Graph, load_model
from dovetail.lowering import Piece, write_payloads
from dovetail.partition import Partition, arrange, pareto, place
from dovetail.passes import run_passes, run_to_fixpoint
from dovetail.passes.canonical import CANONICAL_PASSES
from dovetail.passes.legalize import LEGALIZE_PASSES
from dovetail.passes.tagging import AnnotateUnits, AnnotateVerdicts
from dovetail.plan import Front, FrontPoint, PartitionError, Plan, as_variant, atomic_folder, verdict_html, write_plan
from dovetail.plan.words import counted
from dovetail.targets import Target, load_target
from dovetail.targets.overlay import apply_overlay, read_overlay

_DEFAULTS = CompileOptions()


@dataclass(frozen=True, slots=True, eq=False)
class Compilation:
    """A compiled model: its plan, and what is needed to write it."""

    plan: Plan
    """`plan.files` is empty: nothing is written yet."""
    target: Target
    graph: Graph
    pieces: tuple[Piece, ...]
    others: tuple["Compilation", ...] = ()
    """The compilations for other batch sizes, whose plans are variants of this one's."""

    def __repr__(self) -> str:
        """One line: the fields hold the whole model and target."""
        plan = self.plan
        operators = counted(sum(not each.inside for each in plan.operators), "operator")
        partitions = counted(len(plan.partitions), "partition")
        return f"<Compilation of {plan.model.name!r} for {plan.target}: {operators}, {partitions}>"

    def _repr_html_(self) -> str:
        """The plan's verdict, as notebooks show it."""
        return verdict_html(self.plan)

    def save(self, path: str | Path) -> Path:
        """Write the plan folder: whole, or not at all. Returns its path.

        Raises:
            PlanError: something that is not a plan is in the way.
            OSError: the folder can't be written.
        """
        final = Path(path)
        with atomic_folder(final) as folder:
            write_payloads([(each.graph, each.pieces) for each in (self, *self.others)], folder)
            write_plan(self.plan, folder)
        return final


def compile_model(model: str | Path | bytes, target: str, options: CompileOptions = _DEFAULTS) -> Compilation:
    """Compile a model for a target. Nothing is written; nothing is run but the samples that `quantize` names.

    Args:
        model: path or bytes of an ONNX model; external data is found beside a path.
        target: `name`, `name:variant`, or the path of a target file.
        options: loading options, pins and overlays.

    Raises:
        ModelError: the model or a loading option.
        TargetError: the target, an overlay, or one of its devices of which nobody publishes what it takes.
        PartitionError: a pin that can't be kept, an operator that no device of the target takes, or limits that no
            placement keeps.
        RunError: samples to calibrate on that can't be used.
    """
    compiled = compile_batches(model, load_described(target, options), options)
    return join_batches(compiled) if options.batches else compiled[0][1]


def compile_batches(
    model: str | Path | bytes, target: Target, options: CompileOptions
) -> list[tuple[int, Compilation]]:
    """A compilation for each batch size that is asked for; for the model as it is, one under size 0.

    Raises:
        ModelError, PartitionError: as `compile_model`.
        RunError: samples to calibrate on that can't be used.
    """
    graphs = {
        batch: prepare(model, replace(options, batch=batch or options.batch, batches=()))
        for batch in options.batches or (0,)
    }
    if options.quantize is None:
        return _compile_each(graphs, target, options)
    return _choose(model, graphs, target, options)


def _compile_each(
    graphs: Mapping[int, Graph], target: Target, options: CompileOptions
) -> list[tuple[int, Compilation]]:
    return [(batch, compile_graph(graph, target, options, prefix_of(batch))) for batch, graph in graphs.items()]


def prefix_of(batch: int) -> str:
    """How the ids of the partitions of a batch size begin."""
    return f"b{batch}-" if batch else ""


def _choose(
    model: str | Path | bytes, graphs: Mapping[int, Graph], target: Target, options: CompileOptions
) -> list[tuple[int, Compilation]]:
    """The compilations of the float model, or those of the quantized one where they are better and lose little.

    It is quantized once for all batch sizes, so that they compute the same.
    """
    assert options.quantize is not None
    scheme = target.devices[0].quantization
    source = graphs[0] if 0 in graphs else prepare(model, replace(options, batches=()))
    made = quantize_graph(source, scheme, options.quantize)
    floats = _tried(graphs, target, options)
    integers: list[tuple[int, Compilation]] | PartitionError | None = None
    if made.model is not None:
        integers = _tried(_quantized_graphs(made.model, graphs), target, options)
    record = decide(made, Values(_value(floats), _value(integers)), scheme, options)
    chosen = integers if record.taken else floats
    if not isinstance(chosen, list):
        assert chosen is not None
        raise chosen
    return [(batch, replace(each, plan=with_quantization(each.plan, record))) for batch, each in chosen]


def _quantized_graphs(model: bytes, graphs: Mapping[int, Graph]) -> dict[int, Graph]:
    made = {}
    for batch, graph in graphs.items():
        made[batch] = prepare(model, CompileOptions(batch=batch or None))
        made[batch].descend_from(graph)
    return made


def _tried(
    graphs: Mapping[int, Graph], target: Target, options: CompileOptions
) -> list[tuple[int, Compilation]] | PartitionError:
    try:
        return _compile_each(graphs, target, options)
    except PartitionError as error:
        return error


def _value(compiled: list[tuple[int, Compilation]] | PartitionError | None) -> float | None:
    if not isinstance(compiled, list):
        return None
    return sum(each.plan.predicted.value or 0.0 for _, each in compiled)


def join_batches(compiled: Sequence[tuple[int, Compilation]]) -> Compilation:
    """One compilation out of those for several batch sizes: the first, with the others as variants."""
    placements: list[dict[str, str]] = []
    variants = []
    for batch, each in compiled:
        placement = {operator.name: operator.device for operator in each.plan.operators}
        if placement not in placements:
            placements.append(placement)
        variants.append(as_variant(each.plan, batch, placements.index(placement)))
    (batch, first), *rest = compiled
    plan = replace(first.plan, batch=batch, variants=tuple(variants[1:]))
    return replace(first, plan=plan, others=tuple(each for _, each in rest))


def prepare(model: str | Path | bytes, options: CompileOptions) -> Graph:
    """Load a model and bring it into the form in which its operators are judged; see `compile_model`."""
    graph = load_model(model, options.bindings)
    run_to_fixpoint(graph, CANONICAL_PASSES)
    run_passes(graph, LEGALIZE_PASSES)
    return graph


def trace_pareto(model: str | Path | bytes, target: str, options: CompileOptions = _DEFAULTS) -> Front:
    """The front between latency and energy of a model on a target; raises as `compile_model`."""
    described = load_described(target, options)
    graph = prepare(model, options)
    tag(graph, described)
    return trace_front(graph, described, options)


def trace_front(graph: Graph, target: Target, options: CompileOptions) -> Front:
    """The same of a graph with units and verdicts, as one that was compiled has."""
    problem = make_problem(graph, target, options.place)
    units = units_of(graph)
    points = []
    for choice in pareto(problem, options.placing):
        device_of = {
            name: problem.devices[device]
            for unit, device in zip(units, choice.placement.device_of, strict=True)
            for name in unit
        }
        points.append(FrontPoint(1e-3 * choice.latency, 1e-3 * choice.energy, choice.partitions, device_of))
    assert problem.costs is not None
    return Front(graph.name, target.ref, problem.devices, problem.costs.source, tuple(points))


def load_described(target: str, options: CompileOptions) -> Target:
    """The target, with its overlays and fitted costs; TargetError also where nothing can be compiled for it."""
    described = load_overlaid(target, options)
    described.require_operators()
    return described


def load_overlaid(target: str, options: CompileOptions) -> Target:
    """The target, with its overlays and fitted costs, whether or not anything can be compiled for it."""
    described = load_target(target)
    for overlay in options.overlays:
        described = apply_overlay(described, read_overlay(overlay))
    for costs in options.costs:
        described = apply_costs(described, read_costs(costs))
    return described


def tag(graph: Graph, target: Target) -> None:
    """Set units and verdicts on every operator."""
    run_passes(graph, (AnnotateUnits(), AnnotateVerdicts(target)))


def compile_graph(
    graph: Graph,
    target: Target,
    options: CompileOptions = _DEFAULTS,
    prefix: str = "",
    refusals: Refusals = MappingProxyType({}),
) -> Compilation:
    """Tag, place and partition a graph as it stands; see `compile_model`. Loading options are not looked at.

    Args:
        graph: prepared.
        target: the machine.
        options: what the placement is asked for.
        prefix: how the ids of partitions begin, where several compilations share a folder.
        refusals: units that devices must not have, whatever the target says.
    """
    tag(graph, target)
    refuse(graph, refusals)
    return compile_tagged(graph, target, options, prefix)


def compile_tagged(graph: Graph, target: Target, options: CompileOptions, prefix: str = "") -> Compilation:
    """Place and partition a graph by the units and verdicts that are on it; see `compile_graph`."""
    costing = Costing(graph, target, units_of(graph))
    problem = make_problem(graph, target, options.place, costing)
    placed = place(problem, options.placing)
    arrangement = arrange(problem, placed, options.placing)
    pieces = make_pieces(graph, target, arrangement.partitions, prefix)
    plan = make_plan(graph, target, problem, placed, arrangement, pieces, costing, options)
    return Compilation(plan, target, graph, pieces)


def make_pieces(graph: Graph, target: Target, partitions: tuple[Partition, ...], prefix: str = "") -> tuple[Piece, ...]:
    """What is lowered for each partition: its nodes in topological order, under its id."""
    units = units_of(graph)
    pieces = []
    for number, partition in enumerate(partitions):
        device = target.devices[partition.device]
        nodes = graph.in_order(name for unit in partition.units for name in units[unit])
        pieces.append(Piece(f"{prefix}{number:03d}-{device.id}", tuple(nodes), device.numerics == "fp16"))
    return tuple(pieces)
