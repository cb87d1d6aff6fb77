"""A `Diff` as text, JSON and Markdown."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Final

from rich.console import RenderableType

from dovetail.plan.totals import Totals
from dovetail.report.console import draw, fields, heading, table, words
from dovetail.report.diff import BatchDiff, Change, Diff, Place
from dovetail.report.document import render_record
from dovetail.report.markdown import escaped, folded, markdown_table
from dovetail.report.totals import Unit, figure_text
from dovetail.report.words import counted, digits

DIFF_VERSION: Final = 1
"""Of the JSON document."""
LISTED: Final = 100
"""Rows of one list, except in JSON: GitHub refuses comments of more than 65,536 characters, and nobody reads 10,000."""
SAME: Final = "no difference"

_FIGURES: Final[tuple[tuple[str, str, Unit], ...]] = (
    ("operators", "operators", "count"),
    ("operators on the NPU", "npu_ops", "share"),
    ("predicted time on the NPU", "npu_time", "share"),
    ("partitions", "partitions", "count"),
    ("transfers", "transfers", "count"),
    ("bytes between devices", "boundary_bytes", "B"),
    ("predicted latency", "latency_ms", "ms"),
    ("predicted energy", "energy_mj", "mJ"),
)
"""Words, field of `Totals`, unit."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Column:
    """A column of a list of changes; one that starts with `>` is aligned to the right."""

    name: str
    text: Callable[[Change], str]


_NODE: Final = _Column("operator", lambda change: change.node)
_TYPE: Final = _Column("type", lambda change: _shown(change).op_type)
_FROM: Final = _Column("from", lambda change: _devices(change.before))
_TO: Final = _Column("to", lambda change: _devices(change.after))
_ON: Final = _Column("on", lambda change: _devices(_shown(change)))
_BEFORE: Final = _Column(">us before", lambda change: _latency(change.before))
_AFTER: Final = _Column(">us now", lambda change: _latency(change.after))
_REASON_BEFORE: Final = _Column("reason before", lambda change: _reason(change.before))
_REASON: Final = _Column("reason now", lambda change: _reason(change.after))
_APPEARED: Final = _Column("before", lambda change: "folded away" if change.folded else "not in the model")
_VANISHED: Final = _Column("now", lambda change: "folded away" if change.folded else "not in the model")


def render_diff(diff: Diff, width: int, color: bool) -> str:
    """Return tables of what differs, or `no difference`."""
    if diff.empty:
        return f"{SAME}\n"
    return draw(_parts(diff), width, color)


def render_diff_json(diff: Diff) -> str:
    """Return one JSON document: the fields of `Diff`, with `empty` of the whole and a version."""
    return render_record(diff, DIFF_VERSION, empty=diff.empty)


def render_diff_markdown(diff: Diff) -> str:
    """Return a comment for a pull request: a table of figures, and folded lists of at most `LISTED` rows each."""
    lines = [f"### {escaped(diff.model)} on {escaped(diff.target)}", ""]
    lines += [SAME if diff.empty else f"Predicted figures: {escaped(diff.source)}", ""]
    lines += markdown_table(["", "before", "now"], [(fact.name, fact.before, fact.after) for fact in diff.facts])
    for batch in diff.batches:
        if not batch.empty:
            lines += _markdown_batch(batch)
    return "\n".join(lines)


def more_text(number: int) -> str:
    """Return the line below a list of which only `LISTED` are shown."""
    return f"and {number - LISTED} more; --format json lists all"


def _lists(batch: BatchDiff) -> Iterator[tuple[str, tuple[Change, ...], tuple[_Column, ...]]]:
    """Yield title, changes and columns of every list that is not empty; a column that says nothing is left out."""
    lists = (
        ("moved", batch.moved, (_NODE, _TYPE, _FROM, _TO, _BEFORE, _AFTER, _REASON)),
        ("appeared", batch.appeared, (_NODE, _TYPE, _ON, _AFTER, _APPEARED, _REASON)),
        ("vanished", batch.vanished, (_NODE, _TYPE, _ON, _BEFORE, _VANISHED)),
        ("not moved, other reason", batch.reasons, (_NODE, _TYPE, _ON, _REASON_BEFORE, _REASON)),
    )
    for title, changes, columns in lists:
        if changes:
            said = tuple(column for column in columns if any(map(column.text, changes[:LISTED])))
            yield f"{counted(len(changes), 'operator')} {title}", changes, said


def _parts(diff: Diff) -> Iterator[RenderableType]:
    whole = (("model", diff.model), ("target", diff.target), ("predicted", diff.source))
    yield fields((label, words(text)) for label, text in whole)
    if diff.facts:
        yield heading("the plans as a whole")
        facts = table(["", "before", "now"])
        for fact in diff.facts:
            facts.add_row(fact.name, words(fact.before), words(fact.after))
        yield facts
    for batch in diff.batches:
        if not batch.empty:
            yield from _batch_parts(batch)


def _batch_parts(batch: BatchDiff) -> Iterator[RenderableType]:
    yield heading("figures" if batch.batch is None else f"figures of batch {batch.batch}")
    figures = table(["", ">before", ">now", ">change"])
    for row in _figure_rows(batch):
        figures.add_row(*row)
    yield figures
    for title, changes, columns in _lists(batch):
        yield heading(title)
        made = table([column.name for column in columns])
        for change in changes[:LISTED]:
            made.add_row(*(words(column.text(change)) for column in columns))
        yield made
        if len(changes) > LISTED:
            yield words(more_text(len(changes)))


def _markdown_batch(batch: BatchDiff) -> Iterator[str]:
    if batch.batch is not None:
        yield from (f"**Batch {batch.batch}**", "")
    yield from markdown_table(["", ">before", ">now", ">change"], list(_figure_rows(batch)))
    for title, changes, columns in _lists(batch):
        rows = [tuple(column.text(change) for column in columns) for change in changes[:LISTED]]
        lines = markdown_table([column.name for column in columns], rows)
        yield from folded(title, [*lines, *([more_text(len(changes)), ""] if len(changes) > LISTED else [])])


def _figure_rows(batch: BatchDiff) -> Iterator[tuple[str, str, str, str]]:
    for name, field, unit in _FIGURES:
        before, after = _value(batch.before, field), _value(batch.after, field)
        if before is not None or after is not None:
            yield name, figure_text(before, unit), figure_text(after, unit), _change(before, after, unit)


def _value(totals: Totals, field: str) -> float | None:
    value: float | None = getattr(totals, field)
    return value


def _change(before: float | None, after: float | None, unit: Unit) -> str:
    """Return `-12.5 %` of the figure before, `+3 points` of a share, `+2` where it was 0; empty where equal."""
    if before is None or after is None or before == after:
        return ""
    if unit == "share":
        return f"{100 * (after - before):+.3g} points"
    if before == 0:
        return f"+{figure_text(after, unit)}"
    change = 100 * (after - before) / before
    return f"{'+' if change > 0 else ''}{digits(change)} %"


def _shown(change: Change) -> Place:
    """Return the place now, or before where there is none now."""
    place = change.after or change.before
    assert place is not None
    return place


def _devices(place: Place | None) -> str:
    return "+".join(place.devices) if place else ""


def _latency(place: Place | None) -> str:
    return "" if place is None or place.latency_us is None else digits(place.latency_us)


def _reason(place: Place | None) -> str:
    return place.reason if place else ""
