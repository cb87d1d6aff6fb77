"""Every node test of ONNX whose operators the PyTorch backend claims, on torch's CPU device."""

import importlib
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx.numpy_helper import to_array

from dovetail.gpu import open_session
from dovetail.plan.torch_claims import why_refused

_FLOOR = 1200
"""Node tests that are run; a claim that is lost makes them fewer."""


@cache
def _claimed() -> tuple[Any, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ONNX makes some of its cases when it is imported
        loader = importlib.import_module("onnx.backend.test.loader")
        cases = loader.load_model_tests(kind="node")
    return tuple(case for case in cases if _is_claimed(case.model))


def _is_claimed(model: onnx.ModelProto) -> bool:
    if any(node.op_type.startswith("Random") for node in model.graph.node):
        return False  # no two libraries draw the same numbers
    try:
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    except onnx.shape_inference.InferenceError:
        return False
    values = [*inferred.graph.input, *inferred.graph.output, *inferred.graph.value_info]
    types = {value.name: _dtype(value.type) for value in values}
    versions = {opset.domain: opset.version for opset in model.opset_import}
    known = all(type_ is not None for type_ in types.values())
    return known and all(_takes(node, types, versions) for node in model.graph.node)


def _dtype(kind: onnx.TypeProto) -> str | None:
    if not kind.HasField("tensor_type"):
        return None
    name: str = onnx.TensorProto.DataType.Name(kind.tensor_type.elem_type).lower()
    return {"float": "float32", "double": "float64"}.get(name, name)


def _takes(node: onnx.NodeProto, types: dict[str, str | None], versions: dict[str, int]) -> bool:
    attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    plain = {name: value.decode() if isinstance(value, bytes) else value for name, value in attributes.items()}
    outputs = [types.get(name) for name in node.output if name]
    dtypes = [types.get(name) for name in node.input]
    refused = why_refused(node.domain, node.op_type, versions[node.domain], dtypes, plain, outputs)
    return not refused


def _reference(path: Path, names: list[str], feeds: list[Any], expected: list[Any]) -> list[Any]:
    try:
        session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        return [np.asarray(value) for value in session.run(None, dict(zip(names, feeds, strict=True)))]
    except Exception:  # ONNX Runtime lacks some types and opsets; the test brings its own results
        return expected


def test_as_many_node_tests_are_claimed_as_ever() -> None:
    assert len(_claimed()) >= _FLOOR


@pytest.mark.parametrize("case", _claimed(), ids=lambda case: case.name)
def test_node_equals_onnxruntime(case: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(case.model, path)
    inputs = [value.name for value in case.model.graph.input]
    outputs = [value.name for value in case.model.graph.output]
    session = open_session(path, inputs, outputs, {"device": "cpu"})
    for feeds, expected in case.data_sets:
        arrays = [_array(feed) for feed in feeds]
        found = session.run(arrays)
        wanted = _reference(path, inputs, arrays, [_array(each) for each in expected])
        for tensor, array in zip(found, wanted, strict=True):
            _compare(tensor, array, 1e-3 if case.name in _FEW_DIGITS else 1e-4)


def _array(value: Any) -> Any:
    return to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


_FEW_DIGITS = ("test_roialign_aligned_false", "test_roialign_aligned_true")
"""ONNX writes their results with four digits after the point, and ONNX Runtime does not run their opset."""

_TOLERANCES = {"float16": 1e-2, "bfloat16": 2e-2}


def _compare(tensor: Any, wanted: Any, tolerance: float) -> None:
    loose = _TOLERANCES.get(wanted.dtype.name, tolerance)
    if wanted.dtype.name == "bfloat16":
        tensor, wanted = tensor.float(), wanted.astype(np.float32)
    array = tensor.numpy()
    assert array.dtype == wanted.dtype
    assert array.shape == wanted.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # infinities are compared as well
        np.testing.assert_allclose(array, wanted, rtol=loose, atol=loose / 10)
