"""A model file, its compiled plan, and a cache of the test's own."""

from pathlib import Path

import onnx
import pytest
from onnx import parser

from dovetail.compiler import compile_model

MODEL = """<ir_version: 8, opset_import: ["": 17]>
    model (float[n, 4] x, int64[1] k) => (float[n, 4] y, int64[1] z) { y = Relu(x) z = Neg(k) }"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("DOVETAIL_TARGET", raising=False)
    monkeypatch.setenv("DOVETAIL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "plans"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    onnx.save(parser.parse_model(MODEL), path)
    return path


@pytest.fixture
def plan(model: Path, tmp_path: Path) -> Path:
    return compile_model(model, "cpu-only").save(tmp_path / "model.plan")
