"""The page from the command line."""

from pathlib import Path

import pytest
from tests.cli.calling import dovetail
from tests.report.page.visiting import SAMPLES

from dovetail.plan import read_plan

TRANSFORMER = SAMPLES / "transformer.onnx"
ASCEND = ("-t", "huawei-ascend-310")


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plans") / "transformer.plan"
    assert dovetail("compile", TRANSFORMER, *ASCEND, "--report", "-o", folder).exit_code == 0
    return folder


def test_a_model_goes_to_stdout_or_a_file(tmp_path: Path) -> None:
    shown = dovetail("inspect", TRANSFORMER, *ASCEND, "--format", "html")
    assert shown.exit_code == 0
    assert shown.stdout.startswith("<!DOCTYPE html>")
    written = dovetail("inspect", TRANSFORMER, *ASCEND, "--format", "html", "-o", tmp_path / "report.html")
    assert (written.exit_code, written.stdout) == (0, "")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == shown.stdout


def test_compile_puts_it_beside_the_plan_which_stays_whole(plan: Path) -> None:
    assert "What would help most" in (plan / "report.html").read_text(encoding="utf-8")
    assert read_plan(plan).operators


def test_a_plan_has_the_graph_of_its_model(plan: Path) -> None:
    page = dovetail("inspect", plan, "--format", "html").stdout
    assert "What would help most" not in page
    assert '"whole":[{' in page
    assert "encoder.layer.1.attention.query.matmul" in page


def test_with_the_front_both_are_in_it() -> None:
    page = dovetail("inspect", SAMPLES / "npu_whole.onnx", "-t", "mediatek-mdla", "--pareto", "--format", "html").stdout
    assert '<section id="front"' in page
    assert '<section id="graph-part"' in page
