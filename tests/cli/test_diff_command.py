"""`dovetail diff`: what differs, in three formats, and the exit code."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from tests.cli.calling import dovetail

from dovetail.plan import read_plan, write_plan

SAMPLE_MODELS = sorted((Path(__file__).parents[2] / "sample_models").glob("*.onnx"))


def diff(*arguments: object) -> Result:
    return dovetail("diff", *arguments)


@pytest.fixture
def moved_plan(tiny_plan: Path, tmp_path: Path) -> Path:
    """The tiny plan with the Relu on the CPU."""
    copy = tmp_path / "moved.plan"
    shutil.copytree(tiny_plan, copy)
    plan = read_plan(copy)
    first = replace(plan.operators[0], device="cpu", partition="001-cpu", reason="'relu' (Relu): pinned by --place")
    partitions = (
        replace(plan.partitions[0], nodes=()),
        replace(plan.partitions[1], nodes=("relu", *plan.partitions[1].nodes)),
    )
    write_plan(replace(plan, operators=(first, *plan.operators[1:]), partitions=partitions), copy)
    return copy


def test_plan_does_not_differ_from_itself(tiny_plan: Path) -> None:
    result = diff(tiny_plan, tiny_plan, "--exit-code")

    assert (result.exit_code, result.stdout, result.stderr) == (0, "no difference\n", "")


@pytest.mark.parametrize("model", SAMPLE_MODELS, ids=lambda model: model.stem)
def test_plan_of_a_sample_does_not_differ_from_itself_in_any_format(model: Path, tmp_path: Path) -> None:
    plan = tmp_path / "sample.plan"
    dovetail("compile", model, "-t", "arm-ethos-u85", "-o", plan)

    results = {form: diff(plan, plan, "--format", form, "--exit-code") for form in ("text", "json", "markdown")}

    assert {form: (result.exit_code, result.stderr) for form, result in results.items()} == dict.fromkeys(
        results, (0, "")
    )
    assert results["text"].stdout == "no difference\n"
    assert results["markdown"].stdout.endswith("\n\nno difference\n")
    document = json.loads(results["json"].stdout)
    lists = [value for batch in document["batches"] for value in batch.values() if isinstance(value, list)]
    assert document["empty"] is True
    assert lists.count([]) == len(lists) > 0


def test_text_names_what_moved_and_why(tiny_plan: Path, moved_plan: Path) -> None:
    result = diff(tiny_plan, moved_plan)

    assert result.exit_code == 0
    assert "1 operator moved" in result.stdout
    assert any(
        line.split() == ["relu", "Relu", "npu", "cpu", "pinned", "by", "--place"] for line in result.stdout.splitlines()
    )


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_exit_code_is_1_only_where_it_is_asked_for(tiny_plan: Path, moved_plan: Path, form: str) -> None:
    assert diff(tiny_plan, moved_plan, "--format", form).exit_code == 0
    assert diff(tiny_plan, moved_plan, "--format", form, "--exit-code").exit_code == 1


def test_json_is_one_document(tiny_plan: Path, moved_plan: Path) -> None:
    document = json.loads(diff(tiny_plan, moved_plan, "--format", "json").stdout)

    (batch,) = document["batches"]
    (change,) = batch["moved"]
    assert (document["schema_version"], document["empty"], change["node"]) == (1, False, "relu")
    assert (change["before"]["devices"], change["after"]["devices"]) == (["npu"], ["cpu"])


def test_markdown_is_a_table_and_a_folded_list(tiny_plan: Path, moved_plan: Path) -> None:
    text = diff(tiny_plan, moved_plan, "--format", "markdown").stdout

    assert text.startswith("### tiny.onnx on null-npu\n")
    assert "| operators on the NPU | 33.33 % | 0 % | -33.3 points |" in text
    assert "<summary>1 operator moved</summary>" in text


def test_folder_that_is_no_plan(tiny_plan: Path, tmp_path: Path) -> None:
    result = diff(tiny_plan, tmp_path)

    assert (result.exit_code, result.stdout) == (2, "")
    assert "is not a plan folder" in result.stderr
