"""Counterfactuals as text."""

import pytest

from dovetail.compiler.counterfactual import Pin, Suggestion, Suggestions
from dovetail.compiler.granting import Grant, Outcome, WhatIf
from dovetail.report.console import draw, fields
from dovetail.report.whatif import change, pin_rows, render_suggestions, render_what_if

BEFORE = Outcome(3.2, 3.2, 5.0, 14, 13, None, (("npu", 80), ("cpu", 20)))
AFTER = Outcome(2.0, 2.0, 5.0, 1, 0, 0, (("npu", 100), ("cpu", 0)))
NORMS = Suggestion("op_list", "LayerNormalization", 12, "npu", 3.2, 1.984, (14, 1))


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (3.2, 1.984, "-38 %"),
        (1.0, 1.012, "+1.2 %"),
        (1.0, 0.9, "-10 %"),
        (1.0, 1.0004, "unchanged"),
        (0.0, 0.0, "unchanged"),
        (0.0, 1.0, "?"),
        (None, 1.0, "?"),
    ],
)
def test_a_change_is_a_share_of_what_was_before(before: float | None, after: float, words: str) -> None:
    assert change(before, after) == words


def test_a_suggestion_says_what_would_change_in_one_line() -> None:
    text = render_suggestions(Suggestions("latency", (NORMS,), 3, 0))
    assert text.splitlines() == [
        "",
        "what would help most",
        "if the 12 LayerNormalization (op_list) ran on npu: partitions 14 -> 1, latency 3.2 -> 1.98 ms, -38 %",
    ]


@pytest.mark.parametrize(
    ("tried", "untried", "words"),
    [
        (4, 0, ["none of the 4 changes that were tried lowers the energy"]),
        (1, 0, ["the one change that was tried does not lower the energy"]),
        (0, 7, ["not tried: 7 more changes; at most 8 are, of models with up to 300 units, within 2 s"]),
    ],
)
def test_without_a_gain_it_says_what_was_tried(tried: int, untried: int, words: list[str]) -> None:
    assert render_suggestions(Suggestions("energy", (), tried, untried)).splitlines()[2:] == words


def test_what_if_shows_both_sides_and_what_is_not_known() -> None:
    grant = Grant("op:LayerNormalization", "npu", 12, 12, 2)
    text = render_what_if(WhatIf("m", "t", "latency", "modelled", (grant,), BEFORE, AFTER))
    rows = [line.split() for line in text.splitlines()]
    assert ["latency", "3.2", "ms", "2", "ms", "-38", "%"] in rows
    assert ["energy", "5", "mJ", "5", "mJ", "unchanged"] in rows
    assert ["transfers", "13,", "?", "none"] in rows
    assert ["operators", "on", "cpu", "20", "(20.0", "%)", "0", "(0.0", "%)"] in rows
    assert "note: of 2 operators on npu a size or a number of iterations is not known and counts as 1" in text


def test_a_pin_without_a_placement_gives_the_reason() -> None:
    pins = (Pin("gpu", 1.12), Pin("cpu", None, "the latency must be at most 1 ms"), Pin("npu", 0.9, granted=True))
    rows = pin_rows(pins, 1.0, "latency")
    assert draw([fields(rows)], 100, False).splitlines() == [
        "on gpu          latency 1.12 ms, +12 %",
        "on cpu          the latency must be at most 1 ms",
        "if npu took it  latency 0.9 ms, -10 %",
    ]
