"""Images of other sizes: along one axis after another, each new element is a sum of a few old ones.

Coordinates are float32, as in ONNX Runtime: with more bits, the nearest element would now and then be another.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch

from dovetail.gpu.registry import Arguments, Kernel, Node, numbers, operator

_ROUNDINGS: Final[dict[str, Callable[[Any], Any]]] = {
    "round_prefer_floor": lambda at: torch.ceil(at - 0.5),
    "round_prefer_ceil": lambda at: torch.floor(at + 0.5),
    "floor": torch.floor,
    "ceil": torch.ceil,
}


@dataclass(frozen=True, slots=True)
class _Axis:
    index: int
    length: int
    goal: int
    scale: float
    start: float = 0.0
    end: float = 1.0
    """The part that is read, for tf_crop_and_resize."""

    @property
    def is_same(self) -> bool:
        return self.goal == self.length and self.scale == 1.0


def _cropped(axis: _Axis, at: Any) -> Any:
    last = axis.length - 1
    if axis.goal == 1:
        return at + 0.5 * (axis.start + axis.end) * last
    return axis.start * last + at * ((axis.end - axis.start) * last / (axis.goal - 1))


def _symmetric(axis: _Axis, at: Any) -> Any:
    goal = np.float32(axis.scale) * np.float32(axis.length)
    shift = np.float32(axis.length / 2) * (1 - np.float32(axis.goal) / goal)
    return float(shift) + (at + 0.5) / axis.scale - 0.5


_COORDINATES: Final[dict[str, Callable[[_Axis, Any], Any]]] = {
    "align_corners": lambda axis, at: at * (axis.length - 1) / (axis.goal - 1) if axis.goal > 1 else at,
    "asymmetric": lambda axis, at: at / axis.scale,
    "half_pixel": lambda axis, at: (at + 0.5) / axis.scale - 0.5,
    "half_pixel_symmetric": _symmetric,
    "pytorch_half_pixel": lambda axis, at: (at + 0.5) / axis.scale - 0.5 if axis.goal > 1 else at,
    "tf_crop_and_resize": _cropped,
    "tf_half_pixel_for_nn": lambda axis, at: (at + 0.5) / axis.scale,
}


def _cubic_weights(share: Any, a: float) -> list[Any]:
    """Of the two elements before and the two behind, by Keys' kernel."""

    def near(x: Any) -> Any:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: Any) -> Any:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [far(share + 1), near(share), near(1 - share), far(2 - share)]


def _taps(node: Node, at: Any, length: int) -> tuple[list[Any], list[Any]]:
    """Which elements make a new one, and their weights; none for a mere copy."""
    mode = node.attribute("mode", "nearest")
    if mode == "nearest":
        rounding = _ROUNDINGS[node.attribute("nearest_mode", "round_prefer_floor")]
        return [rounding(at).clamp(0, length - 1).to(torch.int64)], []
    first = torch.floor(at)
    share = at - first
    if mode == "linear":
        offsets, weights = (0, 1), [1 - share, share]
    else:
        offsets, weights = (-1, 0, 1, 2), _cubic_weights(share, node.attribute("cubic_coeff_a", -0.75))  # type: ignore[assignment]
    places = [first + offset for offset in offsets]
    if node.attribute("exclude_outside", 0):
        weights = [torch.where((p < 0) | (p > length - 1), 0, w) for p, w in zip(places, weights, strict=True)]
        total = sum(weights)
        weights = [weight / total for weight in weights]
    return [place.clamp(0, length - 1).to(torch.int64) for place in places], weights


def _along(node: Node, x: Any, axis: _Axis, at: Any) -> Any:
    places, weights = _taps(node, at, axis.length)
    picked = [x.index_select(axis.index, place) for place in places]
    if not weights:
        return picked[0]
    shape = [-1] + [1] * (x.dim() - 1 - axis.index)
    return sum(part * weight.to(x.dtype).reshape(shape) for part, weight in zip(picked, weights, strict=True))


def _scaled(shape: Any, axes: list[int], scales: list[float]) -> list[_Axis]:
    lengths = [shape[axis] for axis in axes]
    return [
        _Axis(axis, length, int(np.float32(length) * np.float32(scale)), scale)
        for axis, length, scale in zip(axes, lengths, scales, strict=True)
    ]


def _sized(node: Node, shape: Any, axes: list[int], sizes: list[int]) -> list[_Axis]:
    scales = [float(np.float32(size) / np.float32(shape[axis])) for axis, size in zip(axes, sizes, strict=True)]
    policy = node.attribute("keep_aspect_ratio_policy", "stretch")
    if policy != "stretch":
        scale = min(scales) if policy == "not_larger" else max(scales)
        sizes, scales = [int(scale * shape[axis] + 0.5) for axis in axes], [scale] * len(axes)
    return [_Axis(axis, shape[axis], size, scale) for axis, size, scale in zip(axes, sizes, scales, strict=True)]


def _resized(node: Node, x: Any, axes: list[_Axis]) -> Any:
    how = node.attribute("coordinate_transformation_mode", "half_pixel")
    crops, outside = how == "tf_crop_and_resize", None
    for axis in axes:
        if axis.is_same and not crops:
            continue
        at = _COORDINATES[how](axis, torch.arange(axis.goal, device=x.device, dtype=torch.float32))
        x = _along(node, x, axis, at)
        beyond = ((at < 0) | (at > axis.length - 1)).reshape([-1] + [1] * (x.dim() - 1 - axis.index))
        outside = beyond if outside is None else outside | beyond
    if crops and outside is not None:
        x = x.masked_fill(outside, node.attribute("extrapolation_value", 0.0))
    return x


@operator("Resize", host=[1, 2, 3])
def resize(node: Node) -> Kernel:
    """By scales, or to sizes."""

    def kernel(values: Arguments) -> tuple[Any]:
        x = values[0]
        axes = [axis % x.dim() for axis in node.attribute("axes") or range(x.dim())]
        if node.has(3):
            goals = _sized(node, x.shape, axes, numbers(values, 3) or [])
        else:
            goals = _scaled(x.shape, axes, values[2].tolist())
        if node.attribute("coordinate_transformation_mode") == "tf_crop_and_resize":
            parts = values[1].tolist()
            ends = zip(goals, parts[: len(axes)], parts[len(axes) :], strict=True)
            goals = [_Axis(goal.index, goal.length, goal.goal, goal.scale, *part) for goal, *part in ends]
        return (_resized(node, x, goals),)

    return kernel


@operator("Upsample", host=[1])
def upsample(node: Node) -> Kernel:
    """What Resize was before opset 10; the scales are an attribute before 9."""
    settings = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    settings["mode"] = node.attribute("mode", "nearest")
    as_resize = Node("Resize", "", node.version, settings, node.inputs, node.outputs, node.device)
    fixed = node.attribute("scales")

    def kernel(values: Arguments) -> tuple[Any]:
        x = values[0]
        scales = values[1].tolist() if fixed is None else fixed
        return (_resized(as_resize, x, _scaled(x.shape, list(range(x.dim())), scales)),)

    return kernel
