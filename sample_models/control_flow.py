"""A CNN that refines its features in a Loop until they settle, then chooses a branch by If.

Both depend on the picture: the Loop stops once the mean step is below a tolerance, the If compares the mean
of the result with a threshold. Subgraphs use values and weights of the graph around them.
"""

import numpy as np
import onnx
from builder import GraphBuilder, serialize
from onnx import TensorProto

INPUT_SHAPE = (1, 3, 32, 32)
CHANNELS, CLASSES = 16, 10
FEATURES_SHAPE = (1, CHANNELS, 32, 32)
MAX_STEPS = 16
TOLERANCE = 0.01
THRESHOLD = 0.25


def model() -> bytes:
    g = GraphBuilder("control_flow")
    x = g.input("image", INPUT_SHAPE)
    x = g.relu(g.conv(x, "encoder.conv1", (3, CHANNELS)), "encoder.relu1")
    features = g.relu(g.conv(x, "encoder.conv2", (CHANNELS, CHANNELS)), "encoder.relu2")
    refined, steps = _refine(g, g.conv(x, "encoder.estimate", (CHANNELS, CHANNELS), kernel=1), features)
    x = _branch(g, refined)
    x = g.relu(g.conv(x, "head.conv", (CHANNELS, 2 * CHANNELS), stride=2), "head.relu")
    x = g.node("Flatten", [g.node("GlobalAveragePool", [x], "head.pool")], "head.flatten")
    g.output(g.linear(x, "head.linear", (2 * CHANNELS, CLASSES)), "logits", (1, CLASSES))
    g.output(steps, "steps", (), TensorProto.INT64)
    return serialize(
        g.model("Loop and If with conditions that depend on data", {"weights": "random, seeded by tensor name"})
    )


def _refine(g: GraphBuilder, start: str, features: str) -> tuple[str, str]:
    """Moves the estimate towards the features; gives the last estimate and the number of steps."""
    identity = np.zeros((CHANNELS, CHANNELS, 3, 3), np.float32)
    identity[range(CHANNELS), range(CHANNELS), 1, 1] = 0.5
    step_weight = g.constant("refine.step.weight", identity)
    tolerance = g.constant("refine.tolerance", np.float32(TOLERANCE))
    gap = g.node("Sub", [features, start], "refine.gap")
    unsettled = _mean_exceeds(g, g.node("Abs", [gap], "refine.gap.abs"), "refine.unsettled", tolerance)
    limit = g.constant("refine.max_steps", np.int64(MAX_STEPS))
    zero = g.constant("refine.zero", np.int64(0))
    refined, steps = g.nodes(
        "Loop",
        [limit, unsettled, start, zero],
        "refine.loop",
        2,
        body=_step(features, step_weight, tolerance),
    )
    return g.declare(refined, FEATURES_SHAPE), steps


def _step(features: str, weight: str, tolerance: str) -> onnx.GraphProto:
    g = GraphBuilder("refine.body")
    g.input("refine.iteration", (), TensorProto.INT64)
    g.input("refine.condition", (), TensorProto.BOOL)
    estimate = g.input("refine.estimate", FEATURES_SHAPE)
    count = g.input("refine.count", (), TensorProto.INT64)
    error = g.node("Sub", [features, estimate], "refine.error")
    step = g.node("Conv", [error, weight], "refine.step", kernel_shape=[3, 3], pads=[1] * 4)
    moved = g.node("Add", [estimate, step], "refine.move")
    one = g.constant("refine.one", np.int64(1))
    counted = g.node("Add", [count, one], "refine.count.add")
    going = _mean_exceeds(g, g.node("Abs", [step], "refine.step.abs"), "refine.going", tolerance)
    g.output(going, "refine.condition.next", (), TensorProto.BOOL)
    g.output(moved, "refine.estimate.next", FEATURES_SHAPE)
    g.output(counted, "refine.count.next", (), TensorProto.INT64)
    return g.graph()


def _branch(g: GraphBuilder, x: str) -> str:
    """A convolution where the features are strong, a smoothing where they are weak."""
    threshold = g.constant("gate.threshold", np.float32(THRESHOLD))
    strong = _mean_exceeds(g, x, "gate.strong", threshold)
    sharpen = GraphBuilder("gate.sharpen")
    y = sharpen.relu(sharpen.conv(x, "gate.sharpen.conv", (CHANNELS, CHANNELS)), "gate.sharpen.relu")
    sharpen.output(y, "gate.sharpened", FEATURES_SHAPE)
    smooth = GraphBuilder("gate.smooth")
    y = smooth.node("AveragePool", [x], "gate.smooth.pool", kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4)
    smooth.output(y, "gate.smoothed", FEATURES_SHAPE)
    return g.node("If", [strong], "gate.if", then_branch=sharpen.graph(), else_branch=smooth.graph())


def _mean_exceeds(g: GraphBuilder, x: str, name: str, limit: str) -> str:
    mean = g.node("ReduceMean", [x], f"{name}.mean", keepdims=0)
    return g.node("Greater", [mean, limit], name)
