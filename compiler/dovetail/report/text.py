"""The report for a terminal: a verdict of one screen, and the tables behind it."""

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from rich.console import RenderableType
from rich.text import Text

from dovetail.plan.causes import Cause
from dovetail.report.certificate import certificate_rows
from dovetail.report.console import DIM, KIND_STYLE, STRONG, draw, fields, heading, table, words
from dovetail.report.figures import batch_section, predicted_rows
from dovetail.report.quantization import quantization_rows
from dovetail.report.summary import Boundary, DisplacedOperator, PartitionRow, Report, TransferTotals
from dovetail.report.words import UNKNOWN, counted, digits, size_text

WIDTH: Final = 100
"""Columns of a report that does not go to a terminal."""
TOP_CAUSES: Final = 3
TOP_TYPES: Final = 4
MAX_ROWS: Final = 40
"""Rows of a table; the JSON form has all of them."""
MAX_DISPLACED: Final = 20
"""Rows of the table of operators, whose causes have a table of their own."""

Row = TypeVar("Row")


def render_verdict(report: Report, width: int = WIDTH, color: bool = False) -> str:
    """Return the block that answers: what runs where, what crosses, and the top causes of fallback."""
    return draw(_verdict(report), width, color)


def render_text(report: Report, width: int = WIDTH, color: bool = False) -> str:
    """Return the verdict and the tables of partitions, causes, displaced operators, transfers and bodies."""
    return draw(_full(report), width, color)


def _full(report: Report) -> Iterator[RenderableType]:
    yield from _verdict(report)
    yield from batch_section(report.batches)
    for section in (_partitions, _causes, _displaced, _transfers, _bodies):
        yield from section(report)


def _verdict(report: Report) -> Iterator[RenderableType]:
    rows: list[tuple[str, RenderableType]] = [
        ("model", _model(report)),
        ("target", words(report.target)),
        ("operators", _per_device(report, "operators")),
        *_times(report),
        ("partitions", _per_device(report, "partitions")),
    ]
    rows += figure_rows(report)
    rows += [("not on " + report.devices[0].id if first else "", text) for first, text in _top_causes(report)]
    rows += [("note", words(note)) for note in report.notes]
    yield fields(rows)


def figure_rows(report: Report) -> Iterator[tuple[str, Text]]:
    """Yield what the whole costs: what crosses, what is predicted, quantized and verified; each with its label."""
    yield "transfers", words(transfer_text(report.totals))
    yield from predicted_rows(report.predicted, report.objective)
    yield from quantization_rows(report.quantization, report.objective)
    yield from certificate_rows(report)


def _model(report: Report) -> Text:
    folded = f"  ({counted(report.eliminated, 'node')} folded away)" if report.eliminated else ""
    bindings = "".join(f"  {binding}" for binding in report.bindings)
    return words(report.model, bindings, (folded, DIM))


def _per_device(report: Report, figure: str) -> Text:
    total = report.operators if figure == "operators" else len(report.partitions)
    parts: list[str | tuple[str, str]] = [str(total)]
    for device in report.devices:
        number = device.operators if figure == "operators" else device.partitions
        share = f" ({100 * device.share:.1f} %)" if figure == "operators" else ""
        parts += ["   ", (device.id, KIND_STYLE[device.kind]), f" {number}{share}"]
    return words(*parts)


def _times(report: Report) -> Iterator[tuple[str, Text]]:
    """Yield the predicted time of each device that has something to do."""
    parts: list[str | tuple[str, str]] = []
    for device in report.devices:
        if device.partitions and device.latency_ms is not None:
            share = "" if device.time_share is None else f" ({100 * device.time_share:.1f} %)"
            parts += [
                "   " if parts else "",
                (device.id, KIND_STYLE[device.kind]),
                f" {digits(device.latency_ms)} ms{share}",
            ]
    if parts:
        yield "time", words(*parts)


def transfer_text(totals: TransferTotals) -> str:
    """Return how many tensors cross, their bytes, and the time that it takes."""
    if not totals.count:
        return "none"
    time = "" if totals.latency_ms is None else f", {digits(totals.latency_ms)} ms"
    if totals.unknown == totals.count:
        return f"{totals.count}, {UNKNOWN} bytes (symbolic sizes){time}"
    rest = f" + {UNKNOWN} for {totals.unknown} of symbolic size" if totals.unknown else ""
    return f"{totals.count}, {size_text(totals.bytes)}{rest}{time}"


def _top_causes(report: Report) -> Iterator[tuple[bool, Text]]:
    """Yield the lines about the top causes, each with whether it is the first line."""
    for index, cause in enumerate(report.causes[:TOP_CAUSES]):
        yield (
            index == 0,
            words(f"{cause.operators} x {cause.label}: {cause.message}", (f"  ({_top_types(cause)})", DIM)),
        )
        if cause.fix:
            yield False, words(("  fix: ", DIM), cause.fix)
    rest = len(report.causes) - TOP_CAUSES
    if rest > 0:
        yield False, words((f"and {counted(rest, 'more cause')}", DIM))


def _partitions(report: Report) -> Iterator[RenderableType]:
    yield heading("partitions, in run order")
    timed = any(row.latency_ms is not None for row in report.partitions)
    times = [">ms"] if timed else []
    made = table(["partition", "device", ">operators", *times, ">in", ">", ">out", ">", "first node", "last node"])
    for row in report.partitions[:MAX_ROWS]:
        made.add_row(
            words(row.id),
            words((row.device, KIND_STYLE[row.kind])),
            str(row.operators),
            *([_time(row)] if timed else []),
            *_boundary(row.inputs),
            *_boundary(row.outputs),
            words(row.first),
            words(row.last),
        )
    yield made
    yield from _rest(report.partitions)


def _time(row: PartitionRow) -> str:
    """Return the predicted duration; `||` marks a partition beside which another device works."""
    return f"{'|| ' if row.concurrent else ''}{digits(row.latency_ms or 0.0)}"


def _boundary(boundary: Boundary) -> tuple[str, str]:
    return str(boundary.tensors), size_text(boundary.bytes) if boundary.tensors else ""


def _causes(report: Report) -> Iterator[RenderableType]:
    if not report.causes:
        return
    yield heading(f"why operators are not on {report.devices[0].id}")
    made = table([">operators", ">sole cause", "what"])
    for cause in report.causes[:MAX_ROWS]:
        made.add_row(str(cause.operators), str(cause.sole), _what(cause))
    yield made
    yield from _rest(report.causes)


def _what(cause: Cause) -> Text:
    """Return the rule's sentence, the operator types, and the fix, each on its own line."""
    others = len(cause.values) - 1
    text = words((cause.label, STRONG), f": {cause.message}")
    if others > 0 and cause.values[0] in cause.message:
        text += words((f" (and {counted(others, 'other value')})", DIM))
    if cause.confidence != "high":
        text += words((f" [{cause.confidence} confidence]", DIM))
    text.append("\n").append_text(_types(cause.op_types))
    if cause.fix:
        text.append("\n").append_text(words(("fix: ", DIM), cause.fix))
    return text


def _top_types(cause: Cause) -> str:
    """Return the most frequent operator types, `Resize 3, TopK 1, ...`."""
    first = ", ".join(f"{op_type} {number}" for op_type, number in cause.op_types[:TOP_TYPES])
    return first + (", ..." if len(cause.op_types) > TOP_TYPES else "")


def _types(op_types: tuple[tuple[str, int], ...]) -> Text:
    return words(", ".join(f"{op_type} {number}" for op_type, number in op_types))


def _displaced(report: Report) -> Iterator[RenderableType]:
    if not report.displaced:
        return
    timed = any(operator.latency_us is not None for operator in report.displaced)
    order = ", what takes longest first" if timed else ""
    yield heading(f"operators that are not on {report.devices[0].id}{order}")
    kinds = {device.id: device.kind for device in report.devices}
    told = frozenset(cause.fix for cause in report.causes[:MAX_ROWS])
    made = table(["operator", "type", "device", *([">us"] if timed else []), "code", "why"])
    for operator in report.displaced[:MAX_DISPLACED]:
        device = words((operator.device, KIND_STYLE[kinds[operator.device]]))
        time = [_microseconds(operator.latency_us)] if timed else []
        code = words(operator.code)
        made.add_row(words(operator.name), words(operator.op_type), device, *time, code, _why(operator, told))
    yield made
    yield from _rest(report.displaced, MAX_DISPLACED)


def _microseconds(time: float | None) -> str:
    return UNKNOWN if time is None else digits(time)


def _why(operator: DisplacedOperator, told: frozenset[str]) -> Text:
    """Return the reason with the value that was found, and below it what to do, unless the causes tell."""
    if operator.rule == "cost":
        return words(f"{operator.rule}: {operator.got}")
    value = f" (got {operator.got})" if operator.got and operator.got not in operator.reason else ""
    more = f" (and {counted(operator.others, 'other rule')})" if operator.others else ""
    text = words(f"{operator.rule}: {operator.reason}{value}", (more, DIM))
    if operator.fix and operator.fix not in told:
        text.append("\n").append_text(words(("fix: ", DIM), operator.fix))
    return text


def _transfers(report: Report) -> Iterator[RenderableType]:
    if not report.transfers:
        return
    yield heading("transfers")
    timed = report.totals.latency_ms is not None
    made = table(["tensor", "from", "to", ">bytes", *([">us"] if timed else []), "read by"])
    for transfer in report.transfers[:MAX_ROWS]:
        time = [_microseconds((transfer.cost or {}).get("latency_us"))] if timed else []
        made.add_row(
            words(transfer.tensor),
            words(transfer.source),
            words(transfer.destination),
            size_text(transfer.bytes),
            *time,
            words(", ".join(transfer.consumers)),
        )
    yield made
    yield from _rest(report.transfers)


def _bodies(report: Report) -> Iterator[RenderableType]:
    if not report.bodies:
        return
    yield heading("inside control flow")
    made = table(["operator", "type", "device", "operators in its bodies"])
    for body in report.bodies:
        parent = words(body.parent), words(body.parent_type), words(body.device)
        made.add_row(*parent, _types(body.op_types))
    yield made


def _rest(rows: Sequence[Row], most: int = MAX_ROWS) -> Iterator[RenderableType]:
    if len(rows) > most:
        yield words((f"... and {len(rows) - most} more; `inspect --format json` has all of them", DIM))
