"""An SSD-style detector (Liu et al., 2016) with its post-processing in the graph; random weights.

Batch norms are left unfolded and the number of detections depends on the picture, as in the models that
exporters write.
"""

import itertools

import numpy as np
from builder import LINEAR_GAIN, GraphBuilder, serialize
from onnx import TensorProto

INPUT_SIZE = 96
CLASSES = 4  # without the background, which is class 0 of the scores
CHANNELS = 64
GRIDS = (12, 6, 3)
ANCHOR_SHAPES = ((1.0, 1.0), (1.4, 0.7), (0.7, 1.4))  # height, width, in units of the grid's scale
ANCHOR_SCALES = (0.15, 0.35, 0.65)  # of the picture's side, one for each grid
CENTER_VARIANCE, SIZE_VARIANCE = 0.1, 0.2
CANDIDATES = 100
MAX_PER_CLASS, MAX_DETECTIONS = 10, 20
IOU_THRESHOLD, SCORE_THRESHOLD = 0.45, 0.4


def model() -> bytes:
    g = GraphBuilder("ssd_detector")
    maps = _backbone(g, g.input("image", (1, 3, INPUT_SIZE, INPUT_SIZE)))
    locations = _head(g, maps, "box_head", 4, 0.3)
    logits = _head(g, maps, "class_head", CLASSES + 1, LINEAR_GAIN)
    scores = _slice(g, g.node("Softmax", [logits], "scores.softmax", axis=2), "scores.foreground", 1, CLASSES + 1)
    _suppress(g, _decode(g, locations), scores)
    return serialize(
        g.model(
            "SSD-style detector; boxes are y1, x1, y2, x2 in [0, 1]",
            {"weights": "random, seeded by tensor name"},
        )
    )


def _backbone(g: GraphBuilder, x: str) -> list[str]:
    """Feature maps of the sizes in GRIDS."""
    widths = (3, 16, 32, CHANNELS)
    for index, channels in enumerate(itertools.pairwise(widths)):
        x = _conv_bn_relu(g, x, f"backbone.{index}", channels, 2)
    maps = [x]
    for index in range(len(GRIDS) - 1):
        maps.append(_conv_bn_relu(g, maps[-1], f"extras.{index}", (CHANNELS, CHANNELS), 2))
    return maps


def _conv_bn_relu(g: GraphBuilder, x: str, name: str, channels: tuple[int, int], stride: int) -> str:
    x = g.conv(x, f"{name}.conv", channels, stride=stride, bias=False)
    return g.relu(g.batch_norm(x, f"{name}.bn", channels[1]), f"{name}.relu")


def _head(g: GraphBuilder, maps: list[str], name: str, width: int, gain: float) -> str:
    """One row of `width` values for each anchor: 1 x anchors x width."""
    rows = []
    for index, x in enumerate(maps):
        y = g.conv(x, f"{name}.{index}.conv", (CHANNELS, len(ANCHOR_SHAPES) * width), gain=gain)
        y = g.node("Transpose", [y], f"{name}.{index}.transpose", perm=(0, 2, 3, 1))
        shape = g.constant(f"{name}.shape", np.array([1, -1, width]))
        rows.append(g.node("Reshape", [y, shape], f"{name}.{index}.reshape"))
    return g.node("Concat", rows, f"{name}.concat", axis=1)


def _anchors() -> tuple[np.ndarray, np.ndarray]:
    """Centers and sizes (y, x) of all anchors, each anchors x 2, in the order of the heads' rows."""
    centers, sizes = [], []
    for grid, scale in zip(GRIDS, ANCHOR_SCALES, strict=True):
        for cell in np.ndindex(grid, grid):
            for shape in ANCHOR_SHAPES:
                centers.append([(position + 0.5) / grid for position in cell])
                sizes.append([scale * side for side in shape])
    return np.array(centers, np.float32), np.array(sizes, np.float32)


def _decode(g: GraphBuilder, locations: str) -> str:
    """Boxes as corners, 1 x anchors x 4: center + offset * size, size * exp(growth)."""
    center_values, size_values = _anchors()
    anchor_centers = g.constant("decode.anchor_centers", center_values[None])
    anchor_sizes = g.constant("decode.anchor_sizes", size_values[None])
    steps = g.constant("decode.anchor_steps", size_values[None] * np.float32(CENTER_VARIANCE))
    variance = g.constant("decode.size_variance", np.float32(SIZE_VARIANCE))
    shift = g.node("Mul", [_slice(g, locations, "decode.offset", 0, 2), steps], "decode.shift")
    center = g.node("Add", [shift, anchor_centers], "decode.center")
    growth = g.node("Mul", [_slice(g, locations, "decode.growth", 2, 4), variance], "decode.growth.scale")
    size = g.node("Mul", [g.node("Exp", [growth], "decode.exp"), anchor_sizes], "decode.size")
    half = g.node("Mul", [size, g.constant("decode.half", np.float32(0.5))], "decode.half_size")
    corners = [
        g.node(op, [center, half], f"decode.{name}") for op, name in (("Sub", "top_left"), ("Add", "bottom_right"))
    ]
    boxes = g.node("Concat", corners, "decode.corners", axis=2)
    bounds = [g.constant(f"decode.{name}", np.float32(value)) for name, value in (("min", 0), ("max", 1))]
    return g.node("Clip", [boxes, *bounds], "decode.clip")


def _suppress(g: GraphBuilder, boxes: str, scores: str) -> None:
    """Best candidates, non-maximum suppression by class, then the best of what is left, sorted."""
    best = g.node("ReduceMax", [scores], "candidates.best_class", axes=[2], keepdims=0)
    count = g.constant("candidates.count", np.array([CANDIDATES]))
    _, kept = g.nodes("TopK", [best, count], "candidates.topk", 2, axis=1)
    kept = g.node("Squeeze", [kept, g.constant("axis.0", np.array([0]))], "candidates.index")
    boxes = g.node("Gather", [boxes, kept], "candidates.boxes", axis=1)
    scores = g.node("Gather", [scores, kept], "candidates.scores", axis=1)
    scores = g.node("Transpose", [scores], "candidates.by_class", perm=(0, 2, 1))
    limits = [
        g.constant("nms.max_per_class", np.array([MAX_PER_CLASS])),
        g.constant("nms.iou_threshold", np.array([IOU_THRESHOLD], np.float32)),
        g.constant("nms.score_threshold", np.array([SCORE_THRESHOLD], np.float32)),
    ]
    selected = g.node("NonMaxSuppression", [boxes, scores, *limits], "nms")
    ranked, order = _rank(g, selected, g.node("GatherND", [scores, selected], "nms.scores"))
    box = g.node("Gather", [_column(g, selected, "nms.box_index", 2), order], "detections.box_index")
    boxes = g.node("Squeeze", [boxes, "axis.0"], "candidates.boxes.squeeze")
    g.output(g.node("Gather", [boxes, box], "detections.boxes"), "boxes", ("detections", 4))
    g.output(ranked, "scores", ("detections",))
    classes = g.node("Gather", [_column(g, selected, "nms.class_index", 1), order], "detections.classes")
    g.output(classes, "classes", ("detections",), TensorProto.INT64)


def _rank(g: GraphBuilder, selected: str, scores: str) -> tuple[str, str]:
    """The scores from high to low, at most MAX_DETECTIONS, and their positions."""
    found = _slice(g, g.node("Shape", [selected], "detections.shape"), "detections.found", 0, 1, axis=0)
    limit = g.constant("detections.max", np.array([MAX_DETECTIONS]))
    count = g.node("Min", [found, limit], "detections.count")
    ranked, order = g.nodes("TopK", [scores, count], "detections.topk", 2, axis=0)
    return ranked, order


def _column(g: GraphBuilder, selected: str, name: str, column: int) -> str:
    return g.node("Gather", [selected, g.constant(f"{name}.column", np.int64(column))], name, axis=1)


def _slice(g: GraphBuilder, x: str, name: str, start: int, end: int, axis: int = 2) -> str:
    edges = [g.constant(f"slice.{value}", np.array([value])) for value in (start, end, axis)]
    return g.node("Slice", [x, *edges], name)
