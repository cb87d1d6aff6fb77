"""Single operators in int8, each as an ONNX Q/DQ model and as the TFLite model that it becomes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from agreement_models import MAIN, Case
from onnx import TensorProto, helper, numpy_helper

from dovetail.lowering.tflite import Form, LiteOperator, LiteTensor

Array = npt.NDArray[np.generic]
Shape = tuple[int, ...]

SCALE = 0.05
NOT_COMPARED = (
    *("LSTM", "Sqrt before Reciprocal", "ScatterND", "Log", "ReverseSequence", "PRelu", "Cast", "QuantizeLinear"),
    *("DequantizeLinear", "GlobalMaxPool", "Flatten", "Sum", "Tile", "Where"),
)
"""Listed operators of Ethos-U without a case here: their TFLite form is another graph, or none is written yet."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of the TFLite model, in its layout, with zero point 0."""

    shape: Shape
    data: Array | None = None
    dtype: str = "int8"
    scale: float = SCALE

    def lite(self) -> LiteTensor:
        """The tensor in a model of its own."""
        quantization = ((self.scale,), (0,)) if self.scale else ((), ())
        return LiteTensor(self.shape, self.dtype, self.data, *quantization)


@dataclass(frozen=True, slots=True)
class Lite:
    """The TFLite form."""

    operator: str
    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]
    options: str = ""
    values: dict[str, Any] = field(default_factory=dict)

    def form(self) -> Form:
        """The model of this one operator."""
        inputs, outputs = (tuple(tensor.lite() for tensor in some) for some in (self.inputs, self.outputs))
        return (LiteOperator(self.operator, inputs, outputs, self.options, self.values),)


@dataclass(frozen=True, slots=True)
class Pair:
    """One operator in both forms."""

    case: Case
    lite: Lite


def pairs() -> Iterator[Pair]:
    """Every case."""
    yield from _convolutions()
    yield from _pools()
    yield from _pointwise()
    yield from _movement()
    yield from _reductions()
    yield from _resizes()
    yield from _products()


def _onnx(name: str, op_type: str, inputs: Sequence[Shape | Array | None], outputs: int = 1, **attributes: Any) -> Case:
    """A Q/DQ model: shapes are int8 inputs, int8 and int32 arrays quantized constants, other arrays as they are."""
    names, nodes, graph_inputs, constants = [], [], [], []
    constants.append(numpy_helper.from_array(np.array(SCALE, np.float32), "scale"))
    constants.append(numpy_helper.from_array(np.array(SCALE * SCALE, np.float32), "bias_scale"))
    constants.append(numpy_helper.from_array(np.array(0, np.int8), "zero"))
    for number, given in enumerate(inputs):
        source = f"x{number}"
        if given is None:
            names.append("")
            continue
        if isinstance(given, tuple):
            graph_inputs.append(helper.make_tensor_value_info(source, TensorProto.INT8, given))
        else:
            constants.append(numpy_helper.from_array(given, source))
            if given.dtype not in (np.int8, np.int32):
                names.append(source)
                continue
        is_bias = isinstance(given, np.ndarray) and given.dtype == np.int32
        scale = [source, "bias_scale"] if is_bias else [source, "scale", "zero"]
        nodes.append(helper.make_node("DequantizeLinear", scale, [f"{source}_f"], name=f"dq{number}"))
        names.append(f"{source}_f")
    results = [f"y{number}" for number in range(outputs)]
    nodes.append(helper.make_node(op_type, names, [f"{result}_f" for result in results], name=MAIN, **attributes))
    for result in results:
        nodes.append(helper.make_node("QuantizeLinear", [f"{result}_f", "scale", "zero"], [result], name=f"q{result}"))
    graph_outputs = [helper.make_tensor_value_info(result, TensorProto.INT8, None) for result in results]
    graph = helper.make_graph(nodes, "case", graph_inputs, graph_outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return Case(name, "int8", model)


def _last(shape: Shape) -> Shape:
    """NCHW to NHWC."""
    return (shape[0], *shape[2:], shape[1])


def _ones(*shape: int) -> Array:
    return np.ones(shape, np.int8)


def _ints(*values: int) -> Array:
    return np.array(values, np.int64)


def _window(shape: Shape, kernel: Shape, stride: int, dilation: int, same: bool) -> Shape:
    """Height and width behind a window."""
    reach = [(size - 1) * dilation + 1 for size in kernel]
    valid = [-(-(size - (0 if same else part - 1)) // stride) for size, part in zip(shape[2:], reach, strict=True)]
    return tuple(valid)


def _convolutions() -> Iterator[Pair]:
    windows = [((k, k), 1, 1, True) for k in (1, 3, 7, 16)] + [((64, 64), 1, 1, False), ((65, 1), 1, 1, False)]
    windows += [((64, 65), 1, 1, False), ((3, 3), 2, 1, True), ((3, 3), 3, 1, True), ((3, 3), 4, 1, True)]
    windows += [((3, 3), 5, 1, False), ((3, 3), 1, 2, True), ((3, 3), 1, 3, False), ((33, 1), 1, 2, False)]
    for kernel, stride, dilation, same in windows:
        shape = (1, 4, 80, 80)
        for kind in ("conv", "depthwise"):
            out = 4 if kind == "depthwise" else 8
            weights = _ones(out, 1 if kind == "depthwise" else 4, *kernel)
            name = f"{kind} {kernel[0]}x{kernel[1]} stride {stride} dilation {dilation} {'same' if same else 'valid'}"
            case = _onnx(
                name,
                "Conv",
                [shape, weights, np.zeros(out, np.int32)],
                auto_pad="SAME_UPPER" if same else "VALID",
                strides=[stride] * 2,
                dilations=[dilation] * 2,
                group=4 if kind == "depthwise" else 1,
            )
            order = (1, 2, 3, 0) if kind == "depthwise" else (0, 2, 3, 1)
            lite_weights = weights.transpose(order)
            inputs = [Tensor(_last(shape)), Tensor(lite_weights.shape, lite_weights)]
            inputs.append(Tensor((out,), np.zeros(out), "int32", SCALE * SCALE))
            values = {"Padding": 0 if same else 1, "StrideW": stride, "StrideH": stride}
            values |= {"DilationWFactor": dilation, "DilationHFactor": dilation}
            if kind == "depthwise":
                values["DepthMultiplier"] = 1
            result = Tensor((1, *_window(shape, kernel, stride, dilation, same), out))
            operator = (
                ("DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions") if kind == "depthwise" else ("CONV_2D", "Conv2DOptions")
            )
            yield Pair(case, Lite(operator[0], inputs, [result], operator[1], values))
    for stride, kernel_size in ((1, 3), (2, 2), (2, 4), (3, 3), (4, 4)):
        shape, weights = (1, 4, 8, 8), _ones(4, 8, kernel_size, kernel_size)
        case = _onnx(
            f"transposed {kernel_size}x{kernel_size} stride {stride}",
            "ConvTranspose",
            [shape, weights],
            strides=[stride] * 2,
            auto_pad="VALID",
        )
        size = (8 - 1) * stride + kernel_size
        lite_weights = weights.transpose(1, 2, 3, 0)
        result = Tensor((1, size, size, 8))
        inputs = [
            Tensor((4,), np.array(result.shape), "int32", 0),
            Tensor(lite_weights.shape, lite_weights),
            Tensor(_last(shape)),
        ]
        yield Pair(
            case,
            Lite(
                "TRANSPOSE_CONV",
                inputs,
                [result],
                "TransposeConvOptions",
                {"Padding": 1, "StrideW": stride, "StrideH": stride},
            ),
        )


def _pools() -> Iterator[Pair]:
    windows = [((2, 2), 2, False), ((3, 3), 1, True), ((8, 8), 1, True), ((9, 9), 1, True), ((9, 9), 1, False)]
    windows += [
        ((3, 3), 3, False),
        ((3, 3), 4, False),
        ((256, 1), 1, False),
        ((257, 1), 1, False),
        ((256, 256), 1, False),
        ((256, 257), 1, False),
    ]
    for kernel, stride, same in windows:
        shape = (1, 4, 16, 16) if max(kernel) < 16 else (1, 4, 260, 260)
        for op_type in ("MaxPool", "AveragePool"):
            name = f"{op_type} {kernel[0]}x{kernel[1]} stride {stride} {'same' if same else 'valid'}"
            pad = "SAME_UPPER" if same else "VALID"
            case = _onnx(name, op_type, [shape], kernel_shape=list(kernel), strides=[stride] * 2, auto_pad=pad)
            values = {"Padding": 0 if same else 1, "StrideW": stride, "StrideH": stride}
            values |= {"FilterWidth": kernel[1], "FilterHeight": kernel[0]}
            result = Tensor((1, *_window(shape, kernel, stride, 1, same), 4))
            operator = "MAX_POOL_2D" if op_type == "MaxPool" else "AVERAGE_POOL_2D"
            yield Pair(case, Lite(operator, [Tensor(_last(shape))], [result], "Pool2DOptions", values))


def _pointwise() -> Iterator[Pair]:
    shape = (1, 4, 8, 8)
    unary: dict[str, tuple[str, str, dict[str, Any]]] = {
        "Relu": ("RELU", "", {}),
        "Sigmoid": ("LOGISTIC", "", {}),
        "Tanh": ("TANH", "", {}),
        "HardSwish": ("HARD_SWISH", "HardSwishOptions", {}),
    }
    unary |= {
        "LeakyRelu": ("LEAKY_RELU", "LeakyReluOptions", {"Alpha": 0.01}),
        "Abs": ("ABS", "AbsOptions", {}),
        "Exp": ("EXP", "ExpOptions", {}),
    }
    unary |= {
        "Gelu": ("GELU", "GeluOptions", {}),
        "Elu": ("ELU", "", {}),
        "Neg": ("NEG", "NegOptions", {}),
        "Sqrt": ("SQRT", "", {}),
    }
    unary |= {
        "Sin": ("SIN", "", {}),
        "Cos": ("COS", "CosOptions", {}),
        "Ceil": ("CEIL", "", {}),
        "Floor": ("FLOOR", "", {}),
        "Round": ("ROUND", "", {}),
    }
    for op_type, (operator, options, values) in unary.items():
        yield Pair(
            _onnx(op_type, op_type, [shape]),
            Lite(operator, [Tensor(_last(shape))], [Tensor(_last(shape))], options, values),
        )
    for low, high, operator in ((0.0, 6.0, "RELU6"), (-1.0, 1.0, "RELU_N1_TO_1"), (0.0, 1.0, "RELU_0_TO_1")):
        limits = [np.array(low, np.float32), np.array(high, np.float32)]
        yield Pair(
            _onnx(f"Clip {low:g} {high:g}", "Clip", [shape, *limits]),
            Lite(operator, [Tensor(_last(shape))], [Tensor(_last(shape))]),
        )
    binary = {
        "Add": ("ADD", "AddOptions"),
        "Sub": ("SUB", "SubOptions"),
        "Mul": ("MUL", "MulOptions"),
        "Div": ("DIV", "DivOptions"),
        "Max": ("MAXIMUM", "MaximumMinimumOptions"),
        "Min": ("MINIMUM", "MaximumMinimumOptions"),
        "Pow": ("POW", "PowOptions"),
    }
    for op_type, (operator, options) in binary.items():
        for label, left, right in (
            ("same shape", shape, shape),
            ("channel", shape, (1, 4, 1, 1)),
            ("rank 2", (4, 8), (4, 8)),
            ("batch 2", (2, 4, 8, 8), (2, 4, 8, 8)),
        ):
            sides = [_last(side) if len(side) == 4 else side for side in (left, right)]
            result = Tensor(tuple(np.broadcast_shapes(*sides)))
            yield Pair(
                _onnx(f"{op_type} {label}", op_type, [left, right]),
                Lite(operator, [Tensor(side) for side in sides], [result], options),
            )


def _movement() -> Iterator[Pair]:
    shape = (1, 4, 8, 8)
    image = Tensor(_last(shape))
    for axis, lite_axis in ((0, 0), (1, 3), (2, 1), (3, 2)):
        result = list(_last(shape))
        result[lite_axis] *= 2
        yield Pair(
            _onnx(f"Concat axis {axis}", "Concat", [shape, shape], axis=axis),
            Lite("CONCATENATION", [image, image], [Tensor(tuple(result))], "ConcatenationOptions", {"Axis": lite_axis}),
        )
        parts = list(_last(shape))
        parts[lite_axis] //= 2
        if axis:
            inputs = [Tensor((), np.array(lite_axis), "int32", 0), image]
            yield Pair(
                _onnx(f"Split axis {axis}", "Split", [shape], outputs=2, axis=axis, num_outputs=2),
                Lite("SPLIT", inputs, [Tensor(tuple(parts))] * 2, "SplitOptions", {"NumSplits": 2}),
            )
    flat = (4, 8)
    new = Tensor((2,), np.array([8, 4]), "int32", 0)
    yield Pair(
        _onnx("Reshape", "Reshape", [flat, _ints(8, 4)]),
        Lite("RESHAPE", [Tensor(flat), new], [Tensor((8, 4))], "ReshapeOptions", {"NewShape": [8, 4]}),
    )
    yield Pair(
        _onnx("Squeeze", "Squeeze", [(1, 4, 8), _ints(0)]),
        Lite("SQUEEZE", [Tensor((1, 4, 8))], [Tensor((4, 8))], "SqueezeOptions", {"SqueezeDims": [0]}),
    )
    yield Pair(
        _onnx("Unsqueeze", "Unsqueeze", [(4, 8), _ints(0)]),
        Lite(
            "EXPAND_DIMS",
            [Tensor((4, 8)), Tensor((1,), np.array([0]), "int32", 0)],
            [Tensor((1, 4, 8))],
            "ExpandDimsOptions",
        ),
    )
    orders: list[tuple[Shape, Shape]] = [
        ((4, 8), (1, 0)),
        ((2, 4, 8), (0, 2, 1)),
        ((2, 4, 8), (1, 0, 2)),
        ((2, 4, 8), (2, 1, 0)),
        ((2, 3, 4, 5), (3, 0, 1, 2)),
        ((2, 3, 4, 5, 2), (4, 3, 2, 1, 0)),
    ]
    for given, perm in orders:
        yield Pair(
            _onnx(f"Transpose {perm} of {given}", "Transpose", [given], perm=list(perm)),
            Lite(
                "TRANSPOSE",
                [Tensor(given), Tensor((len(perm),), np.array(perm), "int32", 0)],
                [Tensor(tuple(given[axis] for axis in perm))],
                "TransposeOptions",
            ),
        )
    pads = np.array([[0, 0], [1, 1], [1, 1], [0, 0]])
    yield Pair(
        _onnx("Pad spatial", "Pad", [shape, _ints(0, 0, 1, 1, 0, 0, 1, 1)]),
        Lite("PAD", [image, Tensor((4, 2), pads, "int32", 0)], [Tensor((1, 10, 10, 4))], "PadOptions"),
    )
    channel = np.array([[0, 0], [0, 0], [0, 0], [0, 2]])
    yield Pair(
        _onnx("Pad channels", "Pad", [shape, _ints(0, 0, 0, 0, 0, 2, 0, 0)]),
        Lite("PAD", [image, Tensor((4, 2), channel, "int32", 0)], [Tensor((1, 8, 8, 6))], "PadOptions"),
    )
    begin, size = np.array([0, 1]), np.array([4, 6])
    yield Pair(
        _onnx("Slice", "Slice", [(4, 8), _ints(0, 1), _ints(4, 7), _ints(0, 1), _ints(1, 1)]),
        Lite(
            "SLICE",
            [Tensor((4, 8)), Tensor((2,), begin, "int32", 0), Tensor((2,), size, "int32", 0)],
            [Tensor((4, 6))],
            "SliceOptions",
        ),
    )
    for step in (2, -1):
        lite_ends = np.array([1, 8, 8 if step > 0 else 0, 4])
        numbers = [np.array([0, 0, 0 if step > 0 else 7, 0]), lite_ends, np.array([1, 1, step, 1])]
        mask = 0b1111 if step > 0 else 0b1011
        limits = (0, 8) if step > 0 else (7, -9)
        width = 4 if step > 0 else 8
        yield Pair(
            _onnx(f"Slice step {step}", "Slice", [shape, _ints(limits[0]), _ints(limits[1]), _ints(3), _ints(step)]),
            Lite(
                "STRIDED_SLICE",
                [image, *(Tensor((4,), number, "int32", 0) for number in numbers)],
                [Tensor((1, 8, width, 4))],
                "StridedSliceOptions",
                {"BeginMask": mask, "EndMask": 0b1111},
            ),
        )
    for axis in (0, 1):
        picked = (2, 8) if axis == 0 else (6, 2)
        yield Pair(
            _onnx(f"Gather axis {axis}", "Gather", [(6, 8), _ints(0, 3)], axis=axis),
            Lite(
                "GATHER",
                [Tensor((6, 8)), Tensor((2,), np.array([0, 3]), "int32", 0)],
                [Tensor(picked)],
                "GatherOptions",
                {"Axis": axis},
            ),
        )
    for op_type, operator, rearranged in (
        ("DepthToSpace", "DEPTH_TO_SPACE", (1, 16, 16, 1)),
        ("SpaceToDepth", "SPACE_TO_DEPTH", (1, 4, 4, 16)),
    ):
        yield Pair(
            _onnx(op_type, op_type, [shape], blocksize=2),
            Lite(operator, [image], [Tensor(rearranged)], f"{op_type}Options", {"BlockSize": 2}),
        )


def _reductions() -> Iterator[Pair]:
    shape = (1, 4, 8, 8)
    kinds = {
        "ReduceMean": "MEAN",
        "ReduceMax": "REDUCE_MAX",
        "ReduceMin": "REDUCE_MIN",
        "ReduceSum": "SUM",
        "ReduceProd": "REDUCE_PROD",
    }
    for op_type, operator in kinds.items():
        for axes, lite_axes in (((2, 3), (1, 2)), ((1,), (3,)), ((3,), (2,))):
            result = tuple(1 if axis in lite_axes else size for axis, size in enumerate(_last(shape)))
            inputs = [Tensor(_last(shape)), Tensor((len(lite_axes),), np.array(lite_axes), "int32", 0)]
            yield Pair(
                _onnx(f"{op_type} axes {axes}", op_type, [shape, _ints(*axes)], keepdims=1),
                Lite(operator, inputs, [Tensor(result)], "ReducerOptions", {"KeepDims": 1}),
            )
    for given, axis in (((4, 8), -1), ((1, 8, 8, 4), -1), ((4, 8), 0)):
        if axis == -1:
            yield Pair(
                _onnx(f"Softmax of {given}", "Softmax", [given], axis=axis),
                Lite("SOFTMAX", [Tensor(given)], [Tensor(given)], "SoftmaxOptions", {"Beta": 1.0}),
            )


def _resizes() -> Iterator[Pair]:
    shape = (1, 4, 8, 8)
    modes = {
        "linear": ("RESIZE_BILINEAR", "ResizeBilinearOptions"),
        "nearest": ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions"),
    }
    for mode, (operator, options) in modes.items():
        for factor in (2, 3, 4, 8, 16):
            for half in (False, True):
                scales = np.array([1, 1, factor, factor], np.float32)
                coordinates = "half_pixel" if half else "asymmetric"
                case = _onnx(
                    f"Resize {mode} {factor} {coordinates}",
                    "Resize",
                    [shape, None, scales],
                    mode=mode,
                    coordinate_transformation_mode=coordinates,
                    nearest_mode="floor",
                )
                size = 8 * factor
                inputs = [Tensor(_last(shape)), Tensor((2,), np.array([size, size]), "int32", 0)]
                yield Pair(
                    case, Lite(operator, inputs, [Tensor((1, size, size, 4))], options, {"HalfPixelCenters": int(half)})
                )


def _products() -> Iterator[Pair]:
    for batch in (1, 2, 16):
        weights = _ones(8, 5)
        bias = np.zeros(5, np.int32)
        inputs = [Tensor((batch, 8)), Tensor((5, 8), weights.T), Tensor((5,), bias, "int32", SCALE * SCALE)]
        yield Pair(
            _onnx(f"Gemm batch {batch}", "Gemm", [(batch, 8), weights, bias]),
            Lite("FULLY_CONNECTED", inputs, [Tensor((batch, 5))], "FullyConnectedOptions"),
        )
    for left, right in (((4, 8), (8, 5)), ((2, 4, 8), (2, 8, 5)), ((1, 2, 4, 8), (1, 2, 8, 5))):
        result = Tensor((*left[:-1], right[-1]))
        yield Pair(
            _onnx(f"MatMul {left} {right}", "MatMul", [left, right]),
            Lite("BATCH_MATMUL", [Tensor(left), Tensor(right)], [result], "BatchMatMulOptions"),
        )
    data = (1, 4, 8, 8)
    for axis, lite_axis in ((1, 3), (2, 1)):
        kept = tuple(size for position, size in enumerate(_last(data)) if position != lite_axis)
        case = _argmax(f"ArgMax axis {axis}", data, axis)
        inputs = [Tensor(_last(data)), Tensor((), np.array(lite_axis), "int32", 0)]
        yield Pair(case, Lite("ARG_MAX", inputs, [Tensor(kept, None, "int32", 0)], "ArgMaxOptions", {"OutputType": 2}))


def _argmax(name: str, shape: Shape, axis: int) -> Case:
    """ArgMax, whose result is an index and needs no QuantizeLinear."""
    case = _onnx(name, "ArgMax", [shape], axis=axis, keepdims=0)
    graph = case.model.graph
    del graph.node[-1]
    graph.node[-1].output[0] = "y0"
    graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    return case
