"""The ONNX project's own examples of every operator: loaded, simplified and written again, they compute the same."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

from dovetail.ir import extract, load_model
from dovetail.passes import run_passes, run_to_fixpoint
from dovetail.passes.canonical import CANONICAL_PASSES
from dovetail.passes.legalize import LEGALIZE_PASSES

SHARE = 4
"""One example in so many is tried; all of them take two minutes."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


Example = tuple[str, onnx.ModelProto, list[Any]]
"""Name, model and inputs."""


def examples() -> Iterator[Example]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # building the examples overflows on purpose
        cases = [case for case in collect_testcases(None) if case.model is not None and case.data_sets]
    assert len(cases) > 1000
    for case in cases[::SHARE]:
        assert case.model is not None
        assert case.data_sets is not None
        yield case.name, case.model, list(case.data_sets[0][0])


def run(model: onnx.ModelProto, inputs: list[Any]) -> list[Any] | None:
    """The outputs, or None where ONNX Runtime can't run the model."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        feeds = zip((value.name for value in session.get_inputs()), map(plain, inputs), strict=False)
        return list(session.run(None, dict(feeds)))
    except Exception:  # ONNX Runtime has a class of its own for each way to fail
        return None


def plain(value: Any) -> Any:
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return [plain(item) for item in value] if isinstance(value, list) else np.asarray(value)


def same(got: Any, wanted: Any) -> bool:
    if isinstance(wanted, list):
        return len(got) == len(wanted) and all(map(same, got, wanted))
    if wanted is None or got is None:
        return got is wanted
    got, wanted = np.asarray(got), np.asarray(wanted)
    if (got.dtype, got.shape) != (wanted.dtype, wanted.shape):
        return False
    if wanted.dtype.kind not in "fc":
        return bool(np.array_equal(got, wanted))
    return bool(np.allclose(got, wanted, rtol=1e-3, atol=1e-7, equal_nan=True))


def test_examples_of_operators() -> None:
    tried, different = 0, []
    for name, model, inputs in examples():
        wanted = run(model, inputs)
        if wanted is None:
            continue
        graph = load_model(model)
        run_to_fixpoint(graph, CANONICAL_PASSES)
        run_passes(graph, LEGALIZE_PASSES)
        got = run(extract(graph), inputs)
        tried += 1
        if got is None or not same(got, wanted):
            different.append(name)
    assert different == []
    assert tried > 200
