"""MobileNetV2 (Sandler et al., 2018), narrow and at 96x96, in fp32 and quantized; random weights."""

import numpy as np
import onnx
from builder import LINEAR_GAIN, GraphBuilder, finish, serialize
from quantization import quantize

INPUT_SHAPE = (1, 3, 96, 96)
CLASSES = 100
WIDTH = 0.25
LAST_CHANNELS = 320
# expansion, channels at width 1, blocks, stride of the first: table 2 of the paper
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def float_model() -> bytes:
    return serialize(_float_model())


def quantized_model() -> bytes:
    return _quantized_model("uint8 activations", symmetric=False)


def symmetric_model() -> bytes:
    return _quantized_model("int8 activations around zero", symmetric=True)


def _quantized_model(activations: str, symmetric: bool) -> bytes:
    samples = [{"image": image} for image in _images(16)]
    return serialize(
        finish(
            quantize(_float_model(), samples, symmetric=symmetric),
            f"mobilenet_v2 quantized: {activations}, int8 weights per channel",
            {"weights": "random, seeded by tensor name", "calibration": "16 random images in [-1, 1)"},
        )
    )


def _float_model() -> onnx.ModelProto:
    g = GraphBuilder("mobilenet_v2")
    channels = _scaled(32)
    x = g.input("image", INPUT_SHAPE)
    x = g.relu6(g.conv(x, "features.0.conv", (3, channels), stride=2), "features.0.relu6")
    index = 1
    for expansion, width, blocks, first_stride in STAGES:
        for block in range(blocks):
            stride = first_stride if block == 0 else 1
            x = _inverted_residual(g, x, f"features.{index}", (channels, _scaled(width)), expansion, stride)
            channels = _scaled(width)
            index += 1
    x = g.conv(x, f"features.{index}.conv", (channels, LAST_CHANNELS), kernel=1)
    x = g.relu6(x, f"features.{index}.relu6")
    x = g.node("GlobalAveragePool", [x], "classifier.pool")
    x = g.node("Flatten", [x], "classifier.flatten")
    x = g.linear(x, "classifier.linear", (LAST_CHANNELS, CLASSES))
    g.output(x, "logits", (1, CLASSES))
    return g.model(
        f"MobileNetV2 at width {WIDTH} and 96x96, batch norms folded",
        {"weights": "random, seeded by tensor name"},
    )


def _inverted_residual(
    g: GraphBuilder, x: str, name: str, channels: tuple[int, int], expansion: int, stride: int
) -> str:
    c_in, c_out = channels
    hidden = c_in * expansion
    y = x
    if expansion != 1:
        y = g.relu6(g.conv(y, f"{name}.expand.conv", (c_in, hidden), kernel=1), f"{name}.expand.relu6")
    y = g.conv(y, f"{name}.depthwise.conv", (hidden, hidden), stride=stride, groups=hidden)
    y = g.relu6(y, f"{name}.depthwise.relu6")
    y = g.conv(y, f"{name}.project.conv", (hidden, c_out), kernel=1, gain=LINEAR_GAIN)
    return g.node("Add", [x, y], f"{name}.add") if stride == 1 and c_in == c_out else y


def _scaled(channels: int) -> int:
    """The width multiplier, rounded to a multiple of 8 as in the paper's own code."""
    return max(8, int(channels * WIDTH + 4) // 8 * 8)


def _images(count: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (count, *INPUT_SHAPE)).astype(np.float32)
