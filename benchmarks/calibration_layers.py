"""Layers of convolutional networks with shapes drawn at random, int8 with Q/DQ nodes, side by side in one model."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_SCALE: Final = 0.05
_SIZES: Final = (7, 10, 14, 20, 28, 40, 56, 80, 112)
_CHANNELS: Final = (8, 16, 24, 32, 48, 64, 96, 128, 160, 192, 256, 320, 512)
_LARGEST_IMAGE: Final = 1 << 20
"""Bytes of an activation."""
_LARGEST_MACS: Final = 400e6


class _Layers:
    """A model that grows by one layer at a time, each with inputs and outputs of its own."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self.keep("scale", np.float32(_SCALE))
        self.keep("zero", np.int8(0))
        self.keep("bias_scale", np.float32(_SCALE * _SCALE))
        self.keep("bias_zero", np.int32(0))

    def keep(self, name: str, array: np.generic | np.ndarray) -> str:
        self.constants[name] = numpy_helper.from_array(np.asarray(array), name)
        return name

    def draw(self, values: Sequence[int]) -> int:
        return int(self.random.choice(np.asarray(values)))

    def node(self, op_type: str, inputs: Sequence[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(op_type, list(inputs), [output], name=output, **attributes))
        return output

    def activation(self, name: str, shape: Sequence[int]) -> str:
        """An int8 input of the model, dequantized."""
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.INT8, list(shape)))
        return self.node("DequantizeLinear", [name, "scale", "zero"], f"{name}_float")

    def weights(self, name: str, shape: Sequence[int]) -> str:
        """Int8 weights as training leaves them, normally distributed, dequantized."""
        values = np.clip(np.round(self.random.normal(0, 24, shape)), -127, 127).astype(np.int8)
        return self.node("DequantizeLinear", [self.keep(name, values), "scale", "zero"], f"{name}_float")

    def bias(self, name: str, size: int) -> str:
        values = self.random.integers(-500, 500, size, dtype=np.int32)
        return self.node("DequantizeLinear", [self.keep(name, values), "bias_scale", "bias_zero"], f"{name}_float")

    def result(self, value: str, shape: Sequence[int]) -> None:
        output = self.node("QuantizeLinear", [value, "scale", "zero"], f"{value}_int8")
        self.outputs.append(helper.make_tensor_value_info(output, TensorProto.INT8, list(shape)))

    def model(self) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, "layers", self.inputs, self.outputs, list(self.constants.values()))
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def layers_model(count: int, seed: int, only_convolutions: bool = False) -> onnx.ModelProto:
    """A model of `count` layers that do not depend on each other; the same for the same seed."""
    layers = _Layers(seed)
    makers = _CONVOLUTIONS if only_convolutions else _MAKERS
    for number in range(count):
        makers[number % len(makers)](layers, f"layer{number:03d}")
    return layers.model()


def _image(layers: _Layers, scale: int = 1) -> tuple[int, int]:
    """Channels and size of an image that is not too large."""
    while True:
        channels, size = layers.draw(_CHANNELS), layers.draw(_SIZES)
        if channels * size * size * scale <= _LARGEST_IMAGE:
            return channels, size


def _conv(layers: _Layers, name: str, kernels: Sequence[int], grouped: bool = False) -> None:
    while True:
        channels, size = _image(layers)
        outputs = channels if grouped else layers.draw(_CHANNELS)
        kernel, stride = layers.draw(kernels), layers.draw((1, 1, 2))
        place = (size + 2 * (kernel // 2) - kernel) // stride + 1
        macs = outputs * place * place * kernel * kernel * (1 if grouped else channels)
        if outputs * place * place <= _LARGEST_IMAGE and macs <= _LARGEST_MACS:
            break
    source = layers.activation(f"{name}_x", (1, channels, size, size))
    weights = layers.weights(f"{name}_w", (outputs, 1 if grouped else channels, kernel, kernel))
    given = [source, weights, layers.bias(f"{name}_b", outputs)]
    group = channels if grouped else 1
    layers.node("Conv", given, name, strides=[stride] * 2, pads=[kernel // 2] * 4, group=group)
    layers.result(name, (1, outputs, place, place))


def _pointwise(layers: _Layers, name: str) -> None:
    _conv(layers, name, (1,))


def _window(layers: _Layers, name: str) -> None:
    _conv(layers, name, (3, 3, 3, 5, 7))


def _depthwise(layers: _Layers, name: str) -> None:
    _conv(layers, name, (3, 3, 5, 7), grouped=True)


def _stem(layers: _Layers, name: str) -> None:
    """The first convolution of a network: an image of three channels."""
    size, outputs = layers.draw((96, 112, 128, 160, 192, 224)), layers.draw((16, 24, 32, 48, 64))
    kernel = layers.draw((3, 5, 7))
    place = (size + 2 * (kernel // 2) - kernel) // 2 + 1
    source = layers.activation(f"{name}_x", (1, 3, size, size))
    given = [source, layers.weights(f"{name}_w", (outputs, 3, kernel, kernel)), layers.bias(f"{name}_b", outputs)]
    layers.node("Conv", given, name, strides=[2, 2], pads=[kernel // 2] * 4)
    layers.result(name, (1, outputs, place, place))


def _gemm(layers: _Layers, name: str) -> None:
    inputs, outputs = layers.draw((64, 128, 256, 512, 1024, 2048)), layers.draw((10, 64, 100, 256, 512, 1000))
    source = layers.activation(f"{name}_x", (1, inputs))
    given = [source, layers.weights(f"{name}_w", (outputs, inputs)), layers.bias(f"{name}_b", outputs)]
    layers.node("Gemm", given, name, transB=1)
    layers.result(name, (1, outputs))


def _pool(layers: _Layers, name: str) -> None:
    channels, size = _image(layers)
    kernel = layers.draw((2, 3))
    op_type = ("MaxPool", "AveragePool")[layers.draw((0, 1))]
    place = (size - kernel) // 2 + 1
    source = layers.activation(f"{name}_x", (1, channels, size, size))
    layers.node(op_type, [source], name, kernel_shape=[kernel] * 2, strides=[2, 2])
    layers.result(name, (1, channels, place, place))


def _binary(layers: _Layers, name: str) -> None:
    channels, size = _image(layers, 2)
    shape = (1, channels, size, size)
    given = [layers.activation(f"{name}_{side}", shape) for side in "xy"]
    layers.node(("Add", "Mul")[layers.draw((0, 1))], given, name)
    layers.result(name, shape)


_CONVOLUTIONS: Final[tuple[Callable[[_Layers, str], None], ...]] = (_pointwise, _window, _depthwise, _window, _stem)
_MAKERS: Final = (_pointwise, _window, _depthwise, _window, _stem, _pointwise, _gemm, _pool, _binary, _depthwise)
