"""Costs in a report: what is predicted, how good the placement is proven to be, and what simpler ones would cost."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from rich.console import RenderableType
from rich.text import Text

from dovetail.plan import batches_of, best_single, bound_words, for_batch, overlaps
from dovetail.plan.schema import OBJECTIVE_UNITS, Alternative, Plan, Predicted
from dovetail.report.console import fields, heading, table, words
from dovetail.report.words import digits


@dataclass(frozen=True, slots=True)
class BatchRow:
    """The figures of one batch size."""

    batch: int
    placement: int
    """Equal numbers: all operators are placed alike."""
    predicted: Predicted
    devices: tuple[tuple[str, int], ...]
    """Device id and its number of operators."""


def batch_rows(plan: Plan) -> tuple[BatchRow, ...]:
    """Return a row for each batch size of a plan."""
    numbers = (0, *(variant.placement for variant in plan.variants))
    rows = []
    for batch, number in zip(batches_of(plan), numbers, strict=False):
        own = for_batch(plan, batch)
        counts = tuple(
            (device.id, sum(each.device == device.id and not each.inside for each in own.operators))
            for device in plan.devices
        )
        rows.append(BatchRow(batch, number, own.predicted, counts))
    return tuple(rows)


def amount(value: float | None, unit: str) -> str:
    """Return a figure with three digits."""
    return "?" if value is None else f"{digits(value)} {unit}"


def source_words(source: str) -> str:
    """Say what figures are; only times are ever better than modelled."""
    return source if source in ("modelled", "none") else f"times: {source}, energies: modelled"


def predicted_rows(predicted: Predicted, objective: str) -> Iterator[tuple[str, Text]]:
    """Yield the lines about costs; none where there is no cost model."""
    if predicted.latency_ms is None:
        return
    energy = "" if predicted.energy_mj is None else f", {amount(predicted.energy_mj, 'mJ')}"
    period = f", a request every {amount(predicted.period_ms, 'ms')}" if objective == "throughput" else ""
    yield "predicted", words(f"{amount(predicted.latency_ms, 'ms')}{energy}{period} ({source_words(predicted.source)})")
    if predicted.value is not None:
        yield "placement", words(proof(predicted, objective))
    others = [each for each in predicted.alternatives if each.latency_ms > 0]
    if others:
        best = best_single(predicted, objective)
        told = [_alternative(each, each == best) for each in others]
        serial = amount(predicted.serial_latency_ms, "ms")
        if overlaps(predicted) and serial != amount(predicted.latency_ms, "ms"):
            told.append(f"with partitions one after the other, as in these, this plan takes {serial}")
        yield "instead of", words("; ".join(told))


def _alternative(each: Alternative, is_best: bool) -> str:
    mark = " (best single device)" if is_best else ""
    return f"{each.name} {amount(each.latency_ms, 'ms')}, {amount(each.energy_mj, 'mJ')}{mark}"


def proof(predicted: Predicted, objective: str) -> str:
    """Say what is proven of a placement, in one sentence."""
    text = f"{objective} {amount(predicted.value, OBJECTIVE_UNITS.get(objective, ''))}"
    if predicted.gap is None:
        text += ", nothing proven"
    else:
        text += f", {bound_words(predicted.gap)}"
    text += f" ({predicted.solver})" if predicted.solver else ""
    if predicted.timed_out:
        text += "; the time limit ended the search, another run may differ"
    if predicted.concurrent:
        text += f"; with devices at work at the same time {amount(predicted.latency_ms, 'ms')}, by another placement"
    return text


def batch_section(rows: tuple[BatchRow, ...]) -> Iterator[RenderableType]:
    """Yield the table of batch sizes: what each costs, and what the simple placements would.

    A column for each size: 100 columns have room for seven, with however many devices.
    """
    if len(rows) < 2:
        return
    yield heading("batch sizes")
    made = table(["batch", *(f">{row.batch}" for row in rows)])
    for label, figures in _figures(rows):
        if any(figures):
            made.add_row(words(label), *figures)
    yield made
    yield fields(_changes(rows))


def _figures(rows: tuple[BatchRow, ...]) -> Iterator[tuple[str, list[str]]]:
    """Yield the lines of the table: a label, and a figure for each batch size; empty where there is none."""
    yield "placement", [str(row.placement) for row in rows]
    for index, (device, _) in enumerate(rows[0].devices):
        yield f"operators on {device}", [str(row.devices[index][1]) for row in rows]
    latencies = [row.predicted.latency_ms for row in rows]
    per_sample = [time and time / row.batch for time, row in zip(latencies, rows, strict=True)]
    yield "ms", [_figure(latency) for latency in latencies]
    yield "ms a sample", [_figure(latency) for latency in per_sample]
    yield "mJ", [_figure(row.predicted.energy_mj) for row in rows]
    others = [{each.name: each for each in row.predicted.alternatives} for row in rows]
    for name in dict.fromkeys(name for known in others for name in known):
        costs = [known.get(name) for known in others]
        yield f"{name}, ms", [_figure(cost.latency_ms if cost else None) for cost in costs]
        yield f"{name}, mJ", [_figure(cost.energy_mj if cost else None) for cost in costs]


def _figure(value: float | None) -> str:
    return "" if value is None else digits(value)


def _changes(rows: tuple[BatchRow, ...]) -> Iterator[tuple[str, RenderableType]]:
    """Yield where the device with most operators changes from one batch size to the next."""
    ordered = sorted(rows, key=lambda row: row.batch)
    most = [(row.batch, max(row.devices, key=lambda pair: pair[1])[0]) for row in ordered]
    for (smaller, before), (larger, after) in pairwise(most):
        if before != after:
            yield "best device", words(f"{before} up to batch {smaller}, {after} from {larger}")
