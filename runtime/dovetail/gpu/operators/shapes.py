"""Operators that move elements and compute none."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import torch

from dovetail.gpu.operators.elementwise import element_type
from dovetail.gpu.registry import Arguments, Kernel, Node, numbers, operator

_broadcast: Any = torch.broadcast_shapes


def _vector(lengths: Sequence[int], device: Any) -> Any:
    """Filled by kernels: a copy from the host can't be a part of a graph of CUDA."""
    filled = [torch.full((), length, dtype=torch.int64, device=device) for length in lengths]
    return torch.stack(filled) if filled else torch.empty(0, dtype=torch.int64, device=device)


@operator("Shape")
def shape(node: Node) -> Kernel:
    """Known without waiting for the device."""
    first, last = node.attribute("start", 0), node.attribute("end")
    return lambda values: (_vector(list(values[0].shape)[first:last], node.device),)


@operator("Size")
def size(node: Node) -> Kernel:
    """Known without waiting for the device."""
    return lambda values: (torch.full((), values[0].numel(), dtype=torch.int64, device=node.device),)


@operator("Reshape", host=[1])
def reshape(node: Node) -> Kernel:
    """0 keeps a dimension, unless the node wants it to be zero."""
    zeros = node.attribute("allowzero", 0)

    def kernel(values: Arguments) -> tuple[Any]:
        x = values[0]
        wanted = numbers(values, 1) or []
        if not zeros:
            wanted = [x.shape[axis] if length == 0 else length for axis, length in enumerate(wanted)]
        if -1 in wanted and x.numel() == 0:
            rest = int(np.prod([length for length in wanted if length != -1]))
            wanted = [(0 if rest else 1) if length == -1 else length for length in wanted]
        return (x.reshape(wanted),)

    return kernel


@operator("Flatten")
def flatten(node: Node) -> Kernel:
    """To a matrix."""
    axis = node.attribute("axis", 1)

    def kernel(values: Arguments) -> tuple[Any]:
        x = values[0]
        at = axis + x.dim() if axis < 0 else axis
        return (x.reshape(int(np.prod(x.shape[:at])), int(np.prod(x.shape[at:]))),)

    return kernel


@operator("Squeeze", host=[1])
def squeeze(node: Node) -> Kernel:
    """Without some dimensions of 1, or all of them."""
    fixed = node.attribute("axes")

    def kernel(values: Arguments) -> tuple[Any]:
        axes = numbers(values, 1) if node.has(1) else fixed
        return (values[0].squeeze() if axes is None else values[0].squeeze(tuple(axes)) if axes else values[0],)

    return kernel


@operator("Unsqueeze", host=[1])
def unsqueeze(node: Node) -> Kernel:
    """With new dimensions of 1, counted in the result."""
    fixed = node.attribute("axes")

    def kernel(values: Arguments) -> tuple[Any]:
        x = values[0]
        axes = (numbers(values, 1) if node.has(1) else fixed) or []
        for axis in sorted(each % (x.dim() + len(axes)) for each in axes):
            x = x.unsqueeze(axis)
        return (x,)

    return kernel


@operator("Transpose")
def transpose(node: Node) -> Kernel:
    """Axes in another order, the reverse where none is given."""
    order = node.attribute("perm")
    return lambda values: (values[0].permute(order or list(range(values[0].dim()))[::-1]),)


@operator("Concat")
def concat(node: Node) -> Kernel:
    """One after the other along an axis."""
    axis = node.attribute("axis")
    return lambda values: (torch.cat(list(values), dim=axis),)


@operator("Split", host=[1])
def split(node: Node) -> Kernel:
    """Lengths are given, or all equal with the last one shorter."""
    axis, fixed, count = node.attribute("axis", 0), node.attribute("split"), len(node.outputs)

    def kernel(values: Arguments) -> Any:
        x = values[0]
        lengths = numbers(values, 1) if node.has(1) else fixed
        if lengths is None:
            each, total = -(-x.shape[axis] // count), x.shape[axis]
            lengths = [max(0, min(each, total - each * index)) for index in range(count)]
        return torch.split(x, lengths, dim=axis)

    return kernel


@operator("Expand", host=[1])
def expand(node: Node) -> Kernel:
    """Broadcast with a shape, in both directions."""
    return lambda values: (values[0].expand(_broadcast(values[0].shape, numbers(values, 1) or [])),)


@operator("Tile", host=[1])
def tile(node: Node) -> Kernel:
    """Copies along each axis."""
    return lambda values: (values[0].repeat(numbers(values, 1) or []),)


def _slice_axis(x: Any, axis: int, bounds: slice) -> Any:
    picked = range(x.shape[axis])[bounds]
    if not picked:
        return x.narrow(axis, 0, 0)
    low, high = min(picked[0], picked[-1]), max(picked[0], picked[-1])
    # torch's slices know no negative steps
    kept = x[(slice(None),) * axis + (slice(low, high + 1, abs(picked.step)),)]
    return kept if picked.step > 0 else torch.flip(kept, [axis])


_NO_END: Final = (2**31 - 1, 2**63 - 1)


def _slice(x: Any, starts: list[int], ends: list[int], axes: list[int] | None, steps: list[int] | None) -> Any:
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axis = (axes[index] if axes is not None else index) % x.dim()
        step = steps[index] if steps is not None else 1
        length = x.shape[axis]
        # an end before the first element is none in Python; as ONNX Runtime has it, so is the highest number backwards
        goal = end + length if end < 0 else end
        stop = None if step < 0 and (end in _NO_END or goal < 0) else max(goal, 0)
        x = _slice_axis(x, axis, slice(max(start + length if start < 0 else start, 0), stop, step))
    return x


@operator("Slice", host=[1, 2, 3, 4])
def slices(node: Node) -> Kernel:
    """Bounds are attributes before opset 10, and inputs since."""
    starts, ends, axes = (node.attribute(name) for name in ("starts", "ends", "axes"))

    def kernel(values: Arguments) -> tuple[Any]:
        if starts is not None:
            return (_slice(values[0], starts, ends, axes, None),)
        return (
            _slice(
                values[0], numbers(values, 1) or [], numbers(values, 2) or [], numbers(values, 3), numbers(values, 4)
            ),
        )

    return kernel


def _filled(x: Any, before: list[int], after: list[int], value: Any) -> Any:
    shape = [length + left + right for length, left, right in zip(x.shape, before, after, strict=True)]
    result = torch.full([max(length, 0) for length in shape], value, dtype=x.dtype, device=x.device)
    source = tuple(slice(max(0, -left), n - max(0, -r)) for n, left, r in zip(x.shape, before, after, strict=True))
    goal = tuple(slice(max(0, left), n - max(0, right)) for n, left, right in zip(shape, before, after, strict=True))
    result[goal] = x[source]
    return result


def _mirrored(at: Any, length: int) -> Any:
    period = max(1, 2 * (length - 1))
    at = torch.remainder(at, period)
    return torch.minimum(at, period - at)


_SOURCES: Final[dict[str, Callable[[Any, int], Any]]] = {
    "edge": lambda at, length: at.clamp(0, length - 1),
    "reflect": _mirrored,
    "wrap": torch.remainder,
}
"""Mode -> which element stands at a place outside."""


def _picked(x: Any, before: list[int], after: list[int], mode: str) -> Any:
    for axis, (left, right) in enumerate(zip(before, after, strict=True)):
        if left or right:
            # what is cut off takes no part in the filling
            x = x.narrow(axis, max(0, -left), x.shape[axis] - max(0, -left) - max(0, -right))
            at = torch.arange(-max(0, left), x.shape[axis] + max(0, right), device=x.device)
            x = x.index_select(axis, _SOURCES[mode](at, x.shape[axis]))
    return x


@operator("Pad", host=[1, 2, 3])
def pad(node: Node) -> Kernel:
    """Lengths are attributes before opset 11, and inputs since; negative ones cut off."""
    mode, fixed, constant = node.attribute("mode", "constant"), node.attribute("pads"), node.attribute("value", 0.0)

    def kernel(values: Arguments) -> tuple[Any]:
        x = values[0]
        lengths = fixed if fixed is not None else numbers(values, 1) or []
        axes = numbers(values, 3) or list(range(x.dim()))
        before, after = [0] * x.dim(), [0] * x.dim()
        for index, axis in enumerate(axes):
            before[axis], after[axis] = lengths[index], lengths[index + len(axes)]
        if mode != "constant":
            return (_picked(x, before, after, mode),)
        return (_filled(x, before, after, values[2].item() if node.has(2) else constant),)

    return kernel


@operator("DepthToSpace")
def depth_to_space(node: Node) -> Kernel:
    """Channels to blocks."""
    block, columns_first = node.attribute("blocksize"), node.attribute("mode", "DCR") == "CRD"

    def kernel(values: Arguments) -> tuple[Any]:
        n, c, h, w = values[0].shape
        rest = c // (block * block)
        if columns_first:
            x = values[0].reshape(n, rest, block, block, h, w).permute(0, 1, 4, 2, 5, 3)
        else:
            x = values[0].reshape(n, block, block, rest, h, w).permute(0, 3, 4, 1, 5, 2)
        return (x.reshape(n, rest, h * block, w * block),)

    return kernel


@operator("SpaceToDepth")
def space_to_depth(node: Node) -> Kernel:
    """Blocks to channels."""
    block, columns_first = node.attribute("blocksize"), node.attribute("mode", "DCR") == "CRD"

    def kernel(values: Arguments) -> tuple[Any]:
        n, c, h, w = values[0].shape
        x = values[0].reshape(n, c, h // block, block, w // block, block)
        x = x.permute(0, 1, 3, 5, 2, 4) if columns_first else x.permute(0, 3, 5, 1, 2, 4)
        return (x.reshape(n, c * block * block, h // block, w // block),)

    return kernel


@operator("Trilu", host=[1])
def triangle(node: Node) -> Kernel:
    """The upper or lower part of matrices."""
    function = torch.triu if node.attribute("upper", 1) else torch.tril
    return lambda values: (function(values[0], int(values[1].item()) if node.has(1) else 0),)


@operator("ConstantOfShape", host=[0])
def constant_of_shape(node: Node) -> Kernel:
    """Of zeros in float32 where the node says nothing else."""
    given = torch.from_numpy(np.array(node.attribute("value", np.zeros(1, np.float32)))).reshape(())
    value, kind = given.item(), given.dtype
    return lambda values: (torch.full(numbers(values, 0) or [], value, dtype=kind, device=node.device),)


@operator("Range", host=[0, 1, 2])
def number_range(node: Node) -> Kernel:
    """Each number by a product, so that errors don't add up."""

    def kernel(values: Arguments) -> tuple[Any]:
        start, limit, step = (value.item() for value in values[:3])
        count = max(0, math.ceil((limit - start) / step))
        kind = values[0].dtype
        steps = torch.arange(count, dtype=torch.float64 if kind.is_floating_point else kind, device=node.device)
        return ((start + steps * step).to(kind),)

    return kernel


@operator("EyeLike")
def eye_like(node: Node) -> Kernel:
    """Ones on one diagonal."""
    above, number = node.attribute("k", 0), node.attribute("dtype")

    def kernel(values: Arguments) -> tuple[Any]:
        rows, columns = values[0].shape
        kind = element_type(number) if number else values[0].dtype
        places = torch.arange(columns, device=node.device) - torch.arange(rows, device=node.device).unsqueeze(1)
        return ((places == above).to(kind),)

    return kernel
