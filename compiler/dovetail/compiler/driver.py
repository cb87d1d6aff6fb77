"""The driver: from a model and a target to a compilation."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dovetail.compiler.options import CompileOptions
from dovetail.compiler.placing import make_problem, units_of
from dovetail.compiler.planning import make_plan
from dovetail.ir import Graph, load_model
from dovetail.lowering import Piece, write_payloads
from dovetail.partition import Partition, greedy, limits, phases, verify_partitions
from dovetail.passes import run_passes, run_to_fixpoint
from dovetail.passes.canonical import CANONICAL_PASSES
from dovetail.passes.legalize import LEGALIZE_PASSES
from dovetail.passes.tagging import AnnotateUnits, AnnotateVerdicts
from dovetail.plan import Plan, atomic_folder, write_plan
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

    def save(self, path: str | Path) -> Path:
        """Write the plan folder: whole, or not at all. Returns its path.

        Raises:
            PlanError: something that is not a plan is in the way.
            OSError: the folder can't be written.
        """
        final = Path(path)
        with atomic_folder(final) as folder:
            write_payloads(self.graph, self.pieces, folder)
            write_plan(self.plan, folder)
        return final


def compile_model(model: str | Path | bytes, target: str, options: CompileOptions = _DEFAULTS) -> Compilation:
    """Compile a model for a target. Nothing is written, and nothing is run.

    Args:
        model: path or bytes of an ONNX model; external data is found beside a path.
        target: `name`, `name:variant`, or the path of a target file.
        options: loading options, pins and overlays.

    Raises:
        ModelError: the model or a loading option.
        TargetError: the target, an overlay, or one of its devices of which nobody publishes what it takes.
        PartitionError: a pin that can't be kept, or an operator that no device of the target takes.
    """
    described = load_target(target)
    for overlay in options.overlays:
        described = apply_overlay(described, read_overlay(overlay))
    described.require_operators()
    return compile_graph(prepare(model, options), described, options.place)


def prepare(model: str | Path | bytes, options: CompileOptions) -> Graph:
    """Load a model and bring it into the form in which its operators are judged; see `compile_model`."""
    graph = load_model(model, options.bindings)
    run_to_fixpoint(graph, CANONICAL_PASSES)
    run_passes(graph, LEGALIZE_PASSES)
    return graph


def compile_graph(graph: Graph, target: Target, place: Sequence[tuple[str, str]] = ()) -> Compilation:
    """Tag, place and partition a graph as it stands; see `compile_model`. O(V + E) but for the verifier."""
    run_passes(graph, (AnnotateUnits(), AnnotateVerdicts(target)))
    problem = make_problem(graph, target, place)
    placement = limits.enforce(problem, greedy.place(problem))
    partitions = phases.partition(problem, placement)
    verify_partitions(problem, placement, partitions)
    pieces = _pieces(graph, target, partitions)
    plan = make_plan(graph, target, problem, placement, partitions, pieces, place)
    return Compilation(plan, target, graph, pieces)


def _pieces(graph: Graph, target: Target, partitions: tuple[Partition, ...]) -> tuple[Piece, ...]:
    units = units_of(graph)
    order = {name: position for position, name in enumerate(graph)}
    pieces = []
    for number, partition in enumerate(partitions):
        device = target.devices[partition.device]
        nodes = sorted((name for unit in partition.units for name in units[unit]), key=order.__getitem__)
        pieces.append(Piece(f"{number:03d}-{device.id}", tuple(nodes), device.numerics == "fp16"))
    return tuple(pieces)
