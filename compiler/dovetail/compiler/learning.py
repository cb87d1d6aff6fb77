"""What verification learnt of single operators, as an overlay for other models."""

from collections.abc import Sequence

from dovetail.compiler.unit_facts import units_of
from dovetail.compiler.verifying import REFUSES, Verifier
from dovetail.ir import Graph
from dovetail.passes.tagging import UnitTag
from dovetail.passes.tagging.views import operator_view
from dovetail.targets import Target
from dovetail.targets.overlay import AnswerPart, OverlayPart
from dovetail.targets.signature import signature


def learnt_overlay(graph: Graph, target: Target, verifier: Verifier) -> tuple[OverlayPart, ...]:
    """One overlay for each device of which something was learnt: operators that it refused by themselves.

    What fails only together with others, or computes wrong numbers of these weights, says nothing of other models.
    """
    overlays = []
    for device, compiler in verifier.compilers.items():
        answers = {
            _signature(graph, name): verifier.refused[where, name].message.removeprefix(f"{REFUSES}: ")
            for where, name in sorted(verifier.alone)
            if where == device
        }
        if answers:
            parts = tuple(AnswerPart(signature=text, taken=False, words=words) for text, words in answers.items())
            kind = next(each.id for each in target.devices if each.id == device)
            overlays.append(OverlayPart(overlay=1, target=target.ref, device=kind, source=compiler.tool, answers=parts))
    return tuple(overlays)


def merged(overlays: Sequence[OverlayPart]) -> tuple[OverlayPart, ...]:
    """One overlay a device out of those of several compilations."""
    found: dict[str, OverlayPart] = {}
    for part in overlays:
        before = found.get(part.device)
        known = {answer.signature: answer for each in (before, part) if each is not None for answer in each.answers}
        found[part.device] = part.model_copy(update={"answers": tuple(known.values())})
    return tuple(found.values())


def _signature(graph: Graph, name: str) -> str:
    unit = graph.tag(name, UnitTag)
    group = [graph.node(each) for each in units_of(graph)[unit.index]] if unit.quantized else []
    return signature(operator_view(graph, graph.node(name), group))
