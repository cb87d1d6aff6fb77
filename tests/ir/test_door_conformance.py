"""Valid models are not refused: the ONNX project's own test models come through every check."""

import warnings
from pathlib import Path

import onnx
import pytest
from onnx.backend.test.case.node import collect_testcases

from dovetail.ir import load_model

TEST_DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"


@pytest.mark.skipif(not TEST_DATA.is_dir(), reason="this build of onnx has no test models")
def test_models_that_onnx_ships() -> None:
    paths = sorted(TEST_DATA.rglob("*.onnx"))
    assert len(paths) > 50
    for path in paths:
        load_model(path)


@pytest.mark.slow
def test_every_operator_example_of_onnx() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # building the examples overflows on purpose
        cases = [case.model for case in collect_testcases(None) if case.model is not None]
    assert len(cases) > 1000
    for model in cases:
        load_model(model)
