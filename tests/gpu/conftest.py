"""One-node models, run by the PyTorch backend on torch's CPU device and by ONNX Runtime."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import ml_dtypes
import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import helper

from dovetail.gpu import open_session

Arrays: TypeAlias = Sequence[Any]
RunNode: TypeAlias = Callable[..., list[Any]]


def one_node(
    op_type: str, inputs: Arrays, outputs: int, attributes: Mapping[str, Any], domain: str = "", opset: int = 22
) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """A model of a node and its feeds; None for an input that is left out."""
    names = [f"x{index}" if array is not None else "" for index, array in enumerate(inputs)]
    feeds = {name: array for name, array in zip(names, inputs, strict=True) if name}
    results = [f"y{index}" for index in range(outputs)]
    node = helper.make_node(op_type, names, results, domain=domain, **attributes)
    graph = helper.make_graph(
        [node],
        "one",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in feeds.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in results],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10), feeds


def _array(tensor: Any) -> Any:
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


@pytest.fixture
def on_torch(tmp_path: Path) -> RunNode:
    """Run a node on torch's CPU device."""

    def run(
        op_type: str, inputs: Arrays, outputs: int = 1, domain: str = "", opset: int = 22, **attributes: Any
    ) -> list[Any]:
        model, feeds = one_node(op_type, inputs, outputs, attributes, domain, opset)
        path = tmp_path / "node.onnx"
        path.write_bytes(model.SerializeToString())
        session = open_session(path, list(feeds), [f"y{index}" for index in range(outputs)], {"device": "cpu"})
        return [_array(tensor) for tensor in session.run(list(feeds.values()))]

    return run


@pytest.fixture
def assert_like_onnxruntime(on_torch: RunNode) -> Callable[..., None]:
    """Assert that both compute the same of a node."""

    def check(
        op_type: str,
        inputs: Arrays,
        outputs: int = 1,
        domain: str = "",
        opset: int = 22,
        tolerance: float = 1e-4,
        **attributes: Any,
    ) -> None:
        model, feeds = one_node(op_type, inputs, outputs, attributes, domain, opset)
        session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        wanted = session.run(None, feeds)
        got = on_torch(op_type, inputs, outputs, domain, opset, **attributes)
        for found, array in zip(got, wanted, strict=True):
            assert found.dtype == np.asarray(array).dtype
            np.testing.assert_allclose(found, array, rtol=tolerance, atol=tolerance / 10)

    return check
