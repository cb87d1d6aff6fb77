"""Plans of the PyTorch variant of a GPU target, run by torch's CPU device where there is no card."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from dovetail.compiler import CompileOptions, compile_graph, prepare
from dovetail.lowering import run_reference
from dovetail.plan.random_feeds import random_feeds
from dovetail.runtime import Executor
from dovetail.targets import load_target

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"


@pytest.mark.parametrize("name", ["digits_fp32", "digits_qdq", "mobilenet_v2", "ssd_detector", "transformer"])
def test_a_plan_for_pytorch_computes_what_the_model_computes(name: str, tmp_path: Path) -> None:
    sample = SAMPLES / f"{name}.onnx"
    graph = prepare(sample, CompileOptions())
    compiled = compile_graph(graph, load_target("nvidia-h200:pytorch"), CompileOptions(solver="greedy"))
    with Executor(compiled.save(tmp_path / "model.plan")) as executor:
        feeds = random_feeds(executor.plan.inputs, seed=1)
        got = executor.run(feeds)
        assert "gpu" in executor.placement.values()
        assert not executor.events
    wanted = run_reference(sample, feeds, {}, list(got))
    for output, array in wanted.items():
        scale = max(1.0, float(np.abs(array).max(initial=0)))
        np.testing.assert_allclose(got[output], array.astype(np.float64), rtol=1e-4, atol=1e-4 * scale)


def test_what_the_backend_does_not_take_is_refused_when_the_plan_is_made(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 18]>
        g (float[1, 3, 8, 8] x) => (float[1, 3, 4, 4] y) <float[4] scales = {1, 1, 0.5, 0.5}> {
            y = Resize <mode = "linear", antialias = 1> (x, , scales) }"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "model.onnx")
    graph = prepare(tmp_path / "model.onnx", CompileOptions())
    (operator,) = compile_graph(graph, load_target("nvidia-h200:pytorch"), CompileOptions()).plan.operators
    assert operator.device == "cpu"
    (refusal,) = [verdict for verdict in operator.verdicts if verdict.device == "gpu"]
    assert [(reason.rule, "antialias 0, not 1" in reason.message) for reason in refusal.reasons] == [("backend", True)]
