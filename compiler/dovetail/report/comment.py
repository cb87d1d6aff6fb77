"""The report as Markdown: a comment on a pull request, or a page of a job's summary."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from dovetail.plan.causes import Cause
from dovetail.report.figures import BatchRow
from dovetail.report.markdown import MOST_CHARACTERS, escaped, folded, markdown_table
from dovetail.report.summary import DeviceShare, DisplacedOperator, PartitionRow, Report
from dovetail.report.text import figure_rows, transfer_text
from dovetail.report.whatif import suggestion_lines
from dovetail.report.words import clipped, counted, digits, size_text

if TYPE_CHECKING:  # it loads ONNX, which the report of a plan does without
    from dovetail.compiler.counterfactual import Suggestions
    from dovetail.plan.schema import Transfer

_TYPES: Final = 6
"""Operator types of a cause that are named."""
_DEVICES: Final = 8
_WIDER: Final = 4
"""How much longer a sentence may be than a name in a list."""

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class _Room:
    """What a comment has room for."""

    rows: int
    """Of a list."""
    cell: int
    """Characters of a name."""


_ROOMS: Final = (_Room(100, 160), _Room(30, 160), _Room(10, 120), _Room(3, 60), _Room(1, 20))
"""Tried in this order. The last is enough for any model: 40 rows of 20 characters, each written with nine at most."""


def render_markdown(report: Report, suggestions: "Suggestions | None" = None) -> str:
    """Return the verdict as tables, with causes, partitions, crossings and operators folded below.

    Args:
        report: of any plan; long lists are cut, so that the text is at most `MOST_CHARACTERS` long.
        suggestions: what single changes would bring, where that was solved.
    """
    texts = ("\n".join(_lines(report, suggestions, room)) for room in _ROOMS)
    return next(text for text in texts if len(text) <= MOST_CHARACTERS)


def _lines(report: Report, suggestions: "Suggestions | None", room: _Room) -> Iterator[str]:
    yield from (f"### {_cell(report.model, room)} on {_cell(report.target, room)}", "")
    yield from _devices(report, room)
    yield from _figures(report, room)
    yield from _notes(report.notes, room)
    sections = (_batches, _causes, _displaced, _partitions, _crossings)
    for section in sections:
        yield from section(report, room)
    if suggestions is not None:
        yield from folded(
            "what would help most", [*(_bullet(line, room) for line in suggestion_lines(suggestions)), ""]
        )


def _devices(report: Report, room: _Room) -> Iterator[str]:
    columns = ["device", ">operators", ">", ">partitions", ">predicted time", ">"]
    yield from _table(columns, report.devices[:_DEVICES], _device, room)


def _device(device: DeviceShare) -> Sequence[str]:
    time = "" if device.latency_ms is None else f"{digits(device.latency_ms)} ms"
    return (
        device.id,
        str(device.operators),
        _percent(device.share),
        str(device.partitions),
        time,
        _percent(device.time_share),
    )


def _figures(report: Report, room: _Room) -> Iterator[str]:
    rows = [(label, text.plain) for label, text in figure_rows(report)]
    if report.bindings:
        rows.insert(0, ("options", " ".join(report.bindings)))
    if report.causes:
        first = report.causes[0]
        rows.append(
            (f"not on {report.devices[0].id}", f"{first.operators} x {first.label}: {first.message}; {first.fix}")
        )
    yield from _table(["", ""], rows, lambda row: row, _Room(room.rows, _WIDER * room.cell))


def _notes(notes: Sequence[str], room: _Room) -> Iterator[str]:
    yield from (_bullet(note, room) for note in notes[: room.rows])
    yield from _rest(notes, room)
    yield from ("",) if notes else ()


def _batches(report: Report, room: _Room) -> Iterator[str]:
    if len(report.batches) > 1:
        columns = [">batch", ">placement", "operators", ">ms", ">mJ"]
        yield from _section("batch sizes", columns, report.batches, _batch, room)


def _batch(row: BatchRow) -> Sequence[str]:
    shares = ", ".join(f"{device} {count}" for device, count in row.devices if count)
    figures = row.predicted
    return str(row.batch), str(row.placement), shares, _number(figures.latency_ms), _number(figures.energy_mj)


def _causes(report: Report, room: _Room) -> Iterator[str]:
    title = f"{counted(len(report.causes), 'cause')} why operators are not on {_first(report, room)}"
    columns = ["code", ">operators", ">sole cause", "what", "what to do", "operator types", "first"]
    yield from _section(title, columns, report.causes, _cause, room)


def _cause(cause: Cause) -> Sequence[str]:
    types = ", ".join(f"{op_type} {number}" for op_type, number in cause.op_types[:_TYPES])
    more = ", ..." if len(cause.op_types) > _TYPES else ""
    counts = str(cause.operators), str(cause.sole)
    return cause.label, *counts, cause.message, cause.fix, types + more, cause.example


def _displaced(report: Report, room: _Room) -> Iterator[str]:
    title = f"{counted(len(report.displaced), 'operator')} not on {_first(report, room)}, the slowest first"
    columns = ["operator", "type", "device", ">us", "code", "got", "what to do", "why"]
    yield from _section(title, columns, report.displaced, _operator, room)


def _operator(each: DisplacedOperator) -> Sequence[str]:
    figures = each.device, _number(each.latency_us)
    return each.name, each.op_type, *figures, each.label, each.got, each.fix, each.reason


def _partitions(report: Report, room: _Room) -> Iterator[str]:
    columns = ["partition", "device", ">operators", ">ms", ">mJ", ">in", ">out", "first operator", "last operator"]
    yield from _section(counted(len(report.partitions), "partition"), columns, report.partitions, _partition, room)


def _partition(row: PartitionRow) -> Sequence[str]:
    figures = _number(row.latency_ms), _number(row.energy_mj), size_text(row.inputs.bytes), size_text(row.outputs.bytes)
    return row.id, row.device, str(row.operators), *figures, row.first, row.last


def _crossings(report: Report, room: _Room) -> Iterator[str]:
    columns = ["tensor", "from", "to", ">bytes", ">us", "read by"]
    title = f"tensors that cross: {transfer_text(report.totals)}"
    yield from _section(title, columns, report.transfers, _crossing, room)


def _crossing(transfer: "Transfer") -> Sequence[str]:
    figures = size_text(transfer.bytes), _number((transfer.cost or {}).get("latency_us"))
    return transfer.tensor, transfer.source, transfer.destination, *figures, ", ".join(transfer.consumers)


def _section(
    title: str, columns: Sequence[str], rows: Sequence[Row], cells: Callable[[Row], Sequence[str]], room: _Room
) -> Iterator[str]:
    """Yield a folded table of the first rows; nothing where there are none."""
    if rows:
        yield from folded(title, [*_table(columns, rows[: room.rows], cells, room), *_rest(rows, room)])


def _table(
    columns: Sequence[str], rows: Iterable[Row], cells: Callable[[Row], Sequence[str]], room: _Room
) -> list[str]:
    return markdown_table(columns, [[clipped(cell, room.cell) for cell in cells(row)] for row in rows])


def _rest(rows: Sequence[object], room: _Room) -> Iterator[str]:
    if len(rows) > room.rows:
        yield from ("", f"... and {len(rows) - room.rows} more; `inspect --format json` has all of them", "")


def _bullet(text: str, room: _Room) -> str:
    return f"- {escaped(clipped(text, _WIDER * room.cell))}"


def _cell(text: str, room: _Room) -> str:
    return escaped(clipped(text, room.cell))


def _first(report: Report, room: _Room) -> str:
    return clipped(report.devices[0].id, room.cell)


def _number(value: float | None) -> str:
    return "" if value is None else digits(value)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"
