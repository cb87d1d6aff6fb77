"""The report as text: one golden file, and what no golden file can show.

DOVETAIL_REWRITE_GOLDEN=1 pytest tests/report/test_text.py    writes the golden files anew
"""

import dataclasses
import os
import re
from pathlib import Path

import pytest

from dovetail.plan import Plan, plan_from_json
from dovetail.report import (
    find_operators,
    render_explanations,
    render_json,
    render_text,
    render_verdict,
    summarize,
)

GOLDEN = Path(__file__).parents[1] / "golden"


def assert_golden(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("DOVETAIL_REWRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_report(plan: Plan) -> None:
    assert_golden("report.txt", render_text(summarize(plan)))


def test_explanation(plan: Plan) -> None:
    assert_golden("explanation.txt", render_explanations(plan, find_operators(plan, "conv_*")))


def test_explanation_of_a_loop_lists_its_body(plan: Plan) -> None:
    text = render_explanations(plan, find_operators(plan, "loop"))

    assert re.search(r"bodies hold +loop/add \(Add\)", text)
    assert "partition reads  000-npu: features float16 1x8x16x16 (4.1 kB)" in text


def test_explanation_of_a_node_that_folded_away(plan: Plan) -> None:
    text = render_explanations(plan, find_operators(plan, "dropout_1"))

    assert text == "dropout_1 folded away at compile time: no device runs it\n"


def test_verdict_is_the_start_of_the_report(plan: Plan) -> None:
    report = summarize(plan)

    verdict = render_verdict(report)

    assert render_text(report).startswith(verdict)
    assert len(verdict.splitlines()) <= 24


@pytest.mark.parametrize("width", [60, 100])
def test_no_line_is_wider_than_asked(plan: Plan, width: int) -> None:
    long_name = dataclasses.replace(plan.operators[2], name="backbone/" * 40)
    wide = dataclasses.replace(plan, operators=(*plan.operators[:2], long_name, *plan.operators[3:]))

    assert max(map(len, render_text(summarize(wide), width=width).splitlines())) <= width


def test_plain_text_has_no_escape_codes_even_from_names(plan: Plan) -> None:
    nasty = dataclasses.replace(plan.operators[2], name="\x1b[2J[red]x", origins=("\x1b]0;title\x07",))
    hostile = dataclasses.replace(plan, operators=(*plan.operators[:2], nasty, *plan.operators[3:]))

    text = render_text(summarize(hostile)) + render_explanations(hostile, find_operators(hostile, "*x"))

    assert "\x1b" not in text
    assert "\\x1b[2J[red]x" in text


def test_colour_changes_nothing_but_escape_codes(plan: Plan) -> None:
    assert "\x1b[" in render_verdict(summarize(plan), color=True)


def test_long_tables_end_with_a_count(plan: Plan) -> None:
    many = dataclasses.replace(plan, transfers=plan.transfers * 20)

    assert "... and 20 more; `inspect --format json` has all of them" in render_text(summarize(many))


def test_json_is_the_plan(plan: Plan) -> None:
    assert plan_from_json(render_json(plan)) == plan
