"""What a plan says to its user on one screen, where nothing is installed but the runtime: as text and as HTML.

The compiler's report says more; this goes without it.
"""

import html
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dovetail.plan.naming import shown
from dovetail.plan.schema import DeviceKind, Plan, PlanOperator

_COLORS: Final[dict[DeviceKind, str]] = {"npu": "#009e73", "gpu": "#e69f00", "cpu": "#56b4e9"}
"""Of Okabe and Ito's palette, which colour-blind people can tell apart."""


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


def device_totals(plan: Plan) -> tuple[DeviceTotal, ...]:
    """What each device of a plan has to do, in the target's order."""
    operators = Counter(operator.device for operator in plan.operators if not operator.inside)
    return tuple(
        DeviceTotal(device.id, device.kind, device.name, operators[device.id], *_partitions(plan, device.id))
        for device in plan.devices
    )


def main_cause(operators: Sequence[PlanOperator], device: str) -> str:
    """The rule that most operators break on a device, in the words of the first of them, and its remedy.

    Args:
        operators: at least one, none of them on the device.
        device: its id.
    """
    reasons = [
        reason
        for operator in operators
        for verdict in operator.verdicts
        if verdict.device == device
        for reason in verdict.reasons
        if reason.rule != "unit"
    ]
    if not reasons:
        return operators[0].reason
    rule, count = Counter(reason.rule for reason in reasons).most_common(1)[0]
    first = next(reason for reason in reasons if reason.rule == rule)
    remedy = f"; {first.fix}" if first.fix else ""
    return f"first cause ({count} times): {first.message}{remedy}"


def verdict_text(plan: Plan) -> str:
    """The verdict as lines of a word and what there is to say of it; of several batch sizes that of the first."""
    totals = device_totals(plan)
    rows = [("operators", "   ".join(f"{each.id} {each.operators}" for each in totals)), *_facts(plan)]
    rows.insert(1, ("time", "   ".join(f"{each.id} {each.latency_ms:.3g} ms" for each in totals if each.latency_ms)))
    lines = [("model", plan.model.name), ("target", plan.target), *rows]
    return "\n".join(f"{word:<12}{_printable(text)}" for word, text in lines if text)


def verdict_html(plan: Plan) -> str:
    """The verdict as a table for notebooks. It brings its own style, takes the page's colours, and loads nothing."""
    totals = device_totals(plan)
    count = max(sum(each.operators for each in totals), 1)
    head = "".join(f"<th>{word}</th>" for word in ("device", "operators", "share", "partitions", "predicted time"))
    rows = "".join(_device_row(each, count) for each in totals)
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


def _device_row(total: DeviceTotal, operators: int) -> str:
    mark = f'<i style="background:{_COLORS[total.kind]}"></i>'
    time = "" if total.latency_ms is None else f"{total.latency_ms:.3g} ms"
    figures = (str(total.operators), f"{100 * total.operators / operators:.1f} %", str(total.partitions), time)
    cells = "".join(f'<td class="number">{figure}</td>' for figure in figures)
    return f'<tr><td title="{_escape(total.name)}">{mark}{_escape(total.id)}</td>{cells}</tr>'


def _facts(plan: Plan) -> Iterator[tuple[str, str]]:
    """What crosses, what it costs and what keeps operators off the first device; empty where there is nothing."""
    counts = Counter(partition.device for partition in plan.partitions)
    devices = ", ".join(f"{counts[device.id]} on {device.id}" for device in plan.devices if counts[device.id])
    yield "partitions", f"{len(plan.partitions)}: {devices}" if devices else "none"
    yield "transfers", _transfers(plan)
    yield "predicted", _predicted(plan)
    first = plan.devices[0].id
    elsewhere = [operator for operator in plan.operators if not operator.inside and operator.device != first]
    yield f"not on {first}", main_cause(elsewhere, first) if elsewhere else ""


def _transfers(plan: Plan) -> str:
    sizes = [transfer.bytes for transfer in plan.transfers]
    unknown = sizes.count(None)
    rest = f" and {unknown} of symbolic size" if unknown else ""
    return f"{len(sizes)}, {sum(size or 0 for size in sizes)} bytes{rest}" if sizes else "none"


def _predicted(plan: Plan) -> str:
    figures = plan.predicted
    if figures.latency_ms is None or figures.energy_mj is None:
        return ""
    bound = ""
    if figures.gap is not None and not figures.concurrent:
        bound = f"; at most {100 * figures.gap:.2g} % above the optimum"
    best = min(
        (each for each in figures.alternatives if each.name.startswith("all on ")),
        key=lambda each: each.latency_ms,
        default=None,
    )
    single = f"; {best.name} {best.latency_ms:.3g} ms, {best.energy_mj:.3g} mJ" if best else ""
    return f"{figures.latency_ms:.3g} ms, {figures.energy_mj:.3g} mJ ({figures.source}){bound}{single}"


def _escape(text: str) -> str:
    return html.escape(_printable(text))


def _printable(text: str) -> str:
    """Names come from model files: control characters would reach the terminal or the page."""
    return text if text.isprintable() else shown(text)[1:-1]
