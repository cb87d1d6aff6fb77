"""Regions of images; which elements they read depends on data, so that is read on the host."""

from typing import Any

import torch

from dovetail.gpu.registry import Arguments, Kernel, Node, operator


def _samples(start: Any, end: Any, bins: int, asked: int, half: bool) -> Any:
    """Coordinates of (bins, samples) along one axis."""
    length = end - start if half else max(end - start, 1.0)
    count = asked or max(1, -int(-length // bins))
    size = length / bins
    inner = (torch.arange(count, dtype=torch.float32) + 0.5) * (size / count)
    return start + torch.arange(bins, dtype=torch.float32).unsqueeze(1) * size + inner


def _corners(at: Any, length: int) -> tuple[Any, Any]:
    """Places of the two elements next to each coordinate, and their weights; nothing far outside."""
    inside = (at >= -1) & (at <= length)
    at = at.clamp(0, length - 1)
    low = torch.floor(at)
    share = at - low
    weights = torch.stack([1 - share, share], -1) * inside.unsqueeze(-1)
    return torch.stack([low, (low + 1).clamp(max=length - 1)], -1).to(torch.int64), weights


def _average(x: Any, down: Any, right: Any) -> Any:
    """Sums of rows and of columns as two products of matrices."""

    def shares(corners: Any, length: int) -> Any:
        places, weights = corners
        matrix = torch.zeros((places.shape[0], length), dtype=torch.float32)
        matrix.scatter_add_(1, places.flatten(1), weights.flatten(1) / places.shape[1])
        return matrix.to(x.device, x.dtype)

    return shares(down, x.shape[1]) @ x @ shares(right, x.shape[2]).t()


def _most(x: Any, down: Any, right: Any) -> Any:
    """The largest of all corners, each with its weight."""
    (rows, tall), (columns, wide) = (
        (places.to(x.device), weights.to(x.device, x.dtype)) for places, weights in (down, right)
    )
    values = x[:, rows.flatten()][:, :, columns.flatten()].reshape(-1, *rows.shape, *columns.shape)
    weights = tall[..., None, None, None] * wide
    return (values * weights).amax((2, 3, 5, 6))


@operator("RoiAlign", host=[1, 2], eager=True)
def roi_align(node: Node) -> Kernel:
    """Samples of each bin, their mean or maximum."""
    default = "half_pixel" if node.version >= 16 else "output_half_pixel"
    half = node.attribute("coordinate_transformation_mode", default) == "half_pixel"
    bins = node.attribute("output_height", 1), node.attribute("output_width", 1)
    asked, scale = node.attribute("sampling_ratio", 0), node.attribute("spatial_scale", 1.0)
    pool = _most if node.attribute("mode", "avg") == "max" else _average

    def kernel(values: Arguments) -> tuple[Any]:
        x = values[0]
        results = [x.new_zeros((0, x.shape[1], *bins))]
        for corners, image in zip(values[1].tolist(), values[2].tolist(), strict=True):
            left, top, end, bottom = (each * scale - (0.5 if half else 0.0) for each in corners)
            down = _corners(_samples(top, bottom, bins[0], asked, half), x.shape[2])
            right = _corners(_samples(left, end, bins[1], asked, half), x.shape[3])
            results.append(pool(x[image], down, right).unsqueeze(0))
        return (torch.cat(results),)

    return kernel


def _sides(boxes: Any, by_center: bool) -> Any:
    """Two corners of each box, the lower one first."""
    if by_center:
        middle, half = boxes[:, :2], boxes[:, 2:] / 2
        return torch.cat([middle - half, middle + half], 1)
    return torch.cat([torch.minimum(boxes[:, :2], boxes[:, 2:]), torch.maximum(boxes[:, :2], boxes[:, 2:])], 1)


def _overlaps(box: Any, others: Any) -> Any:
    """The share of the union that is common to a box and each other."""
    low, high = torch.maximum(box[:2], others[:, :2]), torch.minimum(box[2:], others[:, 2:])
    common = (high - low).clamp(min=0).prod(1)
    areas = (others[:, 2:] - others[:, :2]).prod(1)
    whole = (box[2:] - box[:2]).prod() + areas - common
    return torch.where(common > 0, common / whole, torch.zeros_like(common))


def _survivors(boxes: Any, rated: Any, most: int, overlap: float, least: float) -> list[int]:
    order = torch.argsort(rated, descending=True, stable=True)
    waiting = order[rated[order] > least]
    kept: list[int] = []
    while len(waiting) and len(kept) < most:
        kept.append(int(waiting[0]))
        rest = waiting[1:]
        waiting = rest[_overlaps(boxes[waiting[0]], boxes[rest]) <= overlap]
    return kept


@operator("NonMaxSuppression", host=[0, 1, 2, 3, 4], eager=True)
def non_max_suppression(node: Node) -> Kernel:
    """On the host: each choice depends on the one before it."""
    by_center = bool(node.attribute("center_point_box", 0))

    def kernel(values: Arguments) -> tuple[Any]:
        boxes, rated = values[0], values[1]
        most, overlap, least = (
            values[index].item() if node.has(index) else default
            for index, default in ((2, 0), (3, 0.0), (4, float("-inf")))
        )
        found = [
            [image, kind, place]
            for image in range(boxes.shape[0])
            for kind in range(rated.shape[1])
            for place in _survivors(_sides(boxes[image], by_center), rated[image, kind], int(most), overlap, least)
        ]
        return (torch.tensor(found, dtype=torch.int64).reshape(-1, 3).to(node.device),)

    return kernel
