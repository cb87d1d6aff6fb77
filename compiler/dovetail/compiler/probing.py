"""Asking the vendor's own compiler about a model's operators, one by one, and comparing with the target's file."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dovetail.compiler.driver import prepare
from dovetail.compiler.options import CompileOptions
from dovetail.compiler.placing import units_of
from dovetail.ir import Graph
from dovetail.lowering.probe import Answer, ask_provider, probe_model, tool_name, why_no_probe
from dovetail.passes import run_passes
from dovetail.passes.tagging import AnnotateUnits, AnnotateVerdicts, UnitTag, VerdictTag
from dovetail.passes.tagging.views import operator_view
from dovetail.plan.errors import LoweringError
from dovetail.plan.schema import DeviceKind, State
from dovetail.targets import Device, Target, worst
from dovetail.targets.overlay import AnswerPart, OverlayPart
from dovetail.targets.signature import signature


@dataclass(frozen=True, slots=True)
class Probed:
    """A unit of the model: what the file says of it, and what the tool says."""

    name: str
    """Its main operator."""
    op_type: str
    state: State
    reason: str
    """Why the file does not call it supported."""
    answer: Answer
    signature: str

    @property
    def agrees(self) -> bool:
        """File and tool say the same; what the file does not know, it need not take."""
        return (self.state in ("supported", "soft")) == self.answer.whole


@dataclass(frozen=True, slots=True)
class Probe:
    """The outcome of probing a model."""

    target: str
    device: DeviceKind
    tool: str
    units: tuple[Probed, ...]

    @property
    def disagreements(self) -> tuple[Probed, ...]:
        """The units of which file and tool say different things."""
        return tuple(unit for unit in self.units if not unit.agrees)

    def overlay(self) -> OverlayPart:
        """The answers that differ from the file; a signature is taken where every unit of it is."""
        taken: dict[str, bool] = {}
        words = {}
        for unit in self.disagreements:
            taken[unit.signature] = taken.get(unit.signature, True) and unit.answer.whole
            words[unit.signature] = unit.answer.words
        answers = tuple(
            AnswerPart(signature=text, taken=yes, words="" if yes else words[text]) for text, yes in taken.items()
        )
        return OverlayPart(overlay=1, target=self.target, device=self.device, source=self.tool, answers=answers)


def probe_target(model: str | Path, target: Target, options: CompileOptions) -> Probe:
    """Ask the tool of the target's first device about every unit of a model. Nothing is run.

    Units of one signature are asked about once. One session a distinct unit, in a child process.

    Raises:
        ModelError: the model or a loading option.
        LoweringError: no tool for the device is installed here.
    """
    device = target.devices[0]
    backend = device.backend
    if why := why_no_probe(backend):
        raise LoweringError(f"target {target.ref!r}: the compiler of '{device.id}' can't be asked: {why}")
    assert backend is not None
    graph = prepare(model, options)
    run_passes(graph, (AnnotateUnits(), AnnotateVerdicts(target)))
    units = units_of(graph)
    marks = [_signatures(graph, members) for members in units]
    with tempfile.TemporaryDirectory(prefix="dovetail-probe-") as folder:
        files: dict[tuple[str, ...], Path] = {}
        for members, mark in zip(units, marks, strict=True):
            if mark not in files:
                files[mark] = Path(folder, f"{len(files):05}.onnx")
                files[mark].write_bytes(probe_model(graph, members).SerializeToString())
        answers = ask_provider(list(files.values()), backend)
    probed = [
        _probed(graph, members, mark, device, answers[files[mark]]) for members, mark in zip(units, marks, strict=True)
    ]
    return Probe(target.ref, device.id, tool_name(backend), tuple(probed))


def _signatures(graph: Graph, members: Sequence[str]) -> tuple[str, ...]:
    """The signature of every operator of a unit, the main one's first."""
    unit = graph.tag(members[0], UnitTag)
    group = [graph.node(name) for name in members] if unit.quantized else []
    ordered = sorted(members, key=lambda name: name != unit.main)
    return tuple(signature(operator_view(graph, graph.node(name), group)) for name in ordered)


def _probed(graph: Graph, members: Sequence[str], mark: tuple[str, ...], device: Device, answer: Answer) -> Probed:
    main = graph.tag(members[0], UnitTag).main
    verdicts: Mapping[str, VerdictTag] = {name: graph.tag(name, VerdictTag) for name in members}
    said = [verdicts[main].on(device.id), *(verdicts[name].on(device.id) for name in members if name != main)]
    state = worst(verdict.state for verdict in said)
    reasons = [reason.message for verdict in said if verdict.state == state for reason in verdict.reasons]
    return Probed(main, graph.node(main).op_type, state, "; ".join(reasons[:1]), answer, mark[0])
