"""Images of other sizes."""

from typing import Any

from torch.nn import functional

from dovetail.gpu.registry import Arguments, Kernel, Node, numbers, operator


def _sizes(node: Node, values: Arguments) -> list[int]:
    if node.op_type == "Resize" and node.has(3):
        return numbers(values, 3) or []
    at = 2 if node.op_type == "Resize" and node.version >= 11 else 1
    scales = [float(each) for each in values[at].tolist()]
    return [int(length * scale) for length, scale in zip(values[0].shape, scales, strict=True)]


@operator("Resize", "Upsample", host=[1, 2, 3])
def resize(node: Node) -> Kernel:
    """The forms that torch's interpolation computes; the claims name them."""
    linear = node.attribute("mode", "nearest") == "linear"
    corners = node.attribute("coordinate_transformation_mode", "") == "align_corners"

    def kernel(values: Arguments) -> tuple[Any]:
        x, goal = values[0], _sizes(node, values)
        if not linear:
            return (functional.interpolate(x, size=goal[2:], mode="nearest"),)
        mode = ("linear", "bilinear", "trilinear")[x.dim() - 3]
        return (functional.interpolate(x, size=goal[2:], mode=mode, align_corners=corners),)

    return kernel
