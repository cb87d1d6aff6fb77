"""A `CheckReport` as text, JSON, annotations of GitHub, and JUnit XML."""

from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree

from rich.console import RenderableType

from dovetail.report.annotations import MOST_OF_A_LEVEL, command
from dovetail.report.check import Check, CheckReport, OffNpu
from dovetail.report.console import STATE_STYLE, draw, fields, heading, table, words
from dovetail.report.diff_formats import LISTED, more_text
from dovetail.report.document import render_record
from dovetail.report.totals import figure_text
from dovetail.report.words import counted, digits, printable

CHECK_VERSION: Final = 1
"""Of the JSON document."""


def render_check(report: CheckReport, width: int, color: bool) -> str:
    """Return the table of budgets, what left the NPU, and the verdict as the last line."""
    return draw(_parts(report), width, color) + verdict_line(report) + "\n"


def verdict_line(report: CheckReport) -> str:
    """Return `ok: 3 budgets hold`, or `FAILED: ...` with the number that do not."""
    missed = sum(not check.holds for check in report.checks)
    if not missed:
        return f"ok: {counted(len(report.checks), 'budget')} {'holds' if len(report.checks) == 1 else 'hold'}"
    verb = "does" if missed == 1 else "do"
    return f"FAILED: {missed} of {counted(len(report.checks), 'budget')} {verb} not hold"


def render_check_json(report: CheckReport) -> str:
    """Return one JSON document: the fields of `CheckReport`, with `holds` of the whole and a version."""
    return render_record(report, CHECK_VERSION, holds=report.holds)


def render_check_github(report: CheckReport) -> str:
    """Return workflow commands: an error for each budget that does not hold, warnings for what left the NPU."""
    lines = [command("error", _title(check), _sentence(check)) for check in report.checks if not check.holds]
    shown = report.off_npu[:MOST_OF_A_LEVEL]
    lines += [command("warning", f"{each.node} is off the NPU", _off_sentence(each)) for each in shown]
    if len(report.off_npu) > len(shown):
        more = f"{len(report.off_npu) - len(shown)} more are off the NPU; --format json lists all"
        lines.append(command("warning", "Dovetail", more))
    lines += [command("notice", "Dovetail", note) for note in report.notes]
    lines.append(
        printable(f"{report.model} on {report.target}, predicted figures {report.source}: {verdict_line(report)}")
    )
    return "\n".join(lines) + "\n"


def render_junit(report: CheckReport) -> str:
    """Return JUnit XML: one suite, a test case for each budget."""
    missed = str(sum(not check.holds for check in report.checks))
    counts = {"tests": str(len(report.checks)), "failures": missed, "errors": "0"}
    top = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(top, "testsuite", {"name": "dovetail check", **counts})
    for check in report.checks:
        names = {"classname": printable(f"{report.model} on {report.target}"), "name": _title(check)}
        case = ElementTree.SubElement(suite, "testcase", names)
        if not check.holds:
            ElementTree.SubElement(case, "failure", {"message": _sentence(check), "type": check.budget})
    said = [*report.notes, *(f"{each.node}: {_off_sentence(each)}" for each in report.off_npu)]
    if said:
        ElementTree.SubElement(suite, "system-out").text = "\n".join(map(printable, said))
    ElementTree.indent(top)
    return ElementTree.tostring(top, encoding="unicode", xml_declaration=False) + "\n"


def _parts(report: CheckReport) -> Iterator[RenderableType]:
    whole = (("model", report.model), ("target", report.target), ("predicted", report.source))
    yield fields((label, words(text)) for label, text in whole)
    yield heading("budgets")
    made = table(["budget", ">wanted", ">is", "verdict"])
    for check in report.checks:
        verdict = ("holds", STATE_STYLE["supported"]) if check.holds else (_miss(check), STATE_STYLE["unsupported"])
        made.add_row(_title(check), _wanted(check), figure_text(check.value, check.unit), words(verdict))
    yield made
    if report.off_npu:
        yield heading("off the NPU since the baseline")
        moves = table(["operator", "type", "now on", "reason"])
        for each in report.off_npu[:LISTED]:
            moves.add_row(
                words(each.node + _of_batch(each.batch)), words(each.op_type), each.device, words(each.reason)
            )
        yield moves
        if len(report.off_npu) > LISTED:
            yield words(more_text(len(report.off_npu)))
    if report.notes:
        yield words("")
        yield fields(("note", words(note)) for note in report.notes)
    yield words("")


def _title(check: Check) -> str:
    return check.budget + _of_batch(check.batch)


def _of_batch(batch: int | None) -> str:
    return "" if batch is None else f" (batch {batch})"


def _wanted(check: Check) -> str:
    return f"{'at least' if check.least else 'at most'} {figure_text(check.limit, check.unit)}"


def _miss(check: Check) -> str:
    """Return why a budget does not hold, with by how much it is missed."""
    if check.value is None:
        return f"FAILED: not known; {check.remedy}"
    reference = check.limit if check.baseline is None else check.baseline
    by = _distance(check, reference)
    if check.baseline is not None:
        return f"FAILED: worse by {by} than {figure_text(reference, check.unit)}"
    return f"FAILED: {by} {'short' if check.least else 'over'}"


def _distance(check: Check, reference: float) -> str:
    """Return how far a figure is from its reference, with the part that this is of it; shares differ by points."""
    assert check.value is not None
    far = abs(check.value - reference)
    if check.unit == "share":
        return f"{100 * far:.3g} points"
    part = f" ({digits(100 * far / reference)} %)" if reference and check.unit != "count" else ""
    return figure_text(far, check.unit) + part


def _sentence(check: Check) -> str:
    found = "not known" if check.value is None else figure_text(check.value, check.unit)
    return f"{check.words}: {_wanted(check)} wanted, got {found}; {_miss(check).removeprefix('FAILED: ')}"


def _off_sentence(off: OffNpu) -> str:
    return f"{off.op_type} runs on {off.device} now{_of_batch(off.batch)}: {off.reason or 'no reason is known'}"
