"""What the HTP description says of common operators, against what Qualcomm's compiler really takes."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir
import pytest
from onnx import TensorProto, helper, numpy_helper

from dovetail.ir import Graph
from dovetail.passes.tagging.views import operator_view
from dovetail.targets import load_target
from dovetail.targets.view import Array

pytestmark = [
    pytest.mark.npu,
    pytest.mark.skipif(find_spec("onnxruntime_qnn") is None, reason="needs the qnn extra"),
]

ASK = """
import json, sys
import onnxruntime as ort, onnxruntime_qnn as qnn
ort.set_default_logger_severity(4)
ort.register_execution_provider_library('QNNExecutionProvider', qnn.get_library_path())
devices = [device for device in ort.get_ep_devices() if device.ep_name.startswith('QNN')][:1]
taken = {}
for path in sys.argv[2:]:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry('session.record_ep_graph_assignment_info', '1')
    options.add_provider_for_devices(devices, json.loads(sys.argv[1]))
    session = ort.InferenceSession(path, options)
    providers = {group.ep_name for group in session.get_provider_graph_assignment_info()}
    taken[path] = providers == {'QNNExecutionProvider'}
print('ANSWER' + json.dumps(taken))
"""
"""Asked in a process of its own: native code prints, and may abort."""

F32 = np.float32
IMAGE = (1, 4, 8, 8)
TOKENS = (2, 6, 8)


def ones(*shape: int) -> Array:
    return np.ones(shape, dtype=F32)


def ints(*values: int) -> Array:
    return np.array(values, dtype=np.int64)


UNARY = ["Relu", "Sigmoid", "Tanh", "Exp", "Sqrt", "Sign", "Not", "Softmax", "Erf", "Gelu", "GlobalAveragePool"]
UNARY += ["Flatten", "Transpose", "NonZero", "Abs", "Log", "HardSwish", "Elu", "Reciprocal", "Floor", "Trilu"]
BINARY = ["Add", "Sub", "Mul", "Div", "Pow", "Equal", "Greater", "Max", "Min", "And", "Concat", "MatMul"]
CONSTANTS: list[tuple[str, tuple[int, ...], list[Array | None], dict[str, Any], int]] = [
    ("Conv", IMAGE, [ones(8, 4, 3, 3), ones(8)], {}, 1),
    ("Conv", (1, 4, 4, 8, 8), [ones(8, 4, 3, 3, 3)], {}, 1),
    ("ConvTranspose", IMAGE, [ones(4, 8, 2, 2)], {"strides": [2, 2]}, 1),
    ("MaxPool", IMAGE, [], {"kernel_shape": [2, 2]}, 1),
    ("AveragePool", IMAGE, [], {"kernel_shape": [2, 2], "dilations": [2, 2]}, 1),
    ("Gemm", (2, 4), [ones(4, 5), ones(5)], {}, 1),
    ("Gemm", (2, 4), [ones(4, 5), ones(5)], {"alpha": 0.5}, 1),
    ("MatMul", TOKENS, [ones(8, 5)], {}, 1),
    ("LayerNormalization", TOKENS, [ones(8), ones(8)], {"axis": -1}, 1),
    ("LayerNormalization", TOKENS, [ones(6, 8)], {"axis": 1}, 1),
    ("BatchNormalization", IMAGE, [ones(4), ones(4), ones(4), ones(4)], {}, 1),
    ("Reshape", IMAGE, [ints(1, -1)], {}, 1),
    ("Slice", IMAGE, [ints(0), ints(1), ints(2), ints(1)], {}, 1),
    ("Gather", (6, 8), [ints(0, 3)], {}, 1),
    ("Resize", IMAGE, [None, np.array([1, 1, 2, 2], F32)], {"mode": "linear"}, 1),
    ("Resize", (1, 4, 8), [None, np.array([1, 1, 2], F32)], {"mode": "nearest"}, 1),
    ("ReduceMean", IMAGE, [ints(2, 3)], {}, 1),
    ("ReduceProd", IMAGE, [ints(2, 3)], {}, 1),
    ("Clip", IMAGE, [np.array(0, F32), np.array(6, F32)], {}, 1),
    ("Pad", IMAGE, [ints(0, 0, 1, 1, 0, 0, 1, 1)], {}, 1),
    ("Pad", IMAGE, [ints(0, 0, 1, 1, 0, 0, 1, 1)], {"mode": "wrap"}, 1),
    ("Split", IMAGE, [ints(2, 2)], {"axis": 1}, 2),
    ("Squeeze", IMAGE, [ints(0)], {}, 1),
    ("Unsqueeze", IMAGE, [ints(0)], {}, 1),
    ("Cast", IMAGE, [], {"to": TensorProto.FLOAT16}, 1),
    ("Cast", IMAGE, [], {"to": TensorProto.DOUBLE}, 1),
    ("TopK", (2, 8), [ints(3)], {}, 2),
    ("LSTM", (3, 2, 4), [ones(1, 32, 4), ones(1, 32, 8)], {"hidden_size": 8}, 1),
    ("Tile", IMAGE, [ints(1, 1, 2, 2)], {}, 1),
    ("Expand", (4, 1), [ints(4, 8)], {}, 1),
]


def save(
    folder: Path,
    op: str,
    types: list[int],
    shape: tuple[int, ...],
    constants: list[Array | None],
    attributes: dict[str, Any],
    outputs: int,
) -> Path:
    """A model of one operator: inputs of `types`, all of `shape`, then constants."""
    graph_inputs = [helper.make_tensor_value_info(f"x{i}", kind, shape) for i, kind in enumerate(types)]
    weights = [numpy_helper.from_array(array, f"c{i}") for i, array in enumerate(constants) if array is not None]
    names = [info.name for info in graph_inputs]
    names += ["" if array is None else f"c{i}" for i, array in enumerate(constants)]
    results = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op, names, results, name="node", **attributes)
    graph = helper.make_graph([node], "g", graph_inputs, [onnx.ValueInfoProto(name=name) for name in results], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    path = folder / f"{len(list(folder.iterdir())):03}-{op}.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True), path)
    return path


def quantized_conv(folder: Path) -> Path:
    """DequantizeLinear -> Conv -> QuantizeLinear in uint8."""
    text = """<ir_version: 10, opset_import: ["": 21]> g (uint8[1,4,8,8] x) => (uint8[1,8,8,8] y)
    <float s = {0.1}, uint8 z = {0}> {
        xf = DequantizeLinear(x, s, z)
        wf = DequantizeLinear(w, s, z)
        yf = Conv(xf, wf)
        y = QuantizeLinear(yf, s, z)
    }"""
    model = onnx.parser.parse_model(text)
    model.graph.initializer.append(numpy_helper.from_array(np.ones((8, 4, 1, 1), np.uint8), "w"))
    path = folder / "quantized.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(model), path)
    return path


def models(folder: Path) -> list[Path]:
    paths = []
    for op in UNARY:
        kind = TensorProto.BOOL if op == "Not" else TensorProto.FLOAT
        paths.append(save(folder, op, [kind], IMAGE, [], {}, 1))
    for op in BINARY:
        kind = TensorProto.BOOL if op == "And" else TensorProto.FLOAT
        paths.append(save(folder, op, [kind] * 2, (8, 8), [], {"axis": 1} if op == "Concat" else {}, 1))
    paths.append(save(folder, "Where", [TensorProto.BOOL, TensorProto.FLOAT, TensorProto.FLOAT], (8, 8), [], {}, 1))
    paths.append(save(folder, "Add", [TensorProto.INT64] * 2, (8, 8), [], {}, 1))
    paths.append(save(folder, "Add", [TensorProto.FLOAT] * 2, (1, 1, 1, 1, 2, 2), [], {}, 1))
    paths.append(save(folder, "Add", [TensorProto.DOUBLE] * 2, (8, 8), [], {}, 1))
    for op, shape, constants, attributes, outputs in CONSTANTS:
        paths.append(save(folder, op, [TensorProto.FLOAT], shape, constants, attributes, outputs))
    return paths


def said(path: Path) -> bool:
    """Whether the description calls the model's operator supported."""
    graph = Graph(onnx_ir.load(path))
    nodes = list(graph.model.graph)
    node = next(node for node in nodes if "Linear" not in node.op_type)
    verdict = (
        load_target("qualcomm-hexagon-htp")
        .device("npu")
        .verdict(operator_view(graph, node, nodes if len(nodes) > 1 else ()))
    )
    return verdict.state in ("supported", "soft")


def test_the_description_agrees_with_the_compiler(tmp_path: Path) -> None:
    paths = [*models(tmp_path), quantized_conv(tmp_path)]
    backend = load_target("qualcomm-hexagon-htp").device("npu").backend
    assert backend is not None
    options = {**backend.options, "htp_graph_finalization_optimization_mode": "0"}  # the answer is the same, sooner
    command = [sys.executable, "-c", ASK, json.dumps(options), *map(str, paths)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, errors="replace").stdout
    taken, _ = json.JSONDecoder().raw_decode(answer.split("ANSWER", 1)[1])  # the vendor's library prints as it leaves
    assert {path.name: said(path) for path in paths} == {path.name: taken[str(path)] for path in paths}
