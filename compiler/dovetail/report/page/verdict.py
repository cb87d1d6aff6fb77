"""The head of a page: what a reader who has ten seconds should know."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dovetail.plan import best_single, bound_words, overlaps
from dovetail.plan.codes import Code, code_of, find_code, label
from dovetail.plan.schema import OBJECTIVE_UNITS, Alternative, DeviceKind, Plan
from dovetail.report.certificate import certificate_rows
from dovetail.report.figures import amount, proof
from dovetail.report.page.marks import energy_text, letters, time_text
from dovetail.report.quantization import quantization_rows
from dovetail.report.summary import Report
from dovetail.report.whatif import change
from dovetail.report.words import counted, size_text

if TYPE_CHECKING:  # it loads ONNX, which the report of a plan does without
    from dovetail.compiler.counterfactual import Suggestions


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure with what it means."""

    label: str
    value: str
    source: str
    """Of the figure; empty for what is counted."""
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    """Part of a bar. `kind` is that of a device, or `transfer`."""

    kind: str
    letter: str
    name: str
    value: str
    start: float
    """Percent of the bar."""
    width: float


@dataclass(frozen=True, slots=True)
class Rival:
    """A placement beside others: `width`s are percent of the largest."""

    name: str
    latency: str
    energy: str
    latency_width: float
    energy_width: float
    is_plan: bool
    is_best_single: bool


@dataclass(frozen=True, slots=True)
class Gain:
    """A change that was solved again, in words."""

    subject: str
    device: str
    label: str
    value: str
    change: str
    width: float
    """Percent that is left of the objective's value."""
    partitions: str


def headline(plan: Plan, report: Report) -> str:
    """Return one sentence: how much of the model the first device took."""
    first = report.devices[0]
    if not report.operators:
        return "The model has no operator left to run: all of it folded away."
    if first.operators == report.operators:
        every = "The only operator runs" if report.operators == 1 else f"All {report.operators} operators run"
        return f"{every} on the {first.id}."
    if not first.operators:
        others = [f"{each.operators} on the {each.id}" for each in report.devices if each.operators]
        return f"No operator runs on the {first.id}: of {report.operators} there are {' and '.join(others)}."
    share = "" if first.time_share is None else f", {_percent(first.time_share)} of the devices' time"
    return f"{first.operators} of {counted(report.operators, 'operator')} run on the {first.id}{share}."


def tiles(plan: Plan, report: Report) -> Iterator[Tile]:
    """Yield the figures at the top."""
    figures = plan.predicted
    best = best_single(plan.predicted, plan.objective)
    if figures.latency_ms is not None:
        lines = [] if best is None else [_against(best, figures.latency_ms, best.latency_ms, time_text)]
        lines += [f"a request every {time_text(figures.period_ms)}"] if plan.objective == "throughput" else []
        yield Tile("Latency", time_text(figures.latency_ms), figures.source, (*lines, _bound(plan)))
    if figures.energy_mj is not None:
        lines = [] if best is None else [_against(best, figures.energy_mj, best.energy_mj, energy_text)]
        yield Tile("Energy of a request", energy_text(figures.energy_mj), "modelled", tuple(lines))
    yield Tile("Partitions", str(len(report.partitions)), "", (_partitions(report),))
    yield Tile("Transfers", str(report.totals.count), "", tuple(_transfers(plan, report)))


def _against(best: Alternative, mine: float, theirs: float, text: Callable[[float], str]) -> str:
    if mine == theirs:
        return f"the same as {best.name}"
    return f"{best.name}: {text(theirs)}, here {change(theirs, mine)}"


def _bound(plan: Plan) -> str:
    figures = plan.predicted
    if figures.gap is None:
        return "nothing is proven of the placement"
    if figures.concurrent:
        return "devices work at the same time"
    return f"{plan.objective} {bound_words(figures.gap)}"


def _partitions(report: Report) -> str:
    parts = [f"{each.partitions} on {each.id}" for each in report.devices if each.partitions]
    return ", ".join(parts) or "none"


def _transfers(plan: Plan, report: Report) -> Iterator[str]:
    if not report.totals.count:
        yield "nothing crosses between devices"
        return
    rest = f" and {report.totals.unknown} of symbolic size" if report.totals.unknown else ""
    yield f"{size_text(report.totals.bytes)}{rest}"
    between, total = report.totals.latency_ms, plan.predicted.serial_latency_ms
    if between is not None and total:
        yield f"{time_text(between)}, {_percent(between / total)} of the time with transfers"


def operator_bar(plan: Plan, report: Report) -> list[Segment]:
    """Return how the operators are shared out."""
    parts = [(float(device.operators), counted(device.operators, "operator")) for device in report.devices]
    return _bar(plan, parts)


def time_bar(plan: Plan, report: Report) -> list[Segment]:
    """Return how the predicted time is shared out between devices and transfers; nothing without figures."""
    if plan.predicted.latency_ms is None:
        return []
    parts = [(each.latency_ms or 0.0, time_text(each.latency_ms)) for each in report.devices]
    between = report.totals.latency_ms or 0.0
    return _bar(plan, [*parts, (between, time_text(between))], shares=False)


def _bar(plan: Plan, parts: list[tuple[float, str]], shares: bool = True) -> list[Segment]:
    total = sum(value for value, _ in parts)
    kinds: list[DeviceKind | str] = [*(device.kind for device in plan.devices), "transfer"]
    names = [*(device.id for device in plan.devices), "transfers"]
    marks = [*letters(plan.devices), ""]
    start, made = 0.0, []
    for (value, text), kind, name, mark in zip(parts, kinds, names, marks, strict=False):
        if value > 0:
            width = 100 * value / total
            share = f", {_percent(value / total)}" if shares else ""
            made.append(Segment(kind, mark, name, text + share, start, width))
            start += width
    return made


def rivals(plan: Plan) -> list[Rival]:
    """Return the plan and the simpler placements beside it, these with partitions one after the other.

    The plan says so where its own are not.
    """
    figures = plan.predicted
    if figures.latency_ms is None or figures.energy_mj is None or not figures.alternatives:
        return []
    best = best_single(plan.predicted, plan.objective)
    own = "this plan, devices at the same time" if overlaps(figures) else "this plan"
    rows = [(own, figures.latency_ms, figures.energy_mj)]
    others = sorted(figures.alternatives, key=lambda each: (each != best, each.latency_ms))
    rows += [(each.name, each.latency_ms, each.energy_mj) for each in others if each.latency_ms > 0]
    most_ms = max(latency for _, latency, _ in rows) or 1.0
    most_mj = max(energy for _, _, energy in rows) or 1.0
    return [
        Rival(
            name=name,
            latency=time_text(latency),
            energy=energy_text(energy),
            latency_width=100 * latency / most_ms,
            energy_width=100 * energy / most_mj,
            is_plan=number == 0,
            is_best_single=best is not None and name == best.name,
        )
        for number, (name, latency, energy) in enumerate(rows)
    ]


def gains(found: "Suggestions | None") -> list[Gain]:
    """Return what would help most, best first."""
    unit = OBJECTIVE_UNITS.get(found.objective, "") if found else ""
    return [
        Gain(
            subject=f"the {each.operators} {each.op_type}" if each.operators > 1 else f"the {each.op_type}",
            device=each.device,
            label=label(code_of(each.rule), each.rule),
            value=f"{amount(each.before, unit)} → {amount(each.after, unit)}",
            change=change(each.before, each.after),
            width=100 * each.after / each.before if each.before else 100.0,
            partitions=f"{each.partitions[0]} → {each.partitions[1]}",
        )
        for each in (found.best if found else ())
    ]


def gain_rows(found: "Suggestions | None") -> list[list[str | float | int]]:
    """Return operator type, rule, gain as a part of the objective's value, in words, and number of operators."""
    return [
        [each.op_type, each.rule, each.gain / each.before, change(each.before, each.after), each.operators]
        for each in (found.best if found else ())
        if each.before
    ]


def facts(plan: Plan, report: Report) -> list[tuple[str, str]]:
    """Return what else there is to say, as a word and a sentence each."""
    rows = [(label, text.plain) for label, text in certificate_rows(report)]
    rows += [(label, text.plain) for label, text in quantization_rows(report.quantization, report.objective)]
    rows += [("placement", proof(plan.predicted, plan.objective))] if plan.predicted.value is not None else []
    rows += [("note", note) for note in report.notes]
    if report.eliminated:
        rows.append(("folded away", f"{counted(report.eliminated, 'node')} of the model left nothing to run"))
    return rows


def used_codes(plan: Plan) -> list[Code]:
    """Return the codes that stand anywhere in a page, by number."""
    found = {operator.fallback.code for operator in plan.operators if operator.fallback}
    found |= {
        reason.code
        for operator in plan.operators
        for verdict in operator.verdicts
        if verdict.device == plan.devices[0].id
        for reason in verdict.reasons
    }
    return [code for code in map(find_code, sorted(found)) if code is not None]


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
