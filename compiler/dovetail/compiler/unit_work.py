"""What the operators of a unit do, read from the graph, and how a device runs each of them."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import onnx_ir

from dovetail.cost import DeviceCoefficients, Precision, Step, Work, defaults, unit_cost, width_scale, work_of
from dovetail.ir import Graph, bodies, is_constant, shape_of
from dovetail.passes.quantize import is_dequantize, is_quantize
from dovetail.passes.tagging import BodyTag, FusionTag, UnitTag, VerdictTag
from dovetail.passes.tagging.views import operator_view
from dovetail.targets import Verdict

_MOST_TRIPS: Final = 2**20
"""A loop's larger bound stands for "until the condition ends it"."""


@dataclass(frozen=True, slots=True)
class Member:
    """An operator of a unit: its work, and what decides how a device runs it."""

    work: Work
    verdicts: tuple[Verdict, ...] = ()
    """One a device, in the target's order."""
    is_conversion: bool = False
    """It is a Q/DQ node of a Q/DQ group."""
    is_folded: bool = False
    """It dequantizes a constant, which every compiler does ahead of time."""
    is_fused: bool = False
    """An activation that its producer absorbs."""
    bodies: tuple[tuple["Member", ...], ...] = ()
    repeats: float = 1.0
    """Iterations of its body."""


def members_of(graph: Graph, unit: Sequence[str]) -> tuple[Member, ...]:
    """The operators of a tagged unit. O(unit and its bodies)."""
    quantized = graph.tag(unit[0], UnitTag).quantized
    group = [graph.node(name) for name in unit] if quantized else []
    return tuple(_member(graph, name, group) for name in unit)


def _member(graph: Graph, name: str, group: list[onnx_ir.Node]) -> Member:
    node = graph.node(name)
    conversion = is_quantize(node) or is_dequantize(node)
    inside = [] if conversion else group
    found = Member(
        work=work_of(operator_view(graph, node, inside)),
        verdicts=_verdicts(graph.tag(name, VerdictTag)),
        is_conversion=conversion and bool(group),
        is_folded=_is_folded(node),
        is_fused=is_fused(graph, name),
    )
    if not graph.has_bodies(name):
        return found
    tags = {inner[0]: inner[3] for inner in graph.tag(name, BodyTag).operators}
    return _with_bodies(graph, node, found, tags)


def is_fused(graph: Graph, name: str) -> bool:
    """Whether a node is an activation that its producer may absorb."""
    try:
        graph.tag(name, FusionTag)
    except KeyError:
        return False
    return True


def _verdicts(tag: VerdictTag | None) -> tuple[Verdict, ...]:
    return () if tag is None else tuple(verdict for _, verdict in tag.verdicts)


def _is_folded(node: onnx_ir.Node) -> bool:
    return is_dequantize(node) and node.inputs[0] is not None and is_constant(node.inputs[0])


def _with_bodies(graph: Graph, node: onnx_ir.Node, member: Member, tags: dict[str, VerdictTag]) -> Member:
    """A node that holds graphs, with their operators. Recursion goes as deep as bodies are nested."""
    inside = tuple(tuple(_inner(graph, each, tags) for each in body) for _, body in bodies(node))
    repeats, known = _trips(node)
    work = member.work if known else replace(member.work, assumed=True)
    return replace(member, work=work, bodies=inside, repeats=repeats)


def _inner(graph: Graph, node: onnx_ir.Node, tags: dict[str, VerdictTag]) -> Member:
    work = work_of(operator_view(graph, node))
    found = Member(work, _verdicts(tags.get(str(node.name))), is_folded=_is_folded(node))
    return _with_bodies(graph, node, found, tags) if next(bodies(node), None) is not None else found


def _trips(node: onnx_ir.Node) -> tuple[float, bool]:
    """How often a body runs, and whether that is known; a branch of an If runs once."""
    if node.op_type == "If":
        return 1.0, True
    if node.op_type == "Scan":
        return _scan_length(node)
    if node.op_type == "Loop" and node.inputs and (bound := node.inputs[0]) is not None and is_constant(bound):
        trips = 0 if bound.const_value is None else int(bound.const_value.numpy().reshape(-1)[0])
        condition = node.inputs[1] if len(node.inputs) > 1 else None
        if 0 <= trips <= _MOST_TRIPS:
            return float(trips), condition is None or is_constant(condition)
    return 1.0, False


def _scan_length(node: onnx_ir.Node) -> tuple[float, bool]:
    scanned = node.attributes["num_scan_inputs"].as_int() if "num_scan_inputs" in node.attributes else 1
    first = len(node.inputs) - scanned
    value = node.inputs[first] if 0 <= first < len(node.inputs) else None
    axes = node.attributes.get("scan_input_axes")
    axis = axes.as_ints()[0] if axes is not None else 0
    shape = None if value is None else shape_of(value)
    length = shape[axis] if shape and -len(shape) <= axis < len(shape) else None
    return (float(length), True) if isinstance(length, int) else (1.0, False)


# --- on a device ------------------------------------------------------------------------------------------------


def precision_of(device: DeviceCoefficients, members: Sequence[Member]) -> Precision:
    """What a device computes a unit in: integers if it is a Q/DQ group and the device can, else its kind of floats."""
    if any(member.work.quantized for member in members) and device.computes_int8:
        return "int8"
    narrow = all(member.work.width <= defaults.BYTES["fp16"] for member in members if member.work.width)
    is_half = narrow and any(member.work.width for member in members)
    return "fp16" if device.numerics == "fp32" and device.kind != "cpu" and is_half else device.numerics


def steps_on(
    members: Iterable[Member], index: int, device: DeviceCoefficients, precision: Precision, repeats: float = 1.0
) -> list[Step]:
    """The steps of a unit on a device of the target.

    Args:
        members: its operators.
        index: of the device, in the target's order.
        device: its coefficients.
        precision: what it computes the unit in.
        repeats: iterations of the loops around.
    """
    steps = []
    for member in members:
        steps.append(_step(member, index, device, precision, repeats))
        steps.extend(_body_steps(member, index, device, precision, repeats))
    return steps


def _body_steps(
    member: Member, index: int, device: DeviceCoefficients, precision: Precision, repeats: float
) -> list[Step]:
    """Those of the costliest branch of an If, of every iteration of a Loop or Scan."""
    if not member.bodies:
        return []
    each = [steps_on(body, index, device, precision, repeats * member.repeats) for body in member.bodies]
    if member.work.op_type == "If":
        return max(each, key=lambda steps: unit_cost(steps, device, precision).latency_us)
    return [step for steps in each for step in steps]


def _step(member: Member, index: int, device: DeviceCoefficients, precision: Precision, repeats: float) -> Step:
    if member.is_folded or (member.is_conversion and precision == "int8" and device.computes_int8):
        return Step(member.work, "free")
    verdict = member.verdicts[index] if index < len(member.verdicts) else Verdict("supported")
    vector_only, penalty, why = defaults.ENGINES.get(verdict.engine, (False, 1.0, ""))
    if verdict.state == "soft":
        soft, words = defaults.SOFT_PENALTY
        penalty, why = penalty * soft, " and ".join(filter(None, (why, words)))
    fused = member.is_fused and device.kind != "cpu"
    return Step(member.work, "fused" if fused else "whole", penalty, vector_only, why, repeats)


def largest_activations(members: Iterable[Member], device: DeviceCoefficients, precision: Precision) -> float:
    """Bytes of the largest inputs and outputs of an operator; an NPU takes a batch picture by picture."""
    works = [member.work for member in members]
    each = [(work.bytes_in + work.bytes_out) * width_scale(work, precision) for work in works]
    pictures = [work.batch if device.kind == "npu" else 1 for work in works]
    return max((size / count for size, count in zip(each, pictures, strict=True)), default=0.0)


def constant_bytes(members: Iterable[Member], precision: Precision) -> float:
    """Bytes of the constants that a device holds for a unit, as wide as it keeps them."""
    return math.fsum(_constants(members, precision))


def _constants(members: Iterable[Member], precision: Precision) -> Iterator[float]:
    for member in members:
        if not member.is_conversion:
            yield member.work.bytes_weights * width_scale(member.work, precision)
        for body in member.bodies:
            yield from _constants(body, precision)
