"""Images of other sizes, one axis after another; the coordinates are computed on the host as ONNX writes them."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch

from dovetail.gpu.registry import Arguments, Kernel, Node, numbers, operator

_ROUNDINGS: Final[dict[str, Callable[[Any], Any]]] = {
    "round_prefer_floor": lambda at: np.ceil(at - 0.5),
    "round_prefer_ceil": lambda at: np.floor(at + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _coordinates(how: str, length: int, goal: int, scale: float) -> Any:
    at = np.arange(goal, dtype=np.float64)
    if how == "align_corners":
        return at * (length - 1) / (goal - 1) if goal > 1 else at
    if how == "asymmetric":
        return at / scale
    if how == "pytorch_half_pixel" and goal == 1:
        return at
    return (at + 0.5) / scale - 0.5


def _goals(node: Node, values: Arguments) -> list[tuple[int, int, float]]:
    """Axis, its new length, and the scale."""
    shape = values[0].shape
    axes = node.attribute("axes") or list(range(len(shape)))
    if node.has(3):
        sizes = numbers(values, 3) or []
        return [(axis, size, size / shape[axis]) for axis, size in zip(axes, sizes, strict=True)]
    scales = [float(scale) for scale in values[2].tolist()]
    return [(axis, int(shape[axis] * scale), scale) for axis, scale in zip(axes, scales, strict=True)]


@operator("Resize", host=[1, 2, 3])
def resize(node: Node) -> Kernel:
    """To the nearest element, or between two of each axis."""
    how = node.attribute("coordinate_transformation_mode", "half_pixel")
    linear = node.attribute("mode", "nearest") == "linear"
    rounding = _ROUNDINGS[node.attribute("nearest_mode", "round_prefer_floor")]

    def along(x: Any, axis: int, goal: int, scale: float) -> Any:
        length = x.shape[axis]
        at = _coordinates(how, length, goal, scale)
        first = np.clip(np.floor(at) if linear else rounding(at), 0, length - 1).astype(np.int64)
        low = x.index_select(axis, torch.from_numpy(first).to(x.device))
        if not linear:
            return low
        second = torch.from_numpy(np.minimum(first + 1, length - 1)).to(x.device)
        shape = [-1] + [1] * (x.dim() - 1 - axis % x.dim())
        share = torch.from_numpy(np.clip(at - first, 0, 1)).to(x.device, x.dtype).reshape(shape)
        return torch.lerp(low, x.index_select(axis, second), share.expand_as(low))

    def kernel(values: Arguments) -> tuple[Any]:
        x = values[0]
        for axis, goal, scale in _goals(node, values):
            if scale != 1.0 or goal != x.shape[axis]:
                x = along(x, axis, goal, scale)
        return (x,)

    return kernel
