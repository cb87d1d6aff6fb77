"""Costs in a report: what is predicted, how good the placement is proven to be, and what simpler ones would cost."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from rich.console import RenderableType
from rich.text import Text

from dovetail.plan import batches_of, best_single, bound_words, for_batch
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
        yield "instead of", words("; ".join(_alternative(each, each == best) for each in others))


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
    """Yield the table of batch sizes: what each costs, and what the simple placements would."""
    if len(rows) < 2:
        return
    names = list(dict.fromkeys(each.name for row in rows for each in row.predicted.alternatives))
    yield heading("batch sizes")
    made = table([">batch", ">placement", "operators", ">ms", ">mJ", ">ms a sample", *(f">{name}" for name in names)])
    for row in rows:
        shares = " ".join(f"{device} {count}" for device, count in row.devices if count)
        costs = {each.name: each for each in row.predicted.alternatives}
        others = [_both(costs[name].latency_ms, costs[name].energy_mj) if name in costs else "" for name in names]
        latency = row.predicted.latency_ms or 0.0
        figures = tuple(map(digits, (latency, row.predicted.energy_mj or 0.0, latency / row.batch)))
        made.add_row(str(row.batch), str(row.placement), words(shares), *figures, *others)
    yield made
    yield fields(_changes(rows))


def _both(latency_ms: float, energy_mj: float) -> str:
    return f"{digits(latency_ms)} ms {digits(energy_mj)} mJ"


def _changes(rows: tuple[BatchRow, ...]) -> Iterator[tuple[str, RenderableType]]:
    """Yield where the device with most operators changes from one batch size to the next."""
    ordered = sorted(rows, key=lambda row: row.batch)
    most = [(row.batch, max(row.devices, key=lambda pair: pair[1])[0]) for row in ordered]
    for (smaller, before), (larger, after) in pairwise(most):
        if before != after:
            yield "best device", words(f"{before} up to batch {smaller}, {after} from {larger}")
