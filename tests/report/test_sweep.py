"""The table of a sweep in its four forms."""

import csv
import io
import json
from dataclasses import replace

import pytest

from dovetail.compiler import SweepRecord
from dovetail.report.sweep import (
    SweepTable,
    render_sweep,
    render_sweep_csv,
    render_sweep_json,
    render_sweep_markdown,
)

GOOD = SweepRecord(
    model="detector",
    batch=8,
    target="some-npu:small",
    recommended=True,
    latency_ms=1.25,
    energy_mj=3.5,
    period_ms=0.75,
    operators=101,
    npu_ops=0.94,
    npu_time=0.876,
    partitions=3,
    transfers=5,
    boundary_bytes=1_234_567,
    single="gpu",
    single_latency_ms=2.5,
    single_energy_mj=7.0,
    gap=0.0213,
    source="modelled",
)
OTHER = replace(GOOD, target="other-npu", recommended=False, transfers=0, boundary_bytes=0, single="", gap=3e-9)
FAILED = SweepRecord("detector", 8, "third-npu", error="node 'a|b' (Relu): no device takes it; pin it")
TABLE = SweepTable("latency", (GOOD, OTHER, FAILED, replace(FAILED, target="fourth-npu")))
LONGEST = "qualcomm-hexagon-htp:sm8650"


def lines(sweep: SweepTable, width: int = 100) -> list[str]:
    return render_sweep(sweep, width, color=False).splitlines()


def test_text_has_a_line_for_each_target_below_its_model_and_batch_size() -> None:
    drawn = [" ".join(line.split()) for line in lines(TABLE)]

    assert "detector, batch 8" in drawn
    assert "* some-npu:small 1.25 3.5 94 % 88 % 3 5, 1.2 MB gpu 2.5 2.1" in drawn
    assert "other-npu 1.25 3.5 94 % 88 % 3 0 none 0.01" in drawn
    assert "third-npu failed" in drawn


def test_text_says_once_why_rows_failed_alike() -> None:
    text = "\n".join(lines(TABLE))

    assert "2 rows failed\ndetector, batch 8 on third-npu, fourth-npu: node 'a|b' (Relu): no device takes it" in text
    assert text.count("no device takes it") == 1


def test_text_fits_a_page_with_long_names_and_all_columns() -> None:
    rows = (replace(GOOD, target=LONGEST, gap=0.123), replace(OTHER, model="a" * 30))
    drawn = lines(SweepTable("latency", rows))

    assert max(map(len, drawn)) <= 100
    assert any(f"* {LONGEST} " in line for line in drawn)  # in one piece


@pytest.mark.parametrize(
    ("objective", "said", "alone"),
    [
        ("latency", "least latency", "gpu 2.5"),
        ("energy", "least energy", "gpu 7"),
        ("edp", "least product of latency and energy", "gpu 2.5"),
        ("throughput", "least time between requests", "gpu 2.5"),
    ],
)
def test_text_says_what_best_means(objective: str, said: str, alone: str) -> None:
    text = render_sweep(replace(TABLE, objective=objective), 100, color=False)  # type: ignore[arg-type]

    assert f"* recommended: {said} of the model" in text
    assert f" {alone} " in text
    assert (" 0.75 " in text) == (objective == "throughput")


def test_sources_of_figures_are_never_mixed_up() -> None:
    assert lines(TABLE)[-4].strip() == "figures of one request, modelled"
    mixed = "\n".join(lines(SweepTable("latency", (GOOD, replace(OTHER, source="measured")))))
    assert "figures of one request, times: measured, energies: modelled (other-npu)" in mixed
    assert "figures of one request, modelled (some-npu:small)" in mixed


def test_search_that_ended_early_is_marked() -> None:
    text = "\n".join(lines(SweepTable("latency", (replace(GOOD, timed_out=True),))))
    assert "2.1!" in text
    assert "!: the time limit ended the search" in text
    assert "!" not in "\n".join(lines(TABLE))


def test_table_without_figures_recommends_nothing() -> None:
    text = "\n".join(lines(SweepTable("latency", (FAILED,))))
    assert "recommended" not in text
    assert "1 row failed" in text


def test_json_is_one_document_with_all_digits() -> None:
    document = json.loads(render_sweep_json(TABLE))

    assert (document["schema_version"], document["objective"]) == (1, "latency")
    assert [row["target"] for row in document["rows"]] == ["some-npu:small", "other-npu", "third-npu", "fourth-npu"]
    assert document["rows"][0]["gap"] == 0.0213
    assert document["rows"][2]["latency_ms"] is None


def test_csv_has_a_line_for_each_row() -> None:
    rows = list(csv.DictReader(io.StringIO(render_sweep_csv(TABLE))))

    assert [row["target"] for row in rows] == ["some-npu:small", "other-npu", "third-npu", "fourth-npu"]
    assert (rows[0]["boundary_bytes"], rows[0]["recommended"], rows[2]["energy_mj"]) == ("1234567", "True", "")
    assert rows[2]["error"] == FAILED.error


def test_markdown_is_a_table_that_names_cannot_break() -> None:
    text = render_sweep_markdown(TABLE)

    assert text.splitlines()[0].startswith("| model | batch | target | ms | mJ | npu ops | npu time | parts |")
    assert "| detector | 8 | \\* some-npu:small | 1.25 | 3.5 | 94 % | 88 % | 3 | 5, 1.2 MB | gpu 2.5 | 2.1 |" in text
    assert "| detector, batch 8 | third-npu, fourth-npu | node 'a\\|b' (Relu): no device takes it; pin it |" in text
    columns = {line.replace("\\|", "").count("|") for line in text.splitlines()[:6]}
    assert columns == {12}
