"""Each model does what it is there to show."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits

FOLDER = Path(__file__).parents[2] / "sample_models"
HELD_OUT = 450


def _session(model: bytes | Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def _noise(shape: tuple[int, ...], scale: float) -> NDArray[np.float32]:
    return (np.random.default_rng(1).uniform(-1, 1, shape) * scale).astype(np.float32)


def _held_out_digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    pictures, labels = load_digits(return_X_y=True)
    return (pictures[-HELD_OUT:] / 16).reshape(-1, 1, 1, 8, 8).astype(np.float32), labels[-HELD_OUT:]


@pytest.mark.parametrize("name", ["digits_fp32", "digits_qdq", "digits_int8"])
def test_digits_are_as_accurate_as_stated(name: str) -> None:
    path = FOLDER / f"{name}.onnx"
    stated = {entry.key: entry.value for entry in onnx.load(path).metadata_props}["accuracy"]
    session = _session(path)
    pictures, labels = _held_out_digits()
    right = [session.run(None, {"image": p})[0].argmax() == label for p, label in zip(pictures, labels, strict=True)]
    assert np.mean(right) >= max(0.96, float(stated) - 0.005)


@pytest.mark.parametrize("name", ["digits_fp32", "digits_qdq", "digits_int8"])
def test_the_demo_digit_is_held_out_and_recognized(name: str) -> None:
    picture = np.load(FOLDER / "inputs/digit.npy")
    pictures, labels = _held_out_digits()
    (position,) = np.flatnonzero((pictures == picture).all(axis=(1, 2, 3, 4)))
    label = json.loads((FOLDER / "inputs/digit.json").read_text())["label"]
    assert label == labels[position]
    assert _session(FOLDER / f"{name}.onnx").run(None, {"image": picture})[0].argmax() == label


@pytest.mark.parametrize("name", ["digits_qdq", "mobilenet_v2_qdq"])
def test_quantized_models_quantize_every_operator(name: str) -> None:
    """Between two Q/DQ nodes there is one operator, and every weight is int8."""
    graph = onnx.load(FOLDER / f"{name}.onnx").graph
    producer = {output: node.op_type for node in graph.node for output in node.output}
    for node in graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            assert {producer[operand] for operand in node.input} == {"DequantizeLinear"}, node.name
    weights = [tensor for tensor in graph.initializer if tensor.name.endswith(".weight_quantized")]
    assert weights
    assert {tensor.data_type for tensor in weights} == {TensorProto.INT8}


@pytest.mark.parametrize("name", ["digits_int8", "mobilenet_v2_int8"])
def test_symmetric_models_are_what_tensorrt_wants(name: str) -> None:
    """Between two Q/DQ nodes there is one operator, with its activation; all is int8 (int32 a bias) around zero."""
    graph = onnx.load(FOLDER / f"{name}.onnx").graph
    producer = {output: node.op_type for node in graph.node for output in node.output}
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type in ("Relu", "Clip"):
            assert producer[node.input[0]] in ("Conv", "Gemm"), node.name
        elif node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            assert {producer[operand] for operand in node.input} == {"DequantizeLinear"}, node.name
        else:
            assert not constants[node.input[2]].any(), node.name
            assert constants[node.input[2]].dtype in (np.int8, np.int32), node.name
    assert {value.name for value in graph.value_info} <= set(producer)


@pytest.mark.parametrize("name", ["mobilenet_v2_qdq", "mobilenet_v2_int8"])
def test_quantized_mobilenet_follows_the_float_one(name: str) -> None:
    image = _noise((1, 3, 96, 96), 1)
    plain, quantized = (
        _session(FOLDER / f"{each}.onnx").run(None, {"image": image})[0] for each in ("mobilenet_v2", name)
    )
    assert np.abs(plain - quantized).max() < 0.1 * np.ptp(plain)


def test_control_flow_depends_on_the_picture() -> None:
    model = onnx.load(FOLDER / "control_flow.onnx")
    model.graph.output.append(helper.make_tensor_value_info("gate.strong_out", TensorProto.BOOL, ()))
    session = _session(model.SerializeToString())
    faint, vivid = (
        session.run(["steps", "gate.strong_out"], {"image": _noise((1, 3, 32, 32), scale)}) for scale in (0.1, 2)
    )
    assert 0 < faint[0] < vivid[0] < 16  # the loop ends by its condition, not by its limit
    assert not faint[1]
    assert vivid[1]


def test_detections_are_sorted_boxes_inside_the_picture() -> None:
    boxes, scores, classes = _session(FOLDER / "ssd_detector.onnx").run(None, {"image": _noise((1, 3, 96, 96), 1.5)})
    assert 0 < len(boxes) == len(scores) == len(classes) <= 20
    assert (np.diff(scores) <= 0).all()
    assert boxes.min() >= 0
    assert boxes.max() <= 1
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert set(classes) <= set(range(4))


def test_a_blank_picture_has_no_detections() -> None:
    outputs = _session(FOLDER / "ssd_detector.onnx").run(None, {"image": np.zeros((1, 3, 96, 96), np.float32)})
    assert [output.shape for output in outputs] == [(0, 4), (0,), (0,)]


def test_npu_whole_keeps_the_limits_of_narrow_npus() -> None:
    graph = onnx.load(FOLDER / "npu_whole.onnx").graph
    assert {node.op_type for node in graph.node} == {
        "Conv",
        "Relu",
        "MaxPool",
        "AveragePool",
        "Add",
        "Concat",
    }
    assert {len(value.type.tensor_type.shape.dim) for value in (*graph.input, *graph.value_info, *graph.output)} == {4}
    kernels = [list(a.ints) for node in graph.node for a in node.attribute if a.name == "kernel_shape"]
    assert max(max(kernel) for kernel in kernels) <= 8


def test_transformer_rows_are_normalized() -> None:
    hidden, pooled = _session(FOLDER / "transformer.onnx").run(None, {"embeddings": _noise((1, 64, 96), 1)})
    np.testing.assert_allclose(hidden.std(axis=-1), 1, atol=0.15)  # the last layer norm, give or take its bias
    assert np.abs(pooled).max() < 1
