"""What a plan says to its user on one screen, where nothing is installed but the runtime: as text and as HTML.

The compiler's report says more; this goes without it.
"""

import html
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dovetail.plan.causes import rank_causes
from dovetail.plan.colors import KIND_COLORS
from dovetail.plan.schema import ALL_ON, Alternative, DeviceKind, Plan, Predicted
from dovetail.plan.words import counted, digits, printable, size_text

PROVEN: Final = 1e-4
"""Gap below which a placement is called optimal."""
_OVERLAP: Final = 1e-3
"""Part of the latency that must be saved: less can't be seen in three digits."""
_LABEL: Final = 12
"""Columns of a word in the text, with the space behind it."""
_WIDTH: Final = 100


@dataclass(frozen=True, slots=True)
class DeviceTotal:
    """What one device of a plan has to do in a request."""

    id: str
    kind: DeviceKind
    name: str
    operators: int
    """Those in the bodies of If, Loop and Scan are not counted."""
    partitions: int
    latency_ms: float | None
    """Predicted, of its partitions with their launches; None where the plan has no figures."""
    share: float
    """Part of all operators, 0 to 1."""
    time_share: float | None
    """Part of the devices' time, that of all partitions, 0 to 1; None where there is none."""


def device_totals(plan: Plan) -> tuple[DeviceTotal, ...]:
    """What each device of a plan has to do, in the target's order."""
    operators = Counter(operator.device for operator in plan.operators if not operator.inside)
    work = {device.id: _partitions(plan, device.id) for device in plan.devices}
    whole = sum(time or 0.0 for _, time in work.values())
    return tuple(
        DeviceTotal(
            id=device.id,
            kind=device.kind,
            name=device.name,
            operators=operators[device.id],
            partitions=partitions,
            latency_ms=time,
            share=operators[device.id] / max(operators.total(), 1),
            time_share=time / whole if time is not None and whole > 0 else None,
        )
        for device, (partitions, time) in zip(plan.devices, work.values(), strict=True)
    )


def best_single(predicted: Predicted, objective: str) -> Alternative | None:
    """The best placement on one device, by the plan's objective; None where no device takes the whole model."""
    alone = [each for each in predicted.alternatives if each.name.startswith(ALL_ON)]
    return min(
        alone, key=lambda each: figure(objective, each.latency_ms, each.energy_mj, each.latency_ms), default=None
    )


def figure(objective: str, latency_ms: float, energy_mj: float, period_ms: float) -> float:
    """What an objective makes smallest, of these figures of a request."""
    if objective == "edp":
        return latency_ms * energy_mj
    return {"energy": energy_mj, "throughput": period_ms}.get(objective, latency_ms)


def overlaps(predicted: Predicted) -> bool:
    """Whether a plan is faster than with its partitions one after the other, as those of the simpler placements run."""
    own, serial = predicted.latency_ms, predicted.serial_latency_ms
    return own is not None and serial is not None and own < (1 - _OVERLAP) * serial


def bound_words(gap: float) -> str:
    """How far a placement may be from the best, given its relative gap to a proven bound."""
    if gap <= PROVEN:
        return f"proven optimal to {100 * PROVEN:.2g} %"
    return f"proven to be at most {100 * gap:.2g} % above the optimum"


def main_cause(plan: Plan, device: str | None = None) -> str:
    """The first cause that keeps operators off a device, with its code and remedy; empty where there is none.

    Args:
        plan: of several batch sizes, its own is looked at.
        device: its id; the first device of the target where None.
    """
    causes = rank_causes(plan, device)
    if not causes:
        return ""
    top = causes[0]
    remedy = f"; {top.fix}" if top.fix else ""
    return f"{top.label} ({counted(top.operators, 'operator')}): {top.message}{remedy}"


def verdict_line(plan: Plan, device: str | None = None) -> str:
    """The verdict in one line, for a log.

    Args:
        plan: of several batch sizes, its own is told.
        device: whose main cause of fallback is named; the first of the target where None.
    """
    totals = device_totals(plan)
    count = counted(sum(each.operators for each in totals), "operator")
    devices = ", ".join(_with_time(each) for each in totals if each.partitions)
    sizes = f" of {_bytes(plan)}" if plan.transfers else ""
    crossing = f"{counted(len(plan.partitions), 'partition')}, {counted(len(plan.transfers), 'transfer')}{sizes}"
    facts = [
        ("predicted ", _predicted(plan)),
        ("best single device ", _single(plan)),
        ("top cause: ", main_cause(plan, device)),
    ]
    parts = [f"{count}: {devices}" if devices else count, crossing, *(word + text for word, text in facts if text)]
    return printable("; ".join(parts))


def verdict_text(plan: Plan) -> str:
    """The verdict as lines of a word and what there is to say of it; of several batch sizes that of the first.

    No line has more than 100 columns.
    """
    totals = device_totals(plan)
    shares = (f"{each.id} {each.operators} ({100 * each.share:.1f} %)" for each in totals)
    operators = "   ".join((str(sum(each.operators for each in totals)), *shares))
    time = "   ".join(
        f"{each.id} {digits(each.latency_ms)} ms{_share(each)}"
        for each in totals
        if each.latency_ms is not None and each.partitions
    )
    lines = [
        ("model", plan.model.name),
        ("target", plan.target),
        ("operators", operators),
        ("time", time),
        *_facts(plan),
    ]
    return "\n".join(_row(word, printable(text)) for word, text in lines if text)


def _row(word: str, text: str) -> str:
    """A word and what there is to say of it, over several lines where it is long."""
    indent = " " * _LABEL
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=f"{word:<{_LABEL}}",
        subsequent_indent=indent,
        break_on_hyphens=False,
        replace_whitespace=False,
    )


def verdict_html(plan: Plan) -> str:
    """The verdict as a table for notebooks. It brings its own style, takes the page's colours, and loads nothing."""
    totals = device_totals(plan)
    head = "".join(f"<th>{word}</th>" for word in ("device", "operators", "share", "partitions", "predicted time"))
    rows = "".join(_device_row(each) for each in totals)
    facts = "".join(f"<tr><th>{word}</th><td>{_escape(text)}</td></tr>" for word, text in _facts(plan) if text)
    title = f"<caption>{_escape(plan.model.name)} on {_escape(plan.target)}</caption>"
    return (
        f'<div class="dovetail">{_STYLE}<table>{title}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        f"<table><tbody>{facts}</tbody></table></div>"
    )


_STYLE: Final = """<style>
.dovetail { color: inherit; font-variant-numeric: tabular-nums; }
.dovetail table { border-collapse: collapse; color: inherit; background: transparent; margin: 0 0 .6em; }
.dovetail caption { caption-side: top; text-align: left; font-weight: 600; color: inherit; }
.dovetail th, .dovetail td { padding: .2em .8em; text-align: left; border-bottom: 1px solid rgba(128, 128, 128, .4); }
.dovetail th { white-space: nowrap; }
.dovetail td.number { text-align: right; }
.dovetail i { display: inline-block; width: .8em; height: .8em; margin-right: .5em; border: 1px solid currentColor; }
</style>"""
"""Without colours of its own but the devices', so that it can be read on light and on dark pages."""


def _partitions(plan: Plan, device: str) -> tuple[int, float | None]:
    own = [partition for partition in plan.partitions if partition.device == device]
    times = [(partition.predicted or {}).get("latency_ms") for partition in own]
    known = [time for time in times if time is not None]
    has_all = len(known) == len(own) and plan.predicted.latency_ms is not None
    return len(own), sum(known) if has_all else None


def _device_row(total: DeviceTotal) -> str:
    mark = f'<i style="background:{KIND_COLORS[total.kind]}"></i>'
    time = "" if total.latency_ms is None else f"{digits(total.latency_ms)} ms"
    figures = (str(total.operators), f"{100 * total.share:.1f} %", str(total.partitions), time)
    cells = "".join(f'<td class="number">{figure}</td>' for figure in figures)
    return f'<tr><td title="{_escape(total.name)}">{mark}{_escape(total.id)}</td>{cells}</tr>'


def _facts(plan: Plan) -> Iterator[tuple[str, str]]:
    """What crosses, what it costs and what keeps operators off the first device; empty where there is nothing."""
    counts = Counter(partition.device for partition in plan.partitions)
    devices = ", ".join(f"{counts[device.id]} on {device.id}" for device in plan.devices if counts[device.id])
    yield "partitions", f"{len(plan.partitions)}: {devices}" if devices else "none"
    yield "transfers", f"{len(plan.transfers)}, {_bytes(plan)}" if plan.transfers else "none"
    yield "predicted", _predicted(plan)
    yield "best single", _single(plan)
    yield f"not on {plan.devices[0].id}", main_cause(plan)


def _with_time(total: DeviceTotal) -> str:
    share = "" if total.time_share is None else f" ({100 * total.time_share:.1f} % of the devices' time)"
    return f"{total.id} {total.operators}{share}"


def _share(total: DeviceTotal) -> str:
    return "" if total.time_share is None else f" ({100 * total.time_share:.1f} %)"


def _bytes(plan: Plan) -> str:
    sizes = [transfer.bytes for transfer in plan.transfers]
    unknown = sizes.count(None)
    known = size_text(sum(size or 0 for size in sizes))
    return f"{known} and {unknown} of symbolic size" if unknown else known


def _predicted(plan: Plan) -> str:
    figures = plan.predicted
    if figures.latency_ms is None or figures.energy_mj is None:
        return ""
    bound = "" if figures.concurrent or figures.gap is None else f", {bound_words(figures.gap)}"
    return f"{digits(figures.latency_ms)} ms, {digits(figures.energy_mj)} mJ ({figures.source}){bound}"


def _single(plan: Plan) -> str:
    best = best_single(plan.predicted, plan.objective)
    if best is None:
        return ""
    return f"{best.name.removeprefix(ALL_ON)} {digits(best.latency_ms)} ms, {digits(best.energy_mj)} mJ"


def _escape(text: str) -> str:
    return html.escape(printable(text))
