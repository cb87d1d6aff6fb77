"""Counterfactuals as text: what a change that was solved again would bring."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rich.console import RenderableType

from dovetail.plan.schema import OBJECTIVE_UNITS
from dovetail.report.console import DIM, STRONG, draw, fields, heading, table, words
from dovetail.report.document import render_record
from dovetail.report.figures import amount
from dovetail.report.text import WIDTH
from dovetail.report.words import counted, digits, size_text

if TYPE_CHECKING:  # it loads ONNX, which the report of a plan does without
    from dovetail.compiler.counterfactual import Pin, Suggestion, Suggestions
    from dovetail.compiler.granting import Grant, Outcome, WhatIf

WHAT_IF_VERSION: Final = 1
"""Of the JSON document."""
_SAME = 5e-4
"""Relative changes below are not told from rounding."""


def render_what_if(found: "WhatIf", width: int = WIDTH, color: bool = False) -> str:
    """Return the table of a model as it is and with the change."""
    return draw(_what_if(found), width, color)


def render_what_if_json(found: "WhatIf") -> str:
    """Return the same as one JSON document: the fields of `WhatIf` and a version."""
    return render_record(found, WHAT_IF_VERSION)


def render_suggestions(found: "Suggestions", width: int = WIDTH, color: bool = False) -> str:
    """Return the section that says which single change would bring most."""
    return draw(_suggestions(found), width, color)


def pin_rows(pins: "tuple[Pin, ...]", value: float | None, objective: str) -> Iterator[tuple[str, RenderableType]]:
    """Yield what the model would cost with a unit pinned to each of some devices, against `value` as it is."""
    for pin in pins:
        text = pin.refusal if pin.value is None else _value_text(pin.value, value, objective)
        yield f"if {pin.device} took it" if pin.granted else f"on {pin.device}", words(text)


def _value_text(value: float, before: float | None, objective: str) -> str:
    unit = OBJECTIVE_UNITS.get(objective, "")
    return f"{objective} {amount(value, unit)}, {change(before, value)}"


def change(before: float | None, after: float | None) -> str:
    """Return `-38 %`, `+1.2 %`, `unchanged`, or `?` where a share can't be told."""
    if before is None or after is None:
        return "?"
    if before == after:
        return "unchanged"
    if before == 0:
        return "?"
    share = after / before - 1
    if abs(share) < _SAME:
        return "unchanged"
    return f"{100 * share:+.{0 if abs(share) >= 0.0995 else 1}f} %"


def _what_if(found: "WhatIf") -> Iterator[RenderableType]:
    yield words((found.model, STRONG), f" on {found.target}, solved again ({found.source})")
    yield fields([("if" if number == 0 else "and", words(_grant(each))) for number, each in enumerate(found.grants)])
    yield heading("predicted")
    made = table(["", ">as it is", ">with the change", ">"])
    for row in _rows(found):
        made.add_row(*map(words, row))
    yield made
    for grant in found.grants:
        if grant.assumed:
            yield words(
                f"note: of {counted(grant.assumed, 'operator')} on {grant.device} a size or a number of iterations is "
                "not known and counts as 1; fix it with --dim or --shape",
            )


def _grant(grant: "Grant") -> str:
    rest = "takes all of them already" if not grant.new else f"does not take {grant.new} of them by itself"
    return f"{grant.device} took '{grant.pattern}': {counted(grant.operators, 'operator')}; it {rest}"


def _rows(found: "WhatIf") -> Iterator[tuple[str, str, str, str]]:
    before, after = found.before, found.after
    unit = OBJECTIVE_UNITS[found.objective]
    figures = (
        (f"objective ({found.objective})", before.value, after.value, unit),
        ("latency", before.latency_ms, after.latency_ms, "ms"),
        ("energy", before.energy_mj, after.energy_mj, "mJ"),
    )
    for label, old, new, unit in figures:
        yield label, amount(old, unit), amount(new, unit), change(old, new)
    yield "partitions", str(before.partitions), str(after.partitions), ""
    yield "transfers", _transfers(before), _transfers(after), ""
    for (device, _), old_text, new_text in zip(before.operators, _shares(before), _shares(after), strict=True):
        yield f"operators on {device}", old_text, new_text, ""


def _transfers(outcome: "Outcome") -> str:
    return f"{outcome.transfers}, {size_text(outcome.transfer_bytes)}" if outcome.transfers else "none"


def _shares(outcome: "Outcome") -> Iterator[str]:
    total = sum(number for _, number in outcome.operators)
    for _, number in outcome.operators:
        yield f"{number} ({100 * number / max(total, 1):.1f} %)"


def _suggestions(found: "Suggestions") -> Iterator[RenderableType]:
    yield heading("what would help most")
    for line in suggestion_lines(found):
        yield words(line)
    if found.untried:
        yield words((f"not tried: {counted(found.untried, 'more change')}; {found.reach}", DIM))


def suggestion_lines(found: "Suggestions") -> Iterator[str]:
    """Yield a sentence for each change that helps, or that none does."""
    for suggestion in found.best:
        yield _suggestion(suggestion, found.objective)
    if found.tried == 1 and not found.best:
        yield f"the one change that was tried does not lower the {found.objective}"
    elif found.tried and not found.best:
        yield f"none of the {found.tried} changes that were tried lowers the {found.objective}"


def _suggestion(each: "Suggestion", objective: str) -> str:
    subject = f"the {each.operators} {each.op_type}" if each.operators > 1 else f"1 {each.op_type}"
    unit = OBJECTIVE_UNITS.get(objective, "")
    return (
        f"if {subject} ({each.rule}) ran on {each.device}: partitions {each.partitions[0]} -> {each.partitions[1]}, "
        f"{objective} {digits(each.before)} -> {amount(each.after, unit)}, {change(each.before, each.after)}"
    )
