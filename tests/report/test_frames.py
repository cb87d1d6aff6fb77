"""A plan as tables of pandas."""

import sys

import pytest

from dovetail.plan import DovetailError, Plan
from dovetail.report import to_dataframe


def test_operators_have_a_row_each_and_a_verdict_per_device(plan: Plan) -> None:
    table = to_dataframe(plan)

    assert list(table["name"]) == [operator.name for operator in plan.operators]
    row = table.set_index("name").loc["conv_2"]
    assert (row["device"], row["partition"], row["on npu"], row["on cpu"]) == (
        "cpu",
        "001-cpu",
        "unsupported",
        "supported",
    )
    assert row["code"] == "DV114"
    assert row["reason"] == "'conv_2' (Conv): strides must be in [1, 3], got (4, 4)"
    assert table.set_index("name").loc["loop/add"]["inside"] == "loop"


def test_partitions_count_operators_and_bytes(plan: Plan) -> None:
    table = to_dataframe(plan, "partitions").set_index("partition")

    assert list(table.index) == ["000-npu", "001-cpu"]
    assert list(table["operators"]) == [2, 4]
    assert (table.loc["000-npu"]["bytes_in"], table.loc["000-npu"]["bytes_out"]) == (12288, 4096)
    assert table["latency_ms"].isna().all()


def test_other_rows_are_refused(plan: Plan) -> None:
    with pytest.raises(DovetailError, match=r"rows must be operators or partitions, got 'nodes'; choose one"):
        to_dataframe(plan, "nodes")  # type: ignore[arg-type]


def test_without_pandas_the_error_says_what_to_install(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(DovetailError, match=r"data frame: needs pandas.*'pip install pandas'"):
        to_dataframe(plan)
