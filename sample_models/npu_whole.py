"""A residual CNN that an NPU takes whole: every tensor has four dimensions, every limit is kept.

Flatten and Gemm are left out on purpose: some NPUs accept no tensor of rank 2, so the classifier is a 1x1
convolution and the logits are 1xCx1x1. Kernels stay <= 7, pools <= 8, concatenation is over channels.
"""

from builder import LINEAR_GAIN, GraphBuilder, serialize

INPUT_SHAPE = (1, 3, 64, 64)
CLASSES = 20


def model() -> bytes:
    g = GraphBuilder("npu_whole")
    x = g.input("image", INPUT_SHAPE)
    x = g.relu(g.conv(x, "stem.conv", (3, 24), kernel=7, stride=2), "stem.relu")
    x = g.pool("MaxPool", x, "stem.pool", 2, 2)
    x = _residual(g, x, "stage1.block0", 24)
    x = _residual(g, x, "stage1.block1", 24)
    x = g.relu(g.conv(x, "stage2.down.conv", (24, 48), stride=2), "stage2.down.relu")
    x = _residual(g, x, "stage2.block0", 48)
    x = _two_branches(g, x, "stage3", 48)
    x = g.pool("AveragePool", x, "head.pool", 8, 8)
    x = g.conv(x, "head.classifier", (64, CLASSES), kernel=1, gain=LINEAR_GAIN)
    g.output(x, "logits", (1, CLASSES, 1, 1))
    return serialize(
        g.model("Residual CNN inside the limits of common NPUs", {"weights": "random, seeded by tensor name"})
    )


def _residual(g: GraphBuilder, x: str, name: str, channels: int) -> str:
    y = g.relu(g.conv(x, f"{name}.conv1", (channels, channels)), f"{name}.relu1")
    y = g.conv(y, f"{name}.conv2", (channels, channels), gain=LINEAR_GAIN)
    return g.relu(g.node("Add", [x, y], f"{name}.add"), f"{name}.relu2")


def _two_branches(g: GraphBuilder, x: str, name: str, channels: int) -> str:
    """A 1x1 and a 3x3 branch of 32 channels each, side by side."""
    squeeze = g.relu(g.conv(x, f"{name}.branch1x1.conv", (channels, 32), kernel=1), f"{name}.branch1x1.relu")
    spatial = g.relu(g.conv(x, f"{name}.branch3x3.conv", (channels, 32)), f"{name}.branch3x3.relu")
    return g.node("Concat", [squeeze, spatial], f"{name}.concat", axis=1)
