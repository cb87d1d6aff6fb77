"""Convolutions and pooling."""

from collections.abc import Sequence
from typing import Any, Final

import torch
from torch.nn import functional

from dovetail.gpu.operators.linear import FUSED_ACTIVATIONS
from dovetail.gpu.registry import Arguments, Kernel, Node, operator

_CONV: Final = (None, functional.conv1d, functional.conv2d, functional.conv3d)
_CONV_TRANSPOSE: Final = (None, functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)
_AVERAGE: Final = (None, functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)
_MAX: Final = (None, functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)
_REDUCED: Final = {torch.int8, torch.uint8}


def _windows(node: Node, rank: int) -> tuple[list[int], list[int]]:
    return node.attribute("strides") or [1] * rank, node.attribute("dilations") or [1] * rank


def _padding(
    node: Node, lengths: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> list[tuple[int, int]]:
    """Before and after each spatial axis."""
    how, rank = node.attribute("auto_pad", "NOTSET"), len(lengths)
    if how == "VALID":
        return [(0, 0)] * rank
    if how == "NOTSET":
        pads = node.attribute("pads") or [0] * (2 * rank)
        return list(zip(pads[:rank], pads[rank:], strict=True))
    pairs = []
    for length, size, stride, dilation in zip(lengths, kernel, strides, dilations, strict=True):
        total = max(0, (-(-length // stride) - 1) * stride + (size - 1) * dilation + 1 - length)
        less = total // 2
        pairs.append((less, total - less) if how == "SAME_UPPER" else (total - less, less))
    return pairs


def _flat(pairs: Sequence[tuple[int, int]]) -> list[int]:
    """As torch wants them: the last axis first."""
    return [length for pair in reversed(pairs) for length in pair]


def _convolve(node: Node, x: Any, weight: Any, bias: Any) -> Any:
    rank = x.dim() - 2
    strides, dilations = _windows(node, rank)
    pads = _padding(node, x.shape[2:], weight.shape[2:], strides, dilations)
    within = [before for before, _ in pads]
    if any(before != after for before, after in pads):
        x, within = functional.pad(x, _flat(pads)), [0] * rank
    function: Any = _CONV[rank]
    return function(x, weight, bias, strides, within, dilations, node.attribute("group", 1))


@operator("Conv")
def conv(node: Node) -> Kernel:
    """Of 1 to 3 spatial axes."""
    return lambda values: (_convolve(node, values[0], values[1], values[2] if node.has(2) else None),)


@operator("NhwcConv", domain="com.microsoft")
def nhwc_conv(node: Node) -> Kernel:
    """With channels last, in the weights as well; torch keeps that layout in memory."""

    def kernel(values: Arguments) -> tuple[Any]:
        x, weight = (value.movedim(-1, 1) for value in values[:2])
        return (_convolve(node, x, weight, values[2] if node.has(2) else None).movedim(1, -1),)

    return kernel


@operator("ConvInteger")
def conv_integer(node: Node) -> Kernel:
    """Summed in float64, which holds each sum of products of bytes exactly."""

    def kernel(values: Arguments) -> tuple[Any]:
        x, weight = values[0].double(), values[1].double()
        x = x - values[2] if node.has(2) else x
        if node.has(3):
            weight = weight - values[3].reshape([-1] + [1] * (weight.dim() - 1))
        return (_convolve(node, x, weight, None).to(torch.int32),)

    return kernel


@operator("FusedConv", domain="com.microsoft")
def fused_conv(node: Node) -> Kernel:
    """A convolution, a tensor to add, an activation."""
    name, numbers = node.attribute("activation", ""), node.attribute("activation_params") or []

    def kernel(values: Arguments) -> tuple[Any]:
        y = _convolve(node, values[0], values[1], values[2] if node.has(2) else None)
        y = y + values[3] if node.has(3) else y
        function: Any = FUSED_ACTIVATIONS.get(name)
        return (function(y, *numbers) if function else y,)

    return kernel


def _output_padding(node: Node, x: Any, weight: Any) -> tuple[list[tuple[int, int]], list[int]]:
    rank = x.dim() - 2
    strides, dilations = _windows(node, rank)
    extra = node.attribute("output_padding") or [0] * rank
    wanted = node.attribute("output_shape")
    how = node.attribute("auto_pad", "NOTSET")
    if how == "NOTSET" and not wanted:
        return _padding(node, x.shape[2:], weight.shape[2:], strides, dilations), extra
    pairs, extra = [], list(extra)
    for axis in range(rank):
        reach = (weight.shape[2 + axis] - 1) * dilations[axis] + 1
        full = strides[axis] * (x.shape[2 + axis] - 1) + extra[axis] + reach
        goal = wanted[-rank:][axis] if wanted else full if how == "VALID" else x.shape[2 + axis] * strides[axis]
        total = max(0, full - goal)
        if wanted:
            extra[axis] += max(0, goal - full)
        less = total // 2
        pairs.append((less, total - less) if how == "SAME_UPPER" else (total - less, less))
    return pairs, extra


@operator("ConvTranspose")
def conv_transpose(node: Node) -> Kernel:
    """The whole result is computed and cut, for torch takes no padding that differs between the sides."""

    def kernel(values: Arguments) -> tuple[Any]:
        x, weight = values[0], values[1]
        rank = x.dim() - 2
        strides, dilations = _windows(node, rank)
        pairs, extra = _output_padding(node, x, weight)
        function: Any = _CONV_TRANSPOSE[rank]
        y = function(x, weight, None, strides, 0, 0, node.attribute("group", 1), dilations)
        cut = [(-before, -after + more) for (before, after), more in zip(pairs, extra, strict=True)]
        y = functional.pad(y, _flat(cut)) if any(pair != (0, 0) for pair in cut) else y
        return (y + values[2].reshape([1, -1] + [1] * rank) if node.has(2) else y,)

    return kernel


def _ceiling(
    node: Node, x: Any, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], pads: Any
) -> list[tuple[int, int]]:
    """The padding with what ceil_mode adds after each axis; a window that would start in it is left out."""
    pairs = []
    for axis, (before, after) in enumerate(pads):
        length, stride = x.shape[2 + axis], strides[axis]
        reach = length + before + after - (kernel[axis] - 1) * dilations[axis] - 1
        count = -(-reach // stride) + 1
        if (count - 1) * stride >= length + before:
            count -= 1
        more = (count - 1) * stride - reach
        pairs.append((before, after + max(0, more)))
    return pairs


@operator("MaxPool")
def max_pool(node: Node) -> Kernel:
    """Padded with the least value, so that any padding is taken."""
    sizes = node.attribute("kernel_shape")

    def kernel(values: Arguments) -> tuple[Any]:
        x = values[0]
        rank = x.dim() - 2
        strides, dilations = _windows(node, rank)
        pads = _padding(node, x.shape[2:], sizes, strides, dilations)
        pads = _ceiling(node, x, sizes, strides, dilations, pads) if node.attribute("ceil_mode", 0) else pads
        whole = x.dtype in _REDUCED
        wide = x.to(torch.float32) if whole else x
        wide = functional.pad(wide, _flat(pads), value=float("-inf")) if any(map(any, pads)) else wide
        function: Any = _MAX[rank]
        return (function(wide, sizes, strides, 0, dilations).to(x.dtype),)

    return kernel


def _average(x: Any, sizes: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> Any:
    """Sums of windows, by their elements one after another where they are dilated."""
    rank = len(sizes)
    if all(dilation == 1 for dilation in dilations):
        function: Any = _AVERAGE[rank]
        return function(x, sizes, strides)
    for axis, (size, stride, dilation) in enumerate(zip(sizes, strides, dilations, strict=True)):
        x = x.unfold(2 + axis, (size - 1) * dilation + 1, stride)[..., ::dilation].mean(-1)
    return x


@operator("AveragePool")
def average_pool(node: Node) -> Kernel:
    """Each sum is divided by the elements of the window that count."""
    sizes, inclusive = node.attribute("kernel_shape"), node.attribute("count_include_pad", 0)

    def kernel(values: Arguments) -> tuple[Any]:
        x = values[0]
        strides, dilations = _windows(node, x.dim() - 2)
        pads = _padding(node, x.shape[2:], sizes, strides, dilations)
        full = _ceiling(node, x, sizes, strides, dilations, pads) if node.attribute("ceil_mode", 0) else pads
        if not any(map(any, full)):
            return (_average(x, sizes, strides, dilations),)
        ones = torch.ones((1, 1, *x.shape[2:]), dtype=x.dtype, device=x.device)
        counted = functional.pad(ones, _flat(pads), value=1.0 if inclusive else 0.0)
        rest = [(0, more - after) for (_, more), (_, after) in zip(full, pads, strict=True)]
        shares = _average(functional.pad(counted, _flat(rest)), sizes, strides, dilations)
        return (_average(functional.pad(x, _flat(full)), sizes, strides, dilations) / shares,)

    return kernel


@operator("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def global_pool(node: Node) -> Kernel:
    """Over all spatial axes."""
    power = node.attribute("p", 2)

    def kernel(values: Arguments) -> tuple[Any]:
        x = values[0]
        axes = list(range(2, x.dim()))
        if node.op_type == "GlobalLpPool":
            return (torch.linalg.vector_norm(x, ord=power, dim=axes, keepdim=True),)
        return (torch.mean(x, axes, True) if node.op_type == "GlobalAveragePool" else torch.amax(x, axes, True),)

    return kernel
