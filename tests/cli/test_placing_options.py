"""Objectives, bounds, batch sizes and the front, on the command line."""

import json
import shutil
from pathlib import Path

import pytest
from tests.cli.calling import dovetail, refusal

MODELS = Path(__file__).parents[2] / "sample_models"
ORIN = ("-t", "nvidia-orin-dla")


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A small convolutional network in the current folder."""
    shutil.copy(MODELS / "mobilenet_v2.onnx", tmp_path / "net.onnx")
    monkeypatch.chdir(tmp_path)
    return "net.onnx"


def test_objectives_place_differently(model: str) -> None:
    values = {}
    for objective in ("latency", "energy"):
        result = dovetail("inspect", model, *ORIN, "--objective", objective, "--format", "json")
        plan = json.loads(result.stdout)
        assert plan["objective"] == objective
        values[objective] = (plan["predicted"]["latency_ms"], plan["predicted"]["energy_mj"])
    assert values["latency"][0] < values["energy"][0]
    assert values["latency"][1] > values["energy"][1]


def test_the_verdict_has_prediction_proof_and_alternatives(model: str) -> None:
    result = dovetail("compile", model, *ORIN)
    assert result.exit_code == 0
    assert "(modelled)" in result.stdout
    assert "proven optimal to 0.01 %" in result.stdout
    assert "instead of  greedy" in result.stdout


def test_a_bound_that_can_not_be_kept_is_one_line_and_writes_nothing(model: str) -> None:
    before = sorted(Path().iterdir())
    line = refusal("compile", model, *ORIN, "--max-latency-ms", "0.001")
    assert "the latency must be at most 0.001 ms, but no placement has less than" in line
    assert sorted(Path().iterdir()) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--objective", "speed"), "'speed' is not one of"),
        (("--max-latency-ms", "0"), "0.0 is not in the range x>0"),
        (("--max-energy-mj", "cheap"), "'cheap' is not a valid float"),
        (("--batch", "1,1"), "names a size twice"),
        (("--batch", "0"), "at least 1"),
        (("--solver", "best"), "'best' is not one of"),
        (("--gap", "-1"), "not in the range"),
        (("--time-limit", "0"), "not in the range"),
        (("--place", "*conv=tpu"), "the target has no such device"),
    ],
)
def test_bad_values_are_refused_in_one_line(model: str, options: tuple[str, str], words: str) -> None:
    assert words in refusal("inspect", model, *ORIN, *options)


def test_batch_sizes_are_listed_and_run(model: str) -> None:
    compiled = dovetail("compile", model, *ORIN, "--batch", "1,64", "--objective", "energy", "-o", "net.plan")
    assert compiled.exit_code == 0
    text = dovetail("inspect", "net.plan").stdout
    assert "batch sizes" in text
    ran = dovetail("run", "net.plan", "--random", "0", "--batch", "64")
    assert "64x100" in ran.stdout
    assert "made for 1, 64, not for batch 3" in refusal("run", "net.plan", "--random", "0", "--batch", "3")


def test_a_plan_is_not_placed_again(model: str) -> None:
    dovetail("compile", model, *ORIN, "-o", "net.plan")
    assert "leave out --objective" in refusal("inspect", "net.plan", "--objective", "energy")


def test_the_front_as_text_json_and_page(model: str) -> None:
    assert "ms*mJ" in dovetail("inspect", model, *ORIN, "--pareto").stdout
    front = json.loads(dovetail("inspect", model, *ORIN, "--pareto", "--format", "json").stdout)
    assert len(front["points"]) >= 2
    assert set(front["points"][0]["device_of"].values()) <= {"npu", "gpu", "cpu"}
    dovetail("inspect", model, *ORIN, "--pareto", "--format", "html", "-o", "front.html")
    assert Path("front.html").read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--pareto",), "it needs a model and a target"),
        (("--pareto", *ORIN, "--batch", "1,8"), "shows one batch size"),
    ],
)
def test_what_the_front_does_not_go_with(model: str, options: tuple[str, ...], words: str) -> None:
    assert words in refusal("inspect", model, *options)


def test_explain_prints_the_arithmetic(model: str) -> None:
    text = dovetail("explain", model, "features.0.conv", *ORIN).stdout
    assert "Conv compute" in text
    assert "MAC / (" in text
    assert "unverified" in text
