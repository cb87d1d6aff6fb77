"""Fitting the cost model of a device to timings of the units of some models."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from dovetail.compiler.costing import Costing
from dovetail.compiler.driver import prepare, tag
from dovetail.compiler.options import CompileOptions
from dovetail.compiler.unit_facts import units_of
from dovetail.cost import DeviceCoefficients, coefficients_of
from dovetail.cost.costs_file import CostsPart, ErrorsPart, Source, base_digest, with_figures
from dovetail.cost.fitting import LEAST_SAMPLES, Errors, Sample, errors_of, fit, halves
from dovetail.ir import Graph
from dovetail.lowering.host import HostTool
from dovetail.lowering.rknn import RknnTool
from dovetail.lowering.tools import Tool
from dovetail.lowering.vela import VelaTool
from dovetail.passes.tagging import UnitTag
from dovetail.plan.errors import LoweringError
from dovetail.plan.schema import DeviceKind
from dovetail.targets import Target

_ROCKCHIP: Final = "rockchip-"
"""How the names of targets begin that the toolkit knows by the rest."""
_DEVICES: Final[Mapping[Source, DeviceKind]] = {"host": "cpu", "vela": "npu", "rknn": "npu"}


def calibrate(
    models: Sequence[Path], target: Target, source: Source | None = None, options: CompileOptions | None = None
) -> CostsPart:
    """Time the units of some models one by one, and fit the cost model of the device to half of them.

    Equal units are timed once. The other half tells how far the fitted figures carry.

    Args:
        models: ONNX models of the kind that will be compiled.
        target: the machine; its figures are those of its file.
        source: what takes the timings; by default the target's own tool, else this machine.
        options: loading options.

    Raises:
        ModelError: a model or a loading option.
        LoweringError: the source is not here or does not serve the target; or too few units could be timed.
    """
    chosen = source or default_source(target)
    device = _DEVICES[chosen]
    tool = tool_for(target, chosen)
    if why := tool.why_not():
        raise LoweringError(f"target {target.ref!r}: its '{device}' can't be calibrated by {chosen}, {why}")
    samples: dict[object, Sample] = {}
    name = ""
    for model in models:
        graph = prepare(model, options or CompileOptions())
        tag(graph, target)
        name, found = _timed(graph, target, device, tool)
        samples |= {(sample.steps, sample.precision): sample for sample in found}
    fitted, held = halves(list(samples.values()))
    if len(samples) < LEAST_SAMPLES:
        raise LoweringError(
            f"calibration: {name} timed {len(samples)} different units, at least {LEAST_SAMPLES} are needed; give more"
            " models"
        )

    def coefficients(values: Mapping[str, float]) -> DeviceCoefficients:
        return coefficients_of(with_figures(target, device, values, "fitted")).device(device)

    figures = fit(coefficients, fitted)
    return CostsPart(
        costs=1,
        target=target.ref,
        device=device,
        source=chosen,
        tool=name,
        base=base_digest(target.device(device)),
        figures=figures,
        fitted=_part(errors_of(coefficients(figures), fitted)),
        held_out=_part(errors_of(coefficients(figures), held)),
        uncalibrated=_part(errors_of(coefficients({}), held)),
    )


def default_source(target: Target) -> Source:
    """What times a target where nobody says: the vendor's tool for it, else this machine's CPU."""
    if any(device.tool is not None for device in target.devices):
        return "vela"
    return "rknn" if target.name.startswith(_ROCKCHIP) else "host"


def tool_for(target: Target, source: Source) -> Tool:
    """What takes the timings; LoweringError where it does not serve the target."""
    if source == "host":
        return HostTool()
    if source == "rknn" and target.name.startswith(_ROCKCHIP):
        return RknnTool(target.name.removeprefix(_ROCKCHIP))
    tool = next((device.tool for device in target.devices if device.tool is not None), None)
    if source == "vela" and tool is not None:
        return VelaTool(tool.accelerator)
    raise LoweringError(
        f"target {target.ref!r}: {source} has no device of it; use --source host for its CPU, or another target"
    )


def _timed(graph: Graph, target: Target, device: DeviceKind, tool: Tool) -> tuple[str, list[Sample]]:
    """The tool's name, and the units of a tagged graph that it gives a time for and takes as a whole."""
    units = units_of(graph)
    costing = Costing(graph, target, units)
    kinds: dict[int, Sequence[str]] = {}
    for kind, members in zip(costing.kind_numbers(), units, strict=True):
        kinds.setdefault(kind, members)
    name, answers = tool.ask(graph, list(kinds.values()))
    samples = []
    for unit, answer in zip(kinds.values(), answers, strict=True):
        cost, constants, activations = costing.alone(unit, device)
        if answer.whole and answer.microseconds and cost.latency_us > 0:
            main = graph.tag(unit[0], UnitTag).main
            steps = tuple(step for step in cost.steps if step.treatment != "free")
            samples.append(Sample(main, steps, cost.precision, constants, activations, answer.microseconds))
    return name, samples


def _part(errors: Errors) -> ErrorsPart:
    return ErrorsPart(**asdict(errors))
