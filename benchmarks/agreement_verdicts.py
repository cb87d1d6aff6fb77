"""What Dovetail says of the operators of many small models, by the way that every model takes."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import onnx
from agreement_models import MAIN, Case

from dovetail.ir import extract, load_model
from dovetail.passes import run_passes
from dovetail.passes.tagging import AnnotateUnits, AnnotateVerdicts, UnitTag, VerdictTag
from dovetail.plan.errors import ModelError
from dovetail.plan.schema import Reason, State
from dovetail.targets import Target

BATCH = 100


@dataclass(frozen=True, slots=True)
class Said:
    """The verdict on one case, and the model as a plan would hand it to the device."""

    case: Case
    node: str
    """The operator's name in `model`."""
    model: onnx.ModelProto
    state: State
    reasons: tuple[Reason, ...]
    quantized: bool
    """It was judged as a Q/DQ group."""


def verdicts(cases: Sequence[Case], target: Target, device: str) -> Iterator[Said | tuple[Case, str]]:
    """Yield the verdict of every case, or the case with why it can't be loaded.

    Cases of one opset are loaded as one model, for each load costs a process; a model that can't be loaded is halved
    until the cause stands alone.
    """
    groups: dict[tuple[tuple[str, int], ...], list[Case]] = defaultdict(list)
    for case in cases:
        groups[tuple(sorted((entry.domain, entry.version) for entry in case.model.opset_import))].append(case)
    for group in groups.values():
        for start in range(0, len(group), BATCH):
            yield from _judge(group[start : start + BATCH], target, device)


def _judge(cases: Sequence[Case], target: Target, device: str) -> Iterator[Said | tuple[Case, str]]:
    try:
        graph = load_model(_merged(cases))
    except ModelError as error:
        if len(cases) == 1:
            yield cases[0], str(error)
            return
        half = len(cases) // 2
        yield from _judge(cases[:half], target, device)
        yield from _judge(cases[half:], target, device)
        return
    run_passes(graph, (AnnotateUnits(), AnnotateVerdicts(target)))
    members: dict[str, list[str]] = defaultdict(list)
    for name in graph:
        members[name.split("/")[0]].append(name)
    for number, case in enumerate(cases):
        node = f"{number}/{MAIN}"
        if node not in members[str(number)]:
            yield case, "the operator is a constant"
            continue
        verdict = graph.tag(node, VerdictTag).on(device)
        model = extract(graph, members[str(number)])
        yield Said(case, node, model, verdict.state, verdict.reasons, graph.tag(node, UnitTag).quantized)


def _merged(cases: Sequence[Case]) -> onnx.ModelProto:
    """One model of all cases side by side; every name begins with the number of its case."""
    merged = onnx.ModelProto(ir_version=max(case.model.ir_version for case in cases))
    merged.opset_import.extend(cases[0].model.opset_import)
    merged.graph.name = "cases"
    for number, case in enumerate(cases):
        graph = onnx.compose.add_prefix_graph(case.model.graph, f"{number}/")
        merged.graph.node.extend(graph.node)
        merged.graph.input.extend(graph.input)
        merged.graph.output.extend(graph.output)
        merged.graph.initializer.extend(graph.initializer)
        merged.graph.value_info.extend(graph.value_info)
    return merged
