"""What Qualcomm's compiler and simulator make of the models that an NPU should take whole."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

FOLDER = Path(__file__).parents[2] / "sample_models"
SM8650 = "57"

pytestmark = [
    pytest.mark.npu,
    pytest.mark.skipif(importlib.util.find_spec("onnxruntime_qnn") is None, reason="needs the qnn extra"),
]


def _probe(name: str, tmp_path: Path) -> dict[str, Any]:
    """The report of qnn_probe.py: subgraph sizes, CPU operators, differences and ranges of the outputs."""
    model = FOLDER / f"{name}.onnx"
    (source,) = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).get_inputs()
    feeds = tmp_path / "feeds.npz"
    image = np.random.default_rng(1).uniform(-1.5, 1.5, source.shape).astype(np.float32)
    np.savez(feeds, **{source.name: image})
    command = [sys.executable, str(Path(__file__).with_name("qnn_probe.py")), str(model), SM8650, str(feeds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]  # the vendor's library prints as well
    report: dict[str, Any] = json.loads(lines[-1])
    return report


@pytest.mark.parametrize("name", ["digits_fp32", "mobilenet_v2", "npu_whole", "transformer"])
def test_float_models_are_taken_whole(name: str, tmp_path: Path) -> None:
    report = _probe(name, tmp_path)
    assert len(report["npu_subgraphs"]) == 1
    assert report["on_cpu"] == []
    assert max(report["difference"]) < 0.02


@pytest.mark.parametrize("name", ["digits_qdq", "mobilenet_v2_qdq"])
def test_quantized_models_leave_only_their_edges(name: str, tmp_path: Path) -> None:
    report = _probe(name, tmp_path)
    assert len(report["npu_subgraphs"]) == 1
    assert sorted(report["on_cpu"]) == ["DequantizeLinear", "QuantizeLinear"]
    assert report["difference"][0] < 0.03 * report["range"][0]
