"""Costs in the report."""

from dataclasses import replace

import pytest

from dovetail.plan import Alternative, Front, FrontPoint, Predicted
from dovetail.report import render_front
from dovetail.report.console import draw, fields
from dovetail.report.figures import BatchRow, batch_section, predicted_rows
from dovetail.report.pareto import front_plot

PROVEN = Predicted(
    latency_ms=2.0,
    serial_latency_ms=2.5,
    energy_mj=3.0,
    period_ms=1.5,
    value=2.5,
    lower_bound=2.4,
    gap=0.04,
    solver="minimum cuts",
    alternatives=(Alternative("greedy", 4.0, 8.0), Alternative("all on cpu", 9.0, 9.0)),
    source="modelled",
)


def lines(predicted: Predicted, objective: str = "latency") -> str:
    return " ".join(draw([fields(predicted_rows(predicted, objective))], 200, color=False).split())


def test_nothing_is_said_without_a_cost_model() -> None:
    assert list(predicted_rows(Predicted(), "latency")) == []


def test_figures_the_proof_and_the_alternatives() -> None:
    text = lines(PROVEN)
    assert "predicted 2 ms, 3 mJ (modelled)" in text
    assert "placement latency 2.5 ms, proven to be at most 4 % above the optimum (minimum cuts)" in text
    assert "instead of greedy 4 ms, 8 mJ; all on cpu 9 ms, 9 mJ (best single device)" in text


def test_a_plan_that_overlaps_is_told_beside_the_alternatives_as_it_would_be_without() -> None:
    said = "with partitions one after the other, as in these, this plan takes 2.5 ms"
    assert f"(best single device); {said}" in lines(PROVEN)
    assert "one after the other" not in lines(replace(PROVEN, serial_latency_ms=2.0000001))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gap": 5e-5}, "proven optimal to 0.01 %"),
        ({"gap": None, "lower_bound": None}, "nothing proven"),
        ({"timed_out": True}, "the time limit ended the search"),
        ({"concurrent": True}, "with devices at work at the same time 2 ms, by another placement"),
    ],
)
def test_what_the_proof_is_worth(change: dict[str, object], words: str) -> None:
    assert words in lines(replace(PROVEN, **change))  # type: ignore[arg-type]


def test_a_pipeline_has_a_period() -> None:
    assert "a request every 1.5 ms" in lines(PROVEN, "throughput")
    assert "a request every" not in lines(PROVEN, "energy")


def test_batch_sizes_say_where_the_best_device_changes() -> None:
    rows = (
        BatchRow(8, 0, PROVEN, (("npu", 5), ("gpu", 1))),
        BatchRow(1, 0, PROVEN, (("npu", 6), ("gpu", 0))),
        BatchRow(64, 1, PROVEN, (("npu", 1), ("gpu", 5))),
    )
    text = " ".join(draw(batch_section(rows), 200, color=False).split())
    assert "best device npu up to batch 8, gpu from 64" in text
    assert "ms a sample 0.25 2 0.0312" in text, "2 ms for 8, 1 and 64 pictures"
    assert list(batch_section(rows[:1])) == []


def test_batch_sizes_fit_100_columns_with_the_longest_figures() -> None:
    names = ("greedy", *(f"{device}{how}" for device in ("npu", "gpu", "cpu") for how in (" first", " alone")))
    longest = Predicted(
        latency_ms=1.23e-5, energy_mj=1.23e-5, alternatives=tuple(Alternative(name, 1.23e-5, 1.23e-5) for name in names)
    )
    devices = (("npu", 12345), ("gpu", 12345), ("cpu", 12345))
    rows = tuple(BatchRow(batch, 0, longest, devices) for batch in (1, 8, 64, 512))
    narrow, wide = (draw(batch_section(rows), width, color=False) for width in (100, 1000))
    assert narrow == wide
    assert "npu first, mJ      1.23e-05   1.23e-05   1.23e-05   1.23e-05" in narrow


def test_batch_sizes_without_a_cost_model_have_no_empty_lines() -> None:
    rows = tuple(BatchRow(batch, 0, Predicted(), (("cpu", 3),)) for batch in (1, 8))
    _, _, *lines = draw(batch_section(rows), 100, color=False).splitlines()
    assert [line.split() for line in lines] == [
        ["batch", "1", "8"],
        ["─" * len(lines[1])],
        ["placement", "0", "0"],
        ["operators", "on", "cpu", "3", "3"],
    ]


FRONT = Front(
    model="face <b>",
    target="board",
    devices=("npu", "cpu"),
    source="modelled",
    points=(
        FrontPoint(1.0, 9.0, 1, {"a": "cpu", "b": "cpu"}),
        FrontPoint(2.0, 3.0, 2, {"a": "npu", "b": "cpu"}),
    ),
)


def test_the_front_says_what_moves() -> None:
    text = render_front(FRONT)
    assert "cpu to npu: a" in text
    assert "npu 1  cpu 1" in text


def test_the_plot_has_a_point_for_each_placement() -> None:
    plot = front_plot(FRONT)
    assert plot.startswith("<svg")
    assert plot.count("<circle") == 2
    assert "1: 1 ms, 9 mJ; cpu 2" in plot
