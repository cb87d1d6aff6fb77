"""Operators as TFLite: layout, padding, quantization, and what is not written."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from dovetail.ir import load_model
from dovetail.lowering.tflite import Form, NoFormError, as_json, lite_form
from dovetail.lowering.vela import unit_views
from dovetail.passes import run_passes
from dovetail.passes.tagging import AnnotateUnits, UnitTag
from dovetail.targets import Array

Shape = tuple[int, ...]
Given = Shape | Array | None
IMAGE = (1, 4, 8, 6)


def form_of(
    folder: Path, op_type: str, inputs: Sequence[Given], outputs: int = 1, then: str = "", **attributes: Any
) -> Form:
    """The form of one operator in Q/DQ: shapes are int8 inputs, int8 and int32 arrays quantized constants."""
    constants = [
        numpy_helper.from_array(np.array(0.5, np.float32), "s"),
        numpy_helper.from_array(np.array(3, np.int8), "z"),
    ]
    nodes, names, given = [], [], []
    for number, value in enumerate(inputs):
        name = f"x{number}"
        names.append("" if value is None else name)
        if value is None:
            continue
        if isinstance(value, tuple):
            given.append(helper.make_tensor_value_info(name, TensorProto.INT8, value))
        else:
            constants.append(numpy_helper.from_array(value, name))
            if value.dtype not in (np.int8, np.int32):
                continue
        zero = ["s"] if isinstance(value, np.ndarray) and value.dtype == np.int32 else ["s", "z"]
        nodes.append(helper.make_node("DequantizeLinear", [name, *zero], [f"{name}_f"]))
        names[-1] = f"{name}_f"
    results = [f"y{number}" for number in range(outputs)]
    behind = "_a" if then else "_f"
    nodes.append(helper.make_node(op_type, names, [f"{name}{behind}" for name in results], **attributes))
    if then:
        nodes.append(helper.make_node(then, ["y0_a"], ["y0_f"]))
    nodes += [helper.make_node("QuantizeLinear", [f"{name}_f", "s", "z"], [name]) for name in results]
    made = [helper.make_tensor_value_info(name, TensorProto.INT8, None) for name in results]
    graph = helper.make_graph(nodes, "g", given, made, constants)
    return form_in(folder, helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10))


def form_in(folder: Path, model: onnx.ModelProto) -> Form:
    """The form of a model's only unit."""
    path = folder / "model.onnx"
    onnx.save(model, path)
    graph = load_model(path)
    run_passes(graph, (AnnotateUnits(),))
    assert len({graph.tag(name, UnitTag).index for name in graph}) == 1
    return lite_form(unit_views(graph, tuple(graph)))


def ones(*shape: int) -> Array:
    return np.ones(shape, np.int8)


def number(value: float) -> Array:
    return np.array(value, np.float32)


def longs(*values: int) -> Array:
    return np.array(values, np.int64)


def names(form: Form) -> list[str]:
    return [operator.name for operator in form]


def constant(form: Form, index: int) -> list[Any]:
    tensor = form[-1].inputs[index]
    assert tensor is not None
    assert tensor.data is not None
    values: list[Any] = tensor.data.tolist()
    return values


def test_images_and_kernels_get_their_channels_last(tmp_path: Path) -> None:
    weights = np.arange(8 * 4 * 3 * 2, dtype=np.int8).reshape(8, 4, 3, 2)
    (conv,) = form_of(tmp_path, "Conv", [IMAGE, weights, np.zeros(8, np.int32)], strides=[2, 1])
    source, kernel, bias = conv.inputs

    assert source is not None
    assert kernel is not None
    assert kernel.data is not None
    assert bias is not None
    assert conv.name == "CONV_2D"
    assert source.shape == (1, 8, 6, 4)
    assert (source.scale, source.zero_point) == ((0.5,), (3,))
    assert np.array_equal(kernel.data, weights.transpose(0, 2, 3, 1))
    assert (bias.dtype, bias.zero_point) == ("int32", (0,))
    assert conv.outputs[0].shape == (1, 3, 5, 8)
    assert conv.values["Padding"] == 1
    assert (conv.values["StrideH"], conv.values["StrideW"]) == (2, 1)


def test_a_depthwise_kernel_has_its_multiplier(tmp_path: Path) -> None:
    (conv,) = form_of(tmp_path, "Conv", [IMAGE, ones(8, 1, 3, 3)], group=4)

    assert conv.name == "DEPTHWISE_CONV_2D"
    assert conv.inputs[1] is not None
    assert conv.inputs[1].shape == (1, 3, 3, 8)
    assert conv.values["DepthMultiplier"] == 2


@pytest.mark.parametrize(
    ("attributes", "operators", "padding"),
    [
        ({"pads": [1, 1, 1, 1]}, ["CONV_2D"], 0),
        ({"auto_pad": "SAME_UPPER", "strides": [2, 2]}, ["CONV_2D"], 0),
        ({"auto_pad": "VALID"}, ["CONV_2D"], 1),
        ({"pads": [1, 1, 1, 1], "strides": [2, 2]}, ["PAD", "CONV_2D"], 1),
        ({"auto_pad": "SAME_LOWER", "strides": [2, 2]}, ["PAD", "CONV_2D"], 1),
        ({"pads": [2, 0, 0, 2]}, ["PAD", "CONV_2D"], 1),
    ],
)
def test_padding_that_tflite_has_no_word_for_stands_before(
    attributes: dict[str, Any], operators: list[str], padding: int, tmp_path: Path
) -> None:
    form = form_of(tmp_path, "Conv", [IMAGE, ones(8, 4, 3, 3)], **attributes)

    assert names(form) == operators
    assert form[-1].values["Padding"] == padding
    assert form[-1].inputs[0] is (form[0].outputs[0] if len(form) > 1 else form[0].inputs[0])


def test_a_row_is_an_image_of_height_one(tmp_path: Path) -> None:
    (conv,) = form_of(tmp_path, "Conv", [(1, 4, 9), ones(8, 4, 3)], strides=[2])

    assert conv.inputs[0] is not None
    assert conv.inputs[0].shape == (1, 1, 9, 4)
    assert conv.outputs[0].shape == (1, 1, 4, 8)
    assert (conv.values["StrideH"], conv.values["StrideW"]) == (1, 2)


def test_scales_of_channels_follow_their_axis(tmp_path: Path) -> None:
    text = """<ir_version: 10, opset_import: ["": 21]>
    g (int8[1,3] x) => (int8[1,2] y) <float s = {0.5}, int8 z = {0}, float[2] t = {0.5, 2}, int8[2] u = {0, 0},
       int8[3,2] w = {1, 2, 3, 4, 5, 6}>
    { a = DequantizeLinear(x, s, z) b = DequantizeLinear<axis = 1>(w, t, u) c = MatMul(a, b)
      y = QuantizeLinear(c, s, z) }"""
    (product,) = form_in(tmp_path, onnx.parser.parse_model(text))
    weights = product.inputs[1]

    assert product.name == "FULLY_CONNECTED"
    assert weights is not None
    assert (weights.shape, weights.scale, weights.axis) == ((2, 3), (0.5, 2.0), 0)
    assert constant((product,), 1) == [[1, 3, 5], [2, 4, 6]]


@pytest.mark.parametrize(("then", "operators", "fused"), [("Relu", ["CONV_2D"], 1), ("Tanh", ["CONV_2D", "TANH"], 0)])
def test_an_activation_joins_its_operator_or_follows_it(
    then: str, operators: list[str], fused: int, tmp_path: Path
) -> None:
    form = form_of(tmp_path, "Conv", [IMAGE, ones(8, 4, 1, 1)], then=then)

    assert names(form) == operators
    assert form[0].values.get("FusedActivationFunction", 0) == fused
    assert form[-1].outputs[0].shape == (1, 8, 6, 8)
    if len(form) > 1:
        assert form[1].inputs[0] is form[0].outputs[0]


def test_transposed_convolutions_are_cropped_where_the_padding_differs(tmp_path: Path) -> None:
    weights = ones(4, 8, 3, 3)
    plain = form_of(tmp_path, "ConvTranspose", [IMAGE, weights], strides=[2, 2])
    cropped = form_of(
        tmp_path, "ConvTranspose", [IMAGE, weights], strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]
    )

    assert names(plain) == ["TRANSPOSE_CONV"]
    assert names(cropped) == ["TRANSPOSE_CONV", "SLICE"]
    assert constant(cropped, 1) == [0, 1, 1, 0]
    assert cropped[-1].outputs[0].shape == (1, 16, 12, 8)


def test_pools_pad_with_what_never_wins(tmp_path: Path) -> None:
    form = form_of(tmp_path, "MaxPool", [IMAGE], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])

    assert names(form) == ["PADV2", "MAX_POOL_2D"]
    assert form[0].inputs[2] is not None
    assert form[0].inputs[2].data == -128


OPERATORS: list[tuple[str, list[Given], dict[str, Any], str]] = [
    ("Gemm", [(2, 4), ones(5, 4), np.zeros(5, np.int32)], {"transB": 1}, "FULLY_CONNECTED"),
    ("MatMul", [(2, 3, 4), (2, 4, 5)], {}, "BATCH_MATMUL"),
    ("Add", [IMAGE, (4, 1, 1)], {}, "ADD"),
    ("Min", [IMAGE, IMAGE], {}, "MINIMUM"),
    ("Where", [np.ones((1, 4, 8, 6), np.bool_), IMAGE, IMAGE], {}, "SELECT_V2"),
    ("GlobalAveragePool", [IMAGE], {}, "MEAN"),
    ("GlobalMaxPool", [IMAGE], {}, "MAX_POOL_2D"),
    ("AveragePool", [IMAGE], {"kernel_shape": [2, 2]}, "AVERAGE_POOL_2D"),
    ("Clip", [IMAGE, number(0), number(6)], {}, "RELU6"),
    ("LeakyRelu", [IMAGE], {"alpha": 0.2}, "LEAKY_RELU"),
    ("HardSwish", [IMAGE], {}, "HARD_SWISH"),
    ("Softmax", [IMAGE], {"axis": 1}, "SOFTMAX"),
    ("Flatten", [IMAGE], {}, "RESHAPE"),
    ("Squeeze", [IMAGE, longs(0)], {}, "SQUEEZE"),
    ("Unsqueeze", [(4, 8), longs(0)], {}, "EXPAND_DIMS"),
    ("Unsqueeze", [(4, 8), longs(0, 1)], {}, "RESHAPE"),
    ("DepthToSpace", [IMAGE], {"blocksize": 2}, "DEPTH_TO_SPACE"),
    ("Tile", [IMAGE, longs(1, 2, 1, 1)], {}, "TILE"),
    ("Expand", [(4, 8), longs(2, 4, 8)], {}, "BROADCAST_TO"),
    ("Pad", [IMAGE, longs(0, 0, 1, 1, 0, 0, 1, 1)], {"mode": "reflect"}, "MIRROR_PAD"),
    ("Gather", [(4, 8), longs(0, 3)], {}, "GATHER"),
]


@pytest.mark.parametrize(
    ("op_type", "inputs", "attributes", "operator"), OPERATORS, ids=[f"{case[0]}-{case[3]}" for case in OPERATORS]
)
def test_operators_have_their_counterparts(
    op_type: str, inputs: list[Given], attributes: dict[str, Any], operator: str, tmp_path: Path
) -> None:
    form = form_of(tmp_path, op_type, inputs, **attributes)
    model = as_json("case", form)

    assert names(form) == [operator]
    assert len(model["outputs"]) == 1
    assert len(model["inputs"]) == sum(isinstance(value, tuple) for value in inputs)


def test_axes_move_with_the_channels(tmp_path: Path) -> None:
    (joined,) = form_of(tmp_path, "Concat", [IMAGE, IMAGE], axis=1)
    assert joined.values["Axis"] == 3
    assert joined.outputs[0].shape == (1, 8, 6, 8)
    assert constant(form_of(tmp_path, "ReduceMean", [IMAGE, longs(2, 3)]), 1) == [1, 2]
    (parts,) = form_of(tmp_path, "Split", [IMAGE], outputs=2, axis=1, num_outputs=2)
    assert (parts.name, [part.shape for part in parts.outputs]) == ("SPLIT", [(1, 8, 6, 2)] * 2)
    padded = form_of(tmp_path, "Pad", [IMAGE, longs(0, 1, 0, 0, 0, 2, 0, 0)])
    assert constant(padded, 1) == [[0, 0], [0, 0], [0, 0], [1, 2]]


@pytest.mark.parametrize(
    ("start", "end", "step", "operator", "rest"),
    [(2, 4, 1, "SLICE", [1, 8, 2, 4]), (0, 6, 2, "STRIDED_SLICE", [1, 8, 6, 4])],
)
def test_slices_begin_where_they_did(
    start: int, end: int, step: int, operator: str, rest: list[int], tmp_path: Path
) -> None:
    form = form_of(tmp_path, "Slice", [IMAGE, longs(start), longs(end), longs(3), longs(step)])

    assert names(form) == [operator]
    assert constant(form, 1) == [0, 0, start, 0]
    assert constant(form, 2) == rest


@pytest.mark.parametrize(("coordinates", "half"), [("half_pixel", 1), ("asymmetric", 0)])
def test_resizes_keep_their_coordinates(coordinates: str, half: int, tmp_path: Path) -> None:
    scales = np.array([1, 1, 2, 2], np.float32)
    form = form_of(tmp_path, "Resize", [IMAGE, None, scales], mode="linear", coordinate_transformation_mode=coordinates)

    assert names(form) == ["RESIZE_BILINEAR"]
    assert form[0].values["HalfPixelCenters"] == half
    assert constant(form, 1) == [16, 12]


REFUSALS: list[tuple[str, list[Given], dict[str, Any], str]] = [
    ("Erf", [IMAGE], {}, "no TFLite form"),
    ("Clip", [IMAGE, number(0), number(4)], {}, r"clips to \[0, 4\]"),
    ("Softmax", [IMAGE], {"axis": 2}, "last axis"),
    ("Gemm", [(4, 2), ones(4, 5)], {"transA": 1}, "transA"),
    ("Max", [IMAGE, IMAGE, IMAGE], {}, "two operands"),
    ("AveragePool", [IMAGE], {"kernel_shape": [2, 2], "pads": [1, 1, 0, 0]}, "out of an average"),
    ("MaxPool", [(1, 4, 7, 7)], {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}, "round sizes up"),
    ("MaxPool", [IMAGE], {"kernel_shape": [2, 2], "dilations": [2, 2]}, "no dilations"),
    ("DepthToSpace", [IMAGE], {"blocksize": 2, "mode": "CRD"}, "DCR"),
    ("Pad", [IMAGE, longs(0, 0, 1, 1, 0, 0, 1, 1)], {"mode": "edge"}, "mode edge"),
    ("Conv", [(1, 2, 4, 4, 4), ones(3, 2, 1, 1, 1)], {}, "rank 5"),
    ("Elu", [IMAGE], {"alpha": 2.0}, "no alpha"),
]


@pytest.mark.parametrize(
    ("op_type", "inputs", "attributes", "words"), REFUSALS, ids=[f"{case[0]}-{case[3]}" for case in REFUSALS]
)
def test_what_is_not_written_says_why(
    op_type: str, inputs: list[Given], attributes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(NoFormError, match=words):
        form_of(tmp_path, op_type, inputs, **attributes)


def test_sizes_that_are_not_known_are_not_guessed(tmp_path: Path) -> None:
    text = """<ir_version: 10, opset_import: ["": 21]> g (float[N,4] x) => (float[N,4] y) { y = Relu(x) }"""
    with pytest.raises(NoFormError, match=r"dimension 0 \(N\)"):
        form_in(tmp_path, onnx.parser.parse_model(text))


@pytest.mark.parametrize(
    ("text", "operator"),
    [
        ("(float[4] x) => (uint8[4] y) <float s = {0.5}, uint8 z = {3}> { y = QuantizeLinear(x, s, z) }", "QUANTIZE"),
        (
            "(uint8[4] x) => (float[4] y) <float s = {0.5}, uint8 z = {3}> { y = DequantizeLinear(x, s, z) }",
            "DEQUANTIZE",
        ),
        ("(float[4] x) => (float[4] y) { y = Relu(x) }", "RELU"),
    ],
)
def test_floats_are_written_as_floats(text: str, operator: str, tmp_path: Path) -> None:
    model = onnx.parser.parse_model('<ir_version: 10, opset_import: ["": 21]> g ' + text)
    form = form_in(tmp_path, model)
    tensors = as_json("case", form)["tensors"]

    assert names(form) == [operator]
    assert [tensor["scale"] for tensor in tensors if tensor["dtype"] == "uint8"] in ([], [[0.5]])
    assert any(tensor["dtype"] == "float32" and not tensor["scale"] for tensor in tensors)
