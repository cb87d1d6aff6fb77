"""Gathering and scattering."""

from collections.abc import Callable
from typing import Any, Final

import torch

from dovetail.gpu.registry import Arguments, Kernel, Node, operator


def _wrapped(indices: Any, length: int) -> Any:
    indices = indices.to(torch.int64)
    return torch.where(indices < 0, indices + length, indices)


@operator("Gather")
def gather(node: Node) -> Kernel:
    """Whole slices along an axis."""
    axis = node.attribute("axis", 0)

    def kernel(values: Arguments) -> tuple[Any]:
        x, indices = values[0], values[1]
        at = axis % x.dim()
        picked = x.index_select(at, _wrapped(indices, x.shape[at]).reshape(-1))
        return (picked.reshape(x.shape[:at] + indices.shape + x.shape[at + 1 :]),)

    return kernel


@operator("GatherElements")
def gather_elements(node: Node) -> Kernel:
    """Single elements along an axis."""
    axis = node.attribute("axis", 0)

    def kernel(values: Arguments) -> tuple[Any]:
        x, indices = values
        return (torch.gather(x, axis, _wrapped(indices, x.shape[axis])),)

    return kernel


def _places(indices: Any, shape: Any) -> tuple[Any, ...]:
    return tuple(_wrapped(indices[..., axis], shape[axis]) for axis in range(indices.shape[-1]))


@operator("GatherND")
def gather_nd(node: Node) -> Kernel:
    """Slices by whole coordinates, after some dimensions that both tensors share."""
    shared = node.attribute("batch_dims", 0)

    def kernel(values: Arguments) -> tuple[Any]:
        x, indices = values
        batch = x.shape[:shared]
        rows = x.reshape(-1, *x.shape[shared:])
        points = indices.reshape(-1, *indices.shape[shared:])
        row = torch.arange(rows.shape[0], device=x.device).reshape([-1] + [1] * (points.dim() - 2))
        found = rows[(row, *_places(points, rows.shape[1:]))]
        return (found.reshape(*batch, *indices.shape[shared:-1], *x.shape[shared + indices.shape[-1] :]),)

    return kernel


_REDUCTIONS: Final = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


@operator("Scatter", "ScatterElements")
def scatter_elements(node: Node) -> Kernel:
    """Single elements along an axis, in a copy."""
    axis, reduction = node.attribute("axis", 0), node.attribute("reduction", "none")

    def kernel(values: Arguments) -> tuple[Any]:
        x, indices, updates = values
        at = _wrapped(indices, x.shape[axis])
        if reduction == "none":
            return (torch.scatter(x, axis, at, updates),)
        return (torch.scatter_reduce(x, axis, at, updates, _REDUCTIONS[reduction], include_self=True),)

    return kernel


@operator("ScatterND")
def scatter_nd(node: Node) -> Kernel:
    """Slices by coordinates, in a copy."""
    reduction = node.attribute("reduction", "none")

    def kernel(values: Arguments) -> tuple[Any]:
        x, indices, updates = values
        width = indices.shape[-1]
        rows = x.reshape(x.shape[:width].numel(), -1).clone()
        at = torch.zeros(indices.shape[:-1], dtype=torch.int64, device=x.device)
        for place, length in zip(_places(indices, x.shape), x.shape, strict=False):
            at = at * length + place
        new = updates.reshape(at.numel(), -1)
        if reduction == "none":
            rows[at.reshape(-1)] = new
        else:
            spread = at.reshape(-1, 1).expand_as(new)
            rows.scatter_reduce_(0, spread, new, _REDUCTIONS[reduction], include_self=True)
        return (rows.reshape(x.shape),)

    return kernel


@operator("OneHot", host=[1])
def one_hot(node: Node) -> Kernel:
    """A new axis with one value at the index and another elsewhere; an index that is out of range has none."""
    axis = node.attribute("axis", -1)

    def kernel(values: Arguments) -> tuple[Any]:
        indices, depth, both = values[0], int(values[1].reshape(()).item()), values[2]
        at = axis % (indices.dim() + 1)
        shape = [1] * (indices.dim() + 1)
        shape[at] = depth
        found = _wrapped(indices, depth).unsqueeze(at) == torch.arange(depth, device=indices.device).reshape(shape)
        return (torch.where(found, both[1], both[0]),)

    return kernel


@operator("ReverseSequence")
def reverse_sequence(node: Node) -> Kernel:
    """The first elements of each sequence backwards."""
    batch, time = node.attribute("batch_axis", 1), node.attribute("time_axis", 0)

    def kernel(values: Arguments) -> tuple[Any]:
        x, lengths = values[0].movedim((batch, time), (0, 1)), values[1].unsqueeze(1)
        steps = torch.arange(x.shape[1], device=x.device).unsqueeze(0)
        places = torch.where(steps < lengths, lengths - 1 - steps, steps)
        rows = torch.arange(x.shape[0], device=x.device).unsqueeze(1)
        return (x[rows, places].movedim((0, 1), (batch, time)),)

    return kernel


_GRID_MODES: Final = {"linear": "bilinear", "cubic": "bicubic"}


@operator("GridSample")
def grid_sample(node: Node) -> Kernel:
    """Pixels between pixels."""
    mode, padding = node.attribute("mode", "bilinear"), node.attribute("padding_mode", "zeros")
    corners = bool(node.attribute("align_corners", 0))
    function: Callable[..., Any] = torch.nn.functional.grid_sample

    def kernel(values: Arguments) -> tuple[Any]:
        return (function(*values, mode=_GRID_MODES.get(mode, mode), padding_mode=padding, align_corners=corners),)

    return kernel
