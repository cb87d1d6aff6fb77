"""Plans of the PyTorch variant of a GPU target, run by torch's CPU device where there is no card."""

from pathlib import Path

import numpy as np
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
