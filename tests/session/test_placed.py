"""A session says when its NPU does not take the whole model: nothing falls back in silence."""

import logging
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import parser

from dovetail.plan import RunError
from dovetail.session import InferenceSession

NPU = ["NPUExecutionProvider", "CPUExecutionProvider"]
TARGET = [{"target": "qualcomm-hexagon-htp"}, {}]


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "dovetail.session"]


def test_open_dimensions_are_named_with_their_remedy(model: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        session = InferenceSession(model, providers=NPU, provider_options=TARGET, emulate=True)
    (line,) = said(caplog)
    assert "0 of 2 operators are on the NPU" in line or "1 of 2 operators are on the NPU" in line
    assert "top cause: DV106 static_shape (" in line
    assert "--dim n=" in line
    assert "\n" not in line
    got = session.run(["y"], {"x": np.ones((2, 4), np.float32), "k": np.array([1])})
    np.testing.assert_array_equal(got[0], np.ones((2, 4)))


def test_strict_refuses_a_model_that_the_npu_does_not_take(model: Path) -> None:
    none = [{"target": "qualcomm-hexagon-htp:sm8350"}, {}]
    with pytest.raises(RunError, match=r"0 of 1 operators are on the NPU.*strict mode"):
        InferenceSession(floats(model), providers=NPU, provider_options=none, dims={"n": 1}, strict=True)


def test_a_model_that_the_npu_takes_whole_is_not_talked_about(model: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        InferenceSession(floats(model), providers=NPU, provider_options=TARGET, dims={"n": 1}, emulate=True)
    assert said(caplog) == []


def test_nor_is_one_for_the_cpu(model: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        InferenceSession(model, providers=["CPUExecutionProvider"])
    assert said(caplog) == []


def test_every_session_tells_its_placement_in_one_line_of_information(
    model: Path, plan: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "dovetail.session"):
        InferenceSession(plan)
        InferenceSession(model, providers=["CPUExecutionProvider"])
    assert [record.levelno for record in caplog.records if record.name == "dovetail.session"] == [logging.INFO] * 2
    for line in said(caplog):
        assert re.search(r" on cpu-only:\w+: \d operators: cpu \d .*; 1 partition, .*; predicted .* ms", line)
        assert "\n" not in line


def floats(model: Path) -> Path:
    """A model of floats alone."""
    text = '<ir_version: 8, opset_import: ["": 17]> m (float[n, 4] x) => (float[n, 4] y) { y = Relu(x) }'
    onnx.save(parser.parse_model(text), model)
    return model
