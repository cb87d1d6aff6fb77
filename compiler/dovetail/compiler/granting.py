"""What if a device took more: a model placed with the target's own verdicts, and with some of them overruled."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dovetail.compiler.driver import compile_graph, compile_tagged, load_described, prepare
from dovetail.compiler.options import CompileOptions
from dovetail.compiler.placing import is_taken, matches, what_is_meant
from dovetail.ir import Graph
from dovetail.partition import Objective
from dovetail.passes.tagging import UnitTag, VerdictTag
from dovetail.plan.errors import PartitionError
from dovetail.plan.naming import meant
from dovetail.plan.schema import Plan
from dovetail.targets import Target, Verdict


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a plan is predicted to do."""

    value: float
    """Of the objective, in the unit that the plan has it in."""
    latency_ms: float
    energy_mj: float
    partitions: int
    transfers: int
    transfer_bytes: int | None
    """None: a tensor has a symbolic size."""
    operators: tuple[tuple[str, int], ...]
    """Device id and its number of operators, in the target's order."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Operators that a device is given, whatever the target says, with all that stays together with them."""

    pattern: str
    device: str
    operators: int
    new: int
    """How many of them the device does not take by itself."""
    assumed: int
    """How many of them are costed with an unknown size or number of iterations as 1."""


@dataclass(frozen=True, slots=True)
class WhatIf:
    """A model on a target, and on the same target with devices that take more."""

    model: str
    target: str
    objective: Objective
    source: str
    """What the figures are: `modelled`, `vendor estimate` or `measured`."""
    grants: tuple[Grant, ...]
    before: Outcome
    after: Outcome


def what_if(
    model: str | Path | bytes, target: str, options: CompileOptions, asked: Sequence[tuple[str, str]]
) -> WhatIf:
    """Compile a model as it is, and once more with operators that devices are made to take.

    Args:
        model: path or bytes of an ONNX model.
        target: as `compile_model` takes it.
        options: the same for both; no batch sizes and no quantization.
        asked: (pattern, device), patterns as in `CompileOptions.place`; all of them at once.

    Raises:
        PartitionError: an unknown device, or a pattern without operators.
        ModelError, TargetError: as `compile_model`.
    """
    described = load_described(target, options)
    graph = prepare(model, options)
    _check(graph, described, asked)
    before = compile_graph(graph, described, options).plan
    chosen = [_units_meant(graph, pattern) for pattern, _ in asked]
    new = [_grant(graph, units, device) for units, (_, device) in zip(chosen, asked, strict=True)]
    after = compile_tagged(graph, described, options).plan
    grants = tuple(
        Grant(pattern, device, len(units), fresh, _assumed(after, units, device))
        for (pattern, device), units, fresh in zip(asked, chosen, new, strict=True)
    )
    made = _outcome(before), _outcome(after)
    return WhatIf(graph.name, described.ref, options.objective, after.predicted.source, grants, *made)


def _check(graph: Graph, target: Target, asked: Sequence[tuple[str, str]]) -> None:
    devices = [device.id for device in target.devices]
    for pattern, device in asked:
        option = f"--what-if '{pattern}={device}'"
        if device not in devices:
            raise PartitionError(f"{option}: the target has no such device; {meant(device, devices)}")
        if not any(matches(graph, name, pattern) for name in graph):
            raise PartitionError(
                f"{option}: no operator of the compiled model has such a {what_is_meant(graph, pattern)}"
            )


def _units_meant(graph: Graph, pattern: str) -> dict[str, int]:
    """The operators that a pattern matches, each with its unit."""
    return {name: graph.tag(name, UnitTag).index for name in graph if matches(graph, name, pattern)}


def _grant(graph: Graph, meant: dict[str, int], device: str) -> int:
    """Make a device's answer `supported` for whole units. Returns for how many of the operators that is new."""
    new = sum(not is_taken(graph, name, device) for name in meant)
    units = set(meant.values())
    for name in graph:
        if graph.tag(name, UnitTag).index in units:
            tag = graph.tag(name, VerdictTag)
            verdicts = tuple(
                (each, Verdict("supported", engine=verdict.engine) if each == device else verdict)
                for each, verdict in tag.verdicts
            )
            graph.set_tag(name, replace(tag, verdicts=verdicts))
    return new


def _assumed(plan: Plan, meant: dict[str, int], device: str) -> int:
    costs = [
        verdict.cost
        for operator in plan.operators
        if operator.name in meant and not operator.inside
        for verdict in operator.verdicts
        if verdict.device == device
    ]
    return sum(cost is not None and plan.costs[cost].assumed for cost in costs)


def _outcome(plan: Plan) -> Outcome:
    predicted = plan.predicted
    assert predicted.value is not None
    assert predicted.latency_ms is not None
    assert predicted.energy_mj is not None
    sizes = [transfer.bytes for transfer in plan.transfers]
    known = [size for size in sizes if size is not None]
    counts = Counter(operator.device for operator in plan.operators if not operator.inside)
    return Outcome(
        value=predicted.value,
        latency_ms=predicted.latency_ms,
        energy_mj=predicted.energy_mj,
        partitions=len(plan.partitions),
        transfers=len(sizes),
        transfer_bytes=sum(known) if len(known) == len(sizes) else None,
        operators=tuple((device.id, counts[device.id]) for device in plan.devices),
    )
