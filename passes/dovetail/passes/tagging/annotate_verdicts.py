"""Verdicts: what each device of a target says of each operator."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import ClassVar

import onnx_ir

from dovetail.ir import Graph
from dovetail.passes.base import GraphPass
from dovetail.passes.quantize import is_dequantize, is_quantize
from dovetail.passes.tagging.tags import BodyTag, UnitTag, VerdictTag
from dovetail.passes.tagging.views import operator_view
from dovetail.plan.schema import Reason
from dovetail.targets import Device, OperatorView, Target, Verdict, likeness


@dataclass(frozen=True)
class AnnotateVerdicts(GraphPass):
    """Set a `VerdictTag` on every node, and a `BodyTag` on every node that holds bodies.

    In a Q/DQ group the operator is judged with its quantized types, and so is the activation behind it; the
    QuantizeLinear and DequantizeLinear around them go where they go. A device that takes a node takes every operator
    of its bodies. Needs `annotate-units`.
    """

    target: Target
    name: ClassVar[str] = "annotate-verdicts"

    def run(self, graph: Graph) -> bool:
        """See `GraphPass.run`."""
        groups: dict[int, list[onnx_ir.Node]] = {}
        for name in graph:
            unit = graph.tag(name, UnitTag)
            if unit.quantized:
                groups.setdefault(unit.index, []).append(graph.node(name))
        judge = _Judge(graph, self.target)
        followers = []
        for name in graph:
            unit = graph.tag(name, UnitTag)
            node = graph.node(name)
            if unit.quantized and (is_quantize(node) or is_dequantize(node)):
                followers.append((name, unit.main))
            else:
                graph.set_tag(name, judge.tag(node, groups.get(unit.index, [])))
            if graph.has_bodies(name):
                inside = judge.bodies(name)
                graph.set_tag(name, inside)
                graph.set_tag(name, _with_bodies(graph.tag(name, VerdictTag), inside))
        for name, main in followers:
            graph.set_tag(name, _follow(graph.tag(main, VerdictTag), main))
        return False


class _Judge:
    """Asks the devices of a target, once for all operators that are alike as long as nothing speaks against them.

    Reasons quote names, so that each operator with one is judged by itself.
    """

    def __init__(self, graph: Graph, target: Target) -> None:
        self._graph = graph
        self._devices: list[tuple[Device, dict[Hashable, Verdict]]] = [(device, {}) for device in target.devices]

    def tag(self, node: onnx_ir.Node, group: list[onnx_ir.Node]) -> VerdictTag:
        view = operator_view(self._graph, node, group)
        like = likeness(view)
        return VerdictTag(tuple([(device.id, _verdict(device, known, view, like)) for device, known in self._devices]))

    def bodies(self, name: str) -> BodyTag:
        nested = self._graph.nested(name)
        return BodyTag(tuple((str(node.name), node.op_type, node.domain, self.tag(node, [])) for node in nested))


def _verdict(device: Device, known: dict[Hashable, Verdict], view: OperatorView, like: Hashable) -> Verdict:
    found = known.get(like)
    if found is None:
        found = device.verdict(view)
        if not found.reasons:
            known[like] = found
    return found


def _with_bodies(tag: VerdictTag, inside: BodyTag) -> VerdictTag:
    """The verdicts of a node with bodies: the first operator inside that a device does not take decides for it."""
    verdicts = []
    for device, verdict in tag.verdicts:
        refused = (each for each in inside.operators if not _taken(each[-1].on(device)))
        first = next(refused, None) if _taken(verdict) else None
        verdicts.append((device, verdict if first is None else _refused_inside(first, device)))
    return VerdictTag(tuple(verdicts))


def _taken(verdict: Verdict) -> bool:
    return verdict.state in ("supported", "soft")


def _refused_inside(operator: tuple[str, str, str, VerdictTag], device: str) -> Verdict:
    name, op_type, _, answers = operator
    inner = answers.on(device)
    reason = Reason(
        rule="body",
        message=f"its body holds '{name}' ({op_type}): {inner.reasons[0].message}",
        got=f"'{name}' is {inner.state}",
        allowed="bodies of which the device takes every operator",
    )
    return Verdict(inner.state, (reason,))


def _follow(tag: VerdictTag, main: str) -> VerdictTag:
    """The verdicts of a Q/DQ node in a group: those of the operator, with the group as the reason."""
    verdicts = []
    for device, verdict in tag.verdicts:
        if verdict.state == "supported":
            verdicts.append((device, verdict))
            continue
        reason = Reason(
            rule="unit",
            message=f"stays with '{main}', whose Q/DQ group it belongs to",
            got=f"'{main}' is {verdict.state}",
            allowed="the whole group on one device",
        )
        verdicts.append((device, Verdict(verdict.state, (reason,))))
    return VerdictTag(tuple(verdicts))
