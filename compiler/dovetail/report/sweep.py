"""The table of a sweep: a row for each model, batch size and target, as text, JSON, Markdown and CSV."""

import csv
import dataclasses
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from rich.console import RenderableType

from dovetail.compiler.sweeping.record import SweepRecord
from dovetail.partition import Objective
from dovetail.plan.verdict import PROVEN
from dovetail.report.console import DIM, STATE_STYLE, STRONG, draw, heading, table, words
from dovetail.report.document import render_record
from dovetail.report.figures import source_words
from dovetail.report.markdown import escaped, markdown_table
from dovetail.report.words import UNKNOWN, counted, digits, size_text

SWEEP_VERSION: Final = 1
"""Of the JSON document."""
MARK: Final = "*"
"""Stands before the target that is recommended."""
_BEST: Final[dict[Objective, str]] = {
    "latency": "least latency",
    "energy": "least energy",
    "edp": "least product of latency and energy",
    "throughput": "least time between requests",
}


@dataclass(frozen=True, slots=True)
class SweepTable:
    """All rows of a sweep."""

    objective: Objective
    rows: tuple[SweepRecord, ...]


def render_sweep(sweep: SweepTable, width: int, color: bool) -> str:
    """Return the table, below each other the targets of a model and batch size, and why rows failed."""
    return draw(_parts(sweep), width, color)


def render_sweep_json(sweep: SweepTable) -> str:
    """Return one JSON document: the fields of `SweepTable`, and a version."""
    return render_record(sweep, SWEEP_VERSION)


def render_sweep_csv(sweep: SweepTable) -> str:
    """Return a header and a line for each row, with all fields of `SweepRecord`; what is not known is empty."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(field.name for field in dataclasses.fields(SweepRecord))
    writer.writerows(dataclasses.astuple(row) for row in sweep.rows)
    return file.getvalue()


def render_sweep_markdown(sweep: SweepTable) -> str:
    """Return a comment for a pull request: the table, and why rows failed."""
    columns = ["model", ">batch", "target", *(column.replace("\n", " ") for column in _columns(sweep.objective))]
    rows = [
        (row.model, _batch(row), f"{MARK} {row.target}" if row.recommended else row.target, *_cells(row, sweep))
        for row in sweep.rows
    ]
    lines = markdown_table(columns, rows)
    lines += [f"{escaped(line)}  " for line in _legend(sweep)]
    failed = [(_group(row), targets, row.error) for row, targets in _failed(sweep)]
    if failed:
        lines += ["", *markdown_table(["failed", "targets", "reason"], failed)]
    return "\n".join(lines).rstrip() + "\n"


def _parts(sweep: SweepTable) -> Iterator[RenderableType]:
    made = table(["", *_columns(sweep.objective)])
    made.padding = (0, 1, 0, 0)  # names and figures need the width of a page
    for group, rows in groupby(sweep.rows, _group):
        made.add_row(words((group, STRONG)))
        for row in rows:
            mark = (f"{MARK} {row.target}", STATE_STYLE["supported"]) if row.recommended else f"  {row.target}"
            made.add_row(words(mark), *map(words, _cells(row, sweep)))
    yield made
    yield words("")
    for line in _legend(sweep):
        yield words((line, DIM))
    failed = list(_failed(sweep))
    if failed:
        yield heading(f"{counted(sum(bool(row.error) for row in sweep.rows), 'row')} failed")
        for row, targets in failed:
            yield words((f"{_group(row)} on {targets}: ", DIM), row.error)


def _columns(objective: Objective) -> list[str]:
    period = [">every\nms"] if objective == "throughput" else []
    alone = f">best alone\n{'mJ' if objective == 'energy' else 'ms'}"
    return [">ms", ">mJ", *period, ">npu\nops", ">npu\ntime", ">parts", ">crossings", alone, ">gap\n%"]


def _cells(row: SweepRecord, sweep: SweepTable) -> list[str]:
    if row.error:
        return ["failed", *("" for _ in _columns(sweep.objective)[1:])]
    period = [_number(row.period_ms)] if sweep.objective == "throughput" else []
    gap = UNKNOWN if row.gap is None else f"{100 * max(row.gap, PROVEN):.2g}"
    return [
        _number(row.latency_ms),
        _number(row.energy_mj),
        *period,
        _percent(row.npu_ops),
        _percent(row.npu_time),
        str(row.partitions),
        f"{row.transfers}, {size_text(row.boundary_bytes)}" if row.transfers else "0",
        _single(row, sweep.objective),
        f"{gap}!" if row.timed_out else gap,
    ]


def _single(row: SweepRecord, objective: Objective) -> str:
    """The best device alone, with the figure that it is chosen by."""
    figure = row.single_energy_mj if objective == "energy" else row.single_latency_ms
    return f"{row.single} {_number(figure)}" if row.single else "none"


def _legend(sweep: SweepTable) -> Iterator[str]:
    done = [row for row in sweep.rows if not row.error]
    if any(row.recommended for row in done):
        yield f"{MARK} recommended: {_BEST[sweep.objective]} of the model with this batch size"
    if done:
        yield "gap: at most so much above the optimum, partitions one after the other"
    if any(row.timed_out for row in done):
        yield "!: the time limit ended the search, another run may differ; give more with --time-limit"
    for source, rows in groupby(sorted(done, key=lambda row: row.source), lambda row: row.source):
        targets = ", ".join(dict.fromkeys(row.target for row in rows))
        where = "" if all(row.source == source for row in done) else f" ({targets})"
        yield f"figures of one request, {source_words(source)}{where}"


def _failed(sweep: SweepTable) -> Iterator[tuple[SweepRecord, str]]:
    """Yield the first row of each model, batch size and reason, and the targets of all that are like it."""
    alike: dict[tuple[str, str], list[SweepRecord]] = {}
    for row in sweep.rows:
        if row.error:
            alike.setdefault((_group(row), row.error), []).append(row)
    for rows in alike.values():
        yield rows[0], ", ".join(row.target for row in rows)


def _group(row: SweepRecord) -> str:
    return row.model if row.batch is None else f"{row.model}, batch {row.batch}"


def _batch(row: SweepRecord) -> str:
    return "" if row.batch is None else str(row.batch)


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else digits(value)


def _percent(share: float | None) -> str:
    return UNKNOWN if share is None else f"{100 * share:.0f} %"
