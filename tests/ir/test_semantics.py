"""What every tool lets through: each rule just inside and just outside its range."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir
import pytest
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from dovetail.ir.door import open_model
from dovetail.ir.semantics import check_before_inference, check_semantics
from dovetail.plan.errors import ModelError

Input = list[int | str] | np.ndarray
"""The shape of a float input, or the values of an initializer."""
INT_MIN = np.iinfo(np.int64).min
Case = tuple[NodeProto, Sequence[Input | None]]
"""A node and its inputs."""


def node(op_type: str, *inputs: Input | None, outputs: int = 1, **attributes: Any) -> Case:
    names = ["" if value is None else f"i{index}" for index, value in enumerate(inputs)]
    made = helper.make_node(op_type, names, [f"o{i}" for i in range(outputs)], name="n", **attributes)
    return made, inputs


def graph_of(case: Case) -> GraphProto:
    made, inputs = case
    graph = GraphProto(name="g", node=[made])
    for name, value in zip(made.input, inputs, strict=True):
        if isinstance(value, np.ndarray):
            graph.initializer.append(numpy_helper.from_array(value, name))
        elif value is not None:
            graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, value))
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in made.output)
    return graph


def model_of(case: Case, *, in_body: bool = False, version: int = 21) -> onnx_ir.Model:
    """A model as the loader hands it to the rules; `in_body` puts the node into a branch of an If."""
    graph = graph_of(case)
    if in_body:
        graph = behind_if(graph)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=10)
    return onnx_ir.from_proto(open_model(proto).proto)


def behind_if(inner: GraphProto) -> GraphProto:
    body = GraphProto(name="body", node=inner.node, output=inner.output, initializer=inner.initializer)
    names = [f"r{i}" for i in range(len(inner.output))]
    made = helper.make_node("If", ["c"], names, then_branch=body, else_branch=body)
    condition = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    outputs = [onnx.ValueInfoProto(name=name) for name in names]
    return GraphProto(name="g", node=[made], input=[*inner.input, condition], output=outputs)


def floats(*dims: int) -> np.ndarray:
    return np.ones(dims, np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


IMAGE: Input = [1, 4, 8, 8]
GOOD: dict[str, Case] = {
    "conv": node("Conv", IMAGE, floats(6, 4, 3, 3), floats(6), kernel_shape=[3, 3], pads=[0, 1, 0, 1]),
    "conv group": node("Conv", IMAGE, floats(6, 2, 3, 3), group=2),
    "conv depthwise": node("Conv", IMAGE, floats(8, 1, 3, 3), group=4),
    "conv symbolic": node("Conv", ["n", "c", "h", "w"], floats(6, 4, 3, 3)),
    "conv kernel of the input's size": node("Conv", IMAGE, floats(6, 4, 8, 8)),
    "conv kernel fits by padding": node("Conv", IMAGE, floats(6, 4, 9, 9), pads=[1, 0, 0, 1]),
    "conv kernel larger with auto_pad": node("Conv", IMAGE, floats(6, 4, 9, 9), auto_pad="SAME_UPPER"),
    "conv 1d": node("Conv", [1, 4, 9], floats(6, 4, 3), dilations=[4]),
    "conv transpose": node("ConvTranspose", IMAGE, floats(4, 3, 2, 2), floats(6), group=2),
    "pool": node("MaxPool", IMAGE, kernel_shape=[2, 2], strides=[2, 2], pads=[1, 1, 1, 1]),
    "pool symbolic": node("AveragePool", [1, 4, "h", "w"], kernel_shape=[9, 9]),
    "gemm": node("Gemm", [2, 3], floats(3, 4), floats(4)),
    "gemm transposed": node("Gemm", [3, 2], floats(4, 3), floats(2, 1), transA=1, transB=1),
    "gemm symbolic": node("Gemm", ["n", 3], floats(3, 4), floats(7, 4)),
    "gemm scalar": node("Gemm", [2, 3], floats(3, 4), floats()),
    "slope": node("PRelu", IMAGE, floats(4, 1, 1)),
    "slope for all": node("PRelu", IMAGE, floats(1)),
    "slope larger than its input": node("PRelu", [1, 1, 8, 8], floats(4, 1, 1)),
    "lstm": node("LSTM", [7, 1, 8], floats(1, 20, 8), floats(1, 20, 5), floats(1, 40), hidden_size=5),
    "lstm that does not say its size": node("LSTM", [7, 1, 8], floats(1, 20, 8), floats(1, 20, 5)),
    "gru both ways": node(
        "GRU", ["t", "n", 8], floats(2, 15, 8), floats(2, 15, 5), hidden_size=5, direction="bidirectional"
    ),
    "rnn": node("RNN", [7, 1, "x"], floats(1, 5, 8), floats(1, 5, 5), hidden_size=5),
    "reshape": node("Reshape", [2, 6], ints(3, -1)),
    "reshape copies": node("Reshape", [2, 6], ints(0, 2, 3)),
    "reshape symbolic": node("Reshape", ["n", 6], ints(5, 5)),
    "reshape empty": node("Reshape", [0, 6], ints(3, 0), allowzero=1),
    "reshape to a scalar": node("Reshape", [1, 1], ints()),
    "gather": node("Gather", [3, 4], ints(-4, 3), axis=1),
    "gather symbolic": node("Gather", ["n", 4], ints(99)),
    "gather elements": node("GatherElements", [3, 4], ints(2, -3).reshape(2, 1)),
    "gather nd": node("GatherND", [3, 4], ints(2, 3, -3, -4).reshape(2, 2)),
    "gather nd batch": node("GatherND", [2, 4], ints(3, 3).reshape(2, 1), batch_dims=1),
    "dequantize": node("DequantizeLinear", np.ones((4, 3), np.int8), floats(3), np.zeros(3, np.int8), axis=-1),
    "dequantize scalar": node("DequantizeLinear", np.ones(3, np.int8), floats()),
    "dequantize by ONNX Runtime": node("DequantizeLinear", np.ones(3, np.int8), floats(1), np.zeros((), np.int8)),
    "dequantize blocks": node("DequantizeLinear", np.ones((5, 3), np.int8), floats(3, 3), axis=0, block_size=2),
    "quantize": node("QuantizeLinear", [4, "n"], floats(4), np.zeros(4, np.uint8), axis=0),
    "divide": node("Div", ints(INT_MIN, 1), ints(1, -1)),
    "divide floats": node("Div", [3], floats(3) * 0),
    "divide unsigned": node("Div", np.ones(2, np.uint8), np.full(2, 255, np.uint8)),
    "split": node("Split", [4], outputs=2, num_outputs=2),
    "expand": node("Expand", [1], ints(*[1] * 64)),
    "pad": node("Pad", [1] * 64, ints(*[0] * 128)),
    "flatten behind the end": node("Flatten", [2, 3], axis=2),
    "softmax": node("Softmax", [2, 3], axis=-2),
    "concat": node("Concat", [2, 3], [2, 4], axis=1),
}
BAD: dict[str, tuple[Case, str]] = {
    "conv channels": (node("Conv", IMAGE, floats(6, 3, 3, 3)), "takes 3 channels"),
    "conv channels in groups": (node("Conv", IMAGE, floats(6, 4, 3, 3), group=2), "8 in all"),
    "conv group 0": (node("Conv", IMAGE, floats(6, 4, 3, 3), group=0), "group must be at least 1, got 0"),
    "conv group -1": (node("Conv", IMAGE, floats(6, 4, 3, 3), group=-1), "group must be at least 1, got -1"),
    "conv group does not divide": (node("Conv", IMAGE, floats(5, 2, 3, 3), group=2), "group must divide its 5"),
    "conv pads": (node("Conv", IMAGE, floats(6, 4, 3, 3), pads=[2**40] * 4), "pads must be in"),
    "conv negative pads": (node("Conv", IMAGE, floats(6, 4, 3, 3), pads=[-1] * 4), "pads must be in"),
    "conv stride 0": (node("Conv", IMAGE, floats(6, 4, 3, 3), strides=[0, 1]), "strides must be in"),
    "conv three strides": (node("Conv", IMAGE, floats(6, 4, 3, 3), strides=[1] * 3), "strides must have 2 entries"),
    "conv three pads": (node("Conv", IMAGE, floats(6, 4, 3, 3), pads=[1] * 3), "pads must have 4 entries"),
    "conv kernel_shape": (node("Conv", IMAGE, floats(6, 4, 3, 3), kernel_shape=[5, 5]), "that of its weight, [3, 3]"),
    "conv kernel too large": (node("Conv", IMAGE, floats(6, 4, 9, 9)), "reaches over 9"),
    "conv dilated kernel": (node("Conv", IMAGE, floats(6, 4, 3, 3), dilations=[4, 1]), "reaches over 9"),
    "conv padding too small": (node("Conv", IMAGE, floats(6, 4, 10, 9), pads=[1, 1, 0, 0]), "padded input of 9"),
    "conv weight rank": (node("Conv", [1, 4, 8], floats(6, 4, 3, 3)), "the rank of its input, 3, got 4"),
    "conv weight of rank 9": (node("Conv", IMAGE, floats(*[1] * 9)), "the rank of its input, 4, got 9"),
    "conv on a matrix": (node("Conv", [1, 4], floats(6, 4)), "rank in [3, 64], got 2"),
    "conv bias": (node("Conv", IMAGE, floats(6, 4, 3, 3), floats(5)), "its bias must have the dims [6]"),
    "conv integer": (
        node("ConvInteger", np.ones((1, 4, 8, 8), np.uint8), np.ones((6, 3, 3, 3), np.uint8)),
        "takes 3 channels",
    ),
    "conv transpose channels": (node("ConvTranspose", IMAGE, floats(5, 3, 2, 2)), "takes 5 channels"),
    "conv transpose group": (node("ConvTranspose", IMAGE, floats(4, 3, 2, 2), group=3), "group must divide"),
    "conv transpose bias": (node("ConvTranspose", IMAGE, floats(4, 3, 2, 2), floats(4)), "dims [3]"),
    "pool kernel": (node("MaxPool", IMAGE, kernel_shape=[9, 1]), "reaches over 9"),
    "pool kernel of one": (node("MaxPool", IMAGE, kernel_shape=[2]), "kernel_shape must have 2 entries"),
    "pool pads": (node("AveragePool", IMAGE, kernel_shape=[2, 2], pads=[0, 2, 0, 0]), "smaller than kernel_shape"),
    "gemm rank": (node("Gemm", [2, 3, 4], floats(3, 4)), "A must be a matrix, got rank 3"),
    "gemm c": (node("Gemm", [2, 3], floats(3, 4), floats(1, 2, 4)), "C must have rank 2 at most"),
    "gemm c that does not spread": (node("Gemm", [2, 3], floats(3, 4), floats(2)), "its product, [2, 4], got [2]"),
    "gemm c larger than its product": (node("Gemm", [1, 3], floats(3, 4), floats(2, 4)), "[1, 4], got [2, 4]"),
    "slope channels": (node("PRelu", IMAGE, floats(3, 1, 1)), "its input, [1, 4, 8, 8], got [3, 1, 1]"),
    "lstm input": (
        node("LSTM", [7, 1, 8], floats(1, 20, 9), floats(1, 20, 5), hidden_size=5),
        "W must have the dims [1, 20, 8], got [1, 20, 9]",
    ),
    "gru gates": (node("GRU", [7, 1, 8], floats(1, 20, 8), floats(1, 15, 5)), "W must have the dims [1, 15, 8]"),
    "rnn directions": (
        node("RNN", [7, 1, 8], floats(2, 5, 8), floats(1, 5, 5), direction="bidirectional"),
        "R must have the dims [2, 5, 5]",
    ),
    "lstm bias": (
        node("LSTM", [7, 1, 8], floats(1, 20, 8), floats(1, 20, 5), floats(1, 20), hidden_size=5),
        "B must have the dims [1, 40], got [1, 20]",
    ),
    "reshape count": (node("Reshape", [2, 6], ints(5, 2)), "the 12 elements of its input [2, 6]"),
    "reshape does not divide": (node("Reshape", [2, 6], ints(5, -1)), "the 12 elements"),
    "reshape from something to nothing": (node("Reshape", [2, 6], ints(0, -1), allowzero=1), "the 12 elements"),
    "reshape two unknown": (node("Reshape", [2, 6], ints(-1, -1)), "-1 at most once"),
    "reshape -2": (node("Reshape", [2, 6], ints(-2)), "must hold sizes"),
    "reshape copy beyond": (node("Reshape", [2, 6], ints(2, 6, 0)), "copies a size"),
    "gather beyond": (node("Gather", [3, 4], ints(0, 3)), "in [-3, 2], got index 3"),
    "gather before": (node("Gather", [3, 4], ints(-4, 0)), "in [-3, 2], got index -4"),
    "gather axis": (node("Gather", [3, 4], ints(0), axis=2), "axis must be in [-2, 1]"),
    "gather elements index": (node("GatherElements", [3, 4], ints(3).reshape(1, 1)), "got index 3"),
    "gather elements rank": (node("GatherElements", [3, 4], ints(0)), "the rank of its data, 2"),
    "gather nd index": (node("GatherND", [3, 4], ints(0, -5).reshape(1, 2)), "got index -5"),
    "gather nd depth": (node("GatherND", [3, 4], ints(0, 0, 0).reshape(1, 3)), "address 3 dimensions"),
    "dequantize axis": (
        node("DequantizeLinear", np.ones((4, 3), np.int8), floats(3), axis=2),
        "axis must be in [-2, 1]",
    ),
    "dequantize default axis": (node("DequantizeLinear", np.ones(3, np.int8), floats(3)), "got 1"),
    "dequantize scale": (node("DequantizeLinear", np.ones((4, 3), np.int8), floats(4), axis=1), "must have 3 entries"),
    "dequantize scale rank": (node("DequantizeLinear", np.ones((4, 3), np.int8), floats(4, 3)), "one dimension"),
    "dequantize zero point": (
        node("DequantizeLinear", np.ones((4, 3), np.int8), floats(3), np.zeros(4, np.int8)),
        "its zero point must have the dims of its scale, [3]",
    ),
    "dequantize blocks": (
        node("DequantizeLinear", np.ones((5, 3), np.int8), floats(2, 3), axis=0, block_size=2),
        "must have the dims [3, 3]",
    ),
    "dequantize block size": (
        node("DequantizeLinear", np.ones((5, 3), np.int8), floats(2, 3), axis=0, block_size=-2),
        "block_size must not be negative",
    ),
    "quantize scale": (node("QuantizeLinear", [4, "n"], floats(3), axis=0), "must have 4 entries"),
    "divide by zero": (node("Div", ints(1, 2), ints(1, 0)), "must not be 0"),
    "modulo zero": (node("Mod", ints(1, 2), ints(0)), "must not be 0"),
    "smallest by -1": (node("Div", ints(INT_MIN), ints(-1)), f"{INT_MIN} / -1"),
    "smallest int8 modulo -1": (node("Mod", np.array([-128], np.int8), np.array(-1, np.int8)), "-128 / -1"),
    "split": (node("Split", [4], outputs=2, num_outputs=3), "the number of its outputs, 2, got 3"),
    "split of a billion": (node("Split", [4], outputs=2, num_outputs=10**9), "at most 65536, got 1000000000"),
    "flatten axis": (node("Flatten", [2, 3], axis=3), "axis must be in [-2, 2]"),
    "softmax axis": (node("Softmax", [2, 3], axis=2), "axis must be in [-2, 1]"),
    "concat axis": (node("Concat", [2, 3], [2, 4], axis=-3), "axis must be in [-2, 1]"),
}


@pytest.mark.parametrize("in_body", [False, True])
@pytest.mark.parametrize("case", GOOD)
def test_accepted(case: str, in_body: bool) -> None:
    model = model_of(GOOD[case], in_body=in_body)
    check_before_inference(model)
    check_semantics(model)


@pytest.mark.parametrize("in_body", [False, True])
@pytest.mark.parametrize("case", BAD)
def test_refused(case: str, in_body: bool) -> None:
    bad, words = BAD[case]
    with pytest.raises(ModelError) as caught:
        check_semantics(model_of(bad, in_body=in_body))
    text = str(caught.value)
    assert f"node 'n' ({bad[0].op_type}): " in text
    assert words in text
    assert "\n" not in text


def shaped(op_type: str, length: int) -> onnx_ir.Model:
    """A node whose shape input is declared with `length` entries."""
    vector: Input = [length]
    one: Input = [1]
    return model_of(node(op_type, vector) if op_type == "ConstantOfShape" else node(op_type, one, vector))


@pytest.mark.parametrize("length", [65, 10**9])
@pytest.mark.parametrize("op_type", ["ConstantOfShape", "Expand", "Reshape", "Tile"])
def test_long_shape_vectors_are_refused_before_inference(op_type: str, length: int) -> None:
    with pytest.raises(ModelError, match="must have at most 64 entries"):
        check_before_inference(shaped(op_type, length))
    check_before_inference(shaped(op_type, 64))


def test_a_matrix_is_no_shape() -> None:
    with pytest.raises(ModelError, match="input 1 must be a vector, got rank 2"):
        check_before_inference(model_of(node("Expand", [1], [2, 2])))


TRIPS_INFERENCE = ["conv weight rank", "conv three pads", "conv pads", "gemm rank", "split of a billion"]


@pytest.mark.parametrize("case", TRIPS_INFERENCE)
def test_what_native_inference_trips_over_is_refused_before_it(case: str) -> None:
    with pytest.raises(ModelError):
        check_before_inference(model_of(BAD[case][0]))


def body_of(inputs: int, outputs: int) -> GraphProto:
    graph = GraphProto(name="body")
    graph.input.extend(onnx.ValueInfoProto(name=f"bi{i}") for i in range(inputs))
    for i in range(outputs):
        graph.node.append(helper.make_node("Constant", [], [f"bo{i}"], value_int=1))
        graph.output.append(onnx.ValueInfoProto(name=f"bo{i}"))
    return graph


TRIPS = ints(3).reshape(())
TRUE = np.array(True)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (node("If", TRUE, then_branch=body_of(0, 1), else_branch=body_of(0, 1)), ""),
        (node("If", TRUE, then_branch=body_of(0, 1), else_branch=body_of(0, 2)), "else_branch must have 1 outputs"),
        (node("If", TRUE, then_branch=body_of(1, 1), else_branch=body_of(0, 1)), "then_branch must have no inputs"),
        (node("Loop", TRIPS, TRUE, [1], outputs=2, body=body_of(3, 3)), ""),
        (node("Loop", TRIPS, TRUE, [1], outputs=2, body=body_of(2, 3)), "must have 3 inputs, got 2"),
        (node("Loop", TRIPS, TRUE, [1], outputs=2, body=body_of(3, 2)), "at least 3 outputs, got 2"),
        (node("Scan", [4, 1], body=body_of(1, 1), num_scan_inputs=1), ""),
        (node("Scan", [4, 1], body=body_of(2, 1), num_scan_inputs=1), "must have 1 inputs, got 2"),
        (node("Scan", [4, 1], outputs=2, body=body_of(1, 1), num_scan_inputs=1), "must have 2 outputs, got 1"),
        (node("Scan", [4, 1], body=body_of(1, 1), num_scan_inputs=2), "num_scan_inputs must be in [1, 1]"),
    ],
)
def test_bodies_fit_their_node(case: Case, words: str) -> None:
    model = model_of(case)
    if not words:
        return check_before_inference(model)
    with pytest.raises(ModelError) as caught:
        check_before_inference(model)
    assert words in str(caught.value)
    return None


def test_operators_of_other_domains_are_left_alone() -> None:
    made, inputs = node("Conv", IMAGE, floats(1, 1), group=0)
    made.domain = "custom"
    graph = graph_of((made, inputs))
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("custom", 1)]
    proto = helper.make_model(graph, opset_imports=imports, ir_version=8)
    check_semantics(onnx_ir.from_proto(open_model(proto).proto))
