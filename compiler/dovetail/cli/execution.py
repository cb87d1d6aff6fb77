"""What a run has to tell: where each partition ran, what happened, what came out, how long it took."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import click
import numpy as np
import numpy.typing as npt
from rich.console import RenderableType

from dovetail.cli.main import OWN_PROCESS
from dovetail.plan import Plan, PlanError, read_plan, shown
from dovetail.plan.words import digits
from dovetail.report import operators_in
from dovetail.report.console import DIM, KIND_STYLE, fields, heading, table, words
from dovetail.runtime import SIMULATOR, Event, Executor, Observer, share_thread_pool

Array = npt.NDArray[np.generic]

MAX_ROWS: Final = 40


def open_executor(
    plan: Path,
    *,
    strict: bool = False,
    emulate: bool = False,
    batch: int | None = None,
    observer: Observer | None = None,
) -> Executor:
    """A plan ready to run, all of its sessions on one pool of threads if the process is the command line's own.

    In a host program the pool is the host's to make: from then on ONNX Runtime refuses sessions that do not use it.
    """
    if click.get_current_context().find_root().obj == OWN_PROCESS:
        share_thread_pool()
    return Executor(plan, strict=strict, emulate=emulate, batch=batch, observer=observer)


def check_certificate(path: Path) -> None:
    """Refuse a plan that nothing proves to compute what its model does.

    Raises:
        PlanError: it was not verified, or what was found does not hold.
    """
    plan = read_plan(path)
    remedy = "compile the model with --verify where the vendor's compiler is installed"
    certificates = [plan.certificate, *(variant.certificate for variant in plan.variants)]
    if None in certificates:
        raise PlanError(f"plan {shown(str(path))}: has no certificate; {remedy}")
    if not all(each is not None and each.holds for each in certificates):
        raise PlanError(f"plan {shown(str(path))}: its certificate does not hold; see 'dovetail inspect {path}'")


MAX_NAMES: Final = 8


def placement_lines(plan: Plan, placement: Mapping[str, str], events: Sequence[Event]) -> Iterator[RenderableType]:
    """Yield the table of partitions with the device that really ran each, then the events."""
    made = table(["partition", "device", "ran on", ">operators"])
    for partition in plan.partitions[:MAX_ROWS]:
        device = words((partition.device, KIND_STYLE[partition.kind]))
        ran_on = words(placement[partition.id])
        made.add_row(words(partition.id), device, ran_on, str(operators_in(plan, partition.id)))
    yield made
    if len(plan.partitions) > MAX_ROWS:
        yield words((f"... and {len(plan.partitions) - MAX_ROWS} more partitions", DIM))
    if events:
        yield heading("events")
        yield fields((kind, words(text)) for kind, text in _event_texts(events))


def output_lines(outputs: Mapping[str, Array]) -> Iterator[RenderableType]:
    """Yield the table of outputs."""
    yield heading("outputs")
    made = table(["output", "type", "shape", ">min", ">max", ">mean"])
    for name, array in outputs.items():
        shape = "x".join(map(str, array.shape)) or "scalar"
        made.add_row(words(name), str(array.dtype), shape, *_range(array))
    yield made


def latency_lines(seconds: Sequence[float], placement: Mapping[str, str]) -> Iterator[RenderableType]:
    """Yield one line with the measured latency; nothing where nothing was timed."""
    if not seconds:
        return
    median, best, worst = (1000 * value for value in (statistics.median(seconds), min(seconds), max(seconds)))
    emulated = any("emulated" in where for where in placement.values())
    simulated = any(where.endswith(SIMULATOR) for where in placement.values())
    label = "measured, NPU emulated on the CPU" if emulated else "measured"
    if simulated:
        label = "measured on the NPU's simulator, which says nothing of the NPU's time"
    figures = f"median {digits(median)} ms, min {digits(best)}, max {digits(worst)}"
    yield words(f"latency: {figures} over {len(seconds)} runs ({label})")


def _event_texts(events: Sequence[Event]) -> Iterator[tuple[str, str]]:
    """Yield kind and text of the events, those of one cause together."""
    partitions: dict[tuple[str, str, str, str], list[str]] = {}
    for event in events:
        partitions.setdefault((event.kind, event.device, event.moved_to, event.cause), []).append(event.partition)
    for (kind, device, moved_to, cause), names in partitions.items():
        if not device:  # a batch size that the plan does not have
            yield kind, cause
            continue
        rest = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
        moved = f" -> {moved_to}" if moved_to else ""
        yield kind, f"{', '.join(names[:MAX_NAMES])}{rest}: {device}{moved}: {cause}"


def _range(array: Array) -> tuple[str, str, str]:
    """Return minimum, maximum and mean as text; empty for text and for arrays without elements."""
    if array.dtype.kind not in "biufV" or array.size == 0:
        return "", "", ""
    values = array.astype(np.float64)
    return f"{values.min():.6g}", f"{values.max():.6g}", f"{values.mean():.6g}"
