"""Asking the vendor's own compiler about a model's operators, one by one, and comparing with the target's file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dovetail.compiler.driver import prepare
from dovetail.compiler.options import CompileOptions
from dovetail.compiler.unit_facts import units_of
from dovetail.ir import Graph
from dovetail.lowering.answers import Answer
from dovetail.lowering.tools import tool_of
from dovetail.passes import run_passes
from dovetail.passes.tagging import AnnotateUnits, AnnotateVerdicts, UnitTag, VerdictTag
from dovetail.passes.tagging.views import operator_view
from dovetail.plan.errors import LoweringError
from dovetail.plan.schema import DeviceKind, State
from dovetail.targets import Device, OperatorView, Target, worst
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
    def asked(self) -> bool:
        """The tool said something."""
        return self.answer.outcome != "not asked"

    @property
    def agrees(self) -> bool:
        """File and tool say the same; what the file does not know, it need not take, and silence is no objection."""
        return not self.asked or (self.state in ("supported", "soft")) == self.answer.whole


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

    Units of one signature are asked about once. One compilation a distinct unit, in a child process.

    Raises:
        ModelError: the model or a loading option.
        LoweringError: no tool for the device is installed here.
    """
    device = target.devices[0]
    tool = tool_of(device)
    why = "no tool for it is known; choose another target" if tool is None else tool.why_not()
    if tool is None or why:
        raise LoweringError(f"target {target.ref!r}: the compiler of '{device.id}' can't be asked, {why}")
    graph = prepare(model, options)
    run_passes(graph, (AnnotateUnits(), AnnotateVerdicts(target)))
    units = units_of(graph)
    marks = [_marks(graph, members) for members in units]
    distinct: dict[tuple[str, ...], Sequence[str]] = {}
    for members, mark in zip(units, marks, strict=True):
        distinct.setdefault(mark, members)
    name, said = tool.ask(graph, list(distinct.values()))
    answers = dict(zip(distinct, said, strict=True))
    probed = [_probed(graph, members, mark, device, answers[mark]) for members, mark in zip(units, marks, strict=True)]
    return Probe(target.ref, device.id, name, tuple(probed))


def _marks(graph: Graph, members: Sequence[str]) -> tuple[str, ...]:
    """What a tool may decide a unit by: each operator's signature, the main one's first, and which scales are equal.

    A signature leaves the scales out, for an overlay serves other quantizations of the model too.
    """
    unit = graph.tag(members[0], UnitTag)
    group = [graph.node(name) for name in members] if unit.quantized else []
    ordered = sorted(members, key=lambda name: name != unit.main)
    views = [operator_view(graph, graph.node(name), group) for name in ordered]
    return (*(signature(view) for view in views), _shared_scales(views[0]))


def _shared_scales(view: OperatorView) -> str:
    """A number for each quantized tensor of an operator, one number for one scale and zero point."""
    numbers: dict[tuple[bytes, ...], int] = {}
    quants = [
        tensor.quant for tensor in (*view.inputs, *view.outputs) if tensor is not None and tensor.quant is not None
    ]
    keys = [
        tuple(b"" if part is None else part.tobytes() for part in (quant.scale, quant.zero_point)) for quant in quants
    ]
    return " ".join(str(numbers.setdefault(key, len(numbers))) for key in keys)


def _probed(graph: Graph, members: Sequence[str], mark: tuple[str, ...], device: Device, answer: Answer) -> Probed:
    main = graph.tag(members[0], UnitTag).main
    verdicts: Mapping[str, VerdictTag] = {name: graph.tag(name, VerdictTag) for name in members}
    said = [verdicts[main].on(device.id), *(verdicts[name].on(device.id) for name in members if name != main)]
    state = worst(verdict.state for verdict in said)
    reasons = [reason.message for verdict in said if verdict.state == state for reason in verdict.reasons]
    return Probed(main, graph.node(main).op_type, state, "; ".join(reasons[:1]), answer, mark[0])
