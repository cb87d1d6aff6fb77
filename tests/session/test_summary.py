"""What a session and a compilation say of themselves: one screen of text, and a table in a notebook."""

import logging
from pathlib import Path

import onnx
import pytest
from onnx import parser

from dovetail.compiler import CompileOptions, compile_model
from dovetail.plan import read_plan, verdict_text
from dovetail.session import InferenceSession


@pytest.fixture
def for_npu(tmp_path: Path) -> Path:
    """A plan one of whose operators is for an NPU that nothing here runs."""
    text = '<ir_version: 8, opset_import: ["": 17]> m (float[1, 4] x) => (float[1, 4] y) { a = Relu(x) y = Neg(a) }'
    onnx.save(parser.parse_model(text), tmp_path / "m.onnx")
    options = CompileOptions(solver="greedy")
    return compile_model(tmp_path / "m.onnx", "mediatek-mdla", options).save(tmp_path / "m.plan")


def test_the_summary_is_the_plans_verdict(plan: Path) -> None:
    assert InferenceSession(plan).placement_summary() == verdict_text(read_plan(plan))


def test_it_says_what_runs_elsewhere_here(for_npu: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        summary = InferenceSession(for_npu).placement_summary()

    assert summary.splitlines()[-1] == "runs here   1 of the partitions for npu on cpu"
    assert "\nnot on npu" in summary


def test_notebooks_show_plan_compilation_and_session_alike(model: Path, plan: Path) -> None:
    compilation = compile_model(model, "cpu-only")
    html = InferenceSession(plan)._repr_html_()

    assert html == read_plan(plan)._repr_html_() == compilation._repr_html_()
    assert "model on cpu-only" in html
