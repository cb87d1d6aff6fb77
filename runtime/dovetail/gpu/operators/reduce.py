"""Reductions, and operators along one axis."""

from collections.abc import Callable
from typing import Any, Final

import torch

from dovetail.gpu.registry import Arguments, Kernel, Node, numbers, operator


def _product(x: Any, axes: list[int], keep: bool) -> Any:
    for axis in sorted((each % max(x.dim(), 1) for each in axes), reverse=True):
        x = torch.prod(x, dim=axis, keepdim=keep, dtype=x.dtype)
    return x


def _sum(x: Any, axes: list[int], keep: bool) -> Any:
    return torch.sum(x, dim=axes, keepdim=keep, dtype=x.dtype)


def _mean(x: Any, axes: list[int], keep: bool) -> Any:
    if x.is_floating_point():
        return torch.mean(x, dim=axes, keepdim=keep)
    total = _sum(x, axes, keep)
    return torch.div(total, x.numel() // max(total.numel(), 1), rounding_mode="trunc")


def _extreme(function: Callable[..., Any], highest: bool) -> Callable[[Any, list[int], bool], Any]:
    def reduce(x: Any, axes: list[int], keep: bool) -> Any:
        if x.numel() == 0:
            # torch refuses to reduce nothing; ONNX gives the bound that every element would pass
            info = torch.finfo(x.dtype) if x.is_floating_point() else torch.iinfo(x.dtype)
            infinite = float("-inf" if highest else "inf")
            bound = infinite if x.is_floating_point() else (info.min if highest else info.max)
            return torch.full_like(_sum(x, axes, keep), bound)
        return function(x, dim=axes, keepdim=keep)

    return reduce


_REDUCE: Final[dict[str, Callable[[Any, list[int], bool], Any]]] = {
    "ReduceL1": lambda x, axes, keep: _sum(torch.abs(x), axes, keep),
    "ReduceL2": lambda x, axes, keep: torch.sqrt(_sum(x * x, axes, keep)).to(x.dtype),
    "ReduceLogSum": lambda x, axes, keep: torch.log(_sum(x, axes, keep)),
    "ReduceLogSumExp": lambda x, axes, keep: torch.logsumexp(x, dim=axes, keepdim=keep),
    "ReduceMax": _extreme(torch.amax, True),
    "ReduceMean": _mean,
    "ReduceMin": _extreme(torch.amin, False),
    "ReduceProd": _product,
    "ReduceSum": _sum,
    "ReduceSumSquare": lambda x, axes, keep: _sum(x * x, axes, keep),
}


@operator(*_REDUCE, host=[1])
def reduction(node: Node) -> Kernel:
    """Axes are an attribute, or in newer opsets an input; none of them means all, or nothing where the node says so."""
    function, keep = _REDUCE[node.op_type], bool(node.attribute("keepdims", 1))
    fixed, nothing = node.attribute("axes"), node.attribute("noop_with_empty_axes", 0)

    def kernel(values: Arguments) -> tuple[Any]:
        x = values[0]
        axes = numbers(values, 1) or fixed
        if not axes:
            # without axes the operator still squares, or takes the logarithm of, each element by itself
            axes = list(range(x.dim()))
            if nothing:
                return (function(x.unsqueeze(0), [0], False),)
        if not axes:
            return (function(x.unsqueeze(0), [0], False),)
        return (function(x, axes, keep),)

    return kernel


@operator("ArgMax", "ArgMin")
def arg_extreme(node: Node) -> Kernel:
    """The first place of the largest or smallest element, or the last."""
    axis, keep = node.attribute("axis", 0), bool(node.attribute("keepdims", 1))
    last = node.attribute("select_last_index", 0)
    function = torch.argmax if node.op_type == "ArgMax" else torch.argmin

    def kernel(values: Arguments) -> tuple[Any]:
        x = values[0]
        if last:
            return (x.shape[axis] - 1 - function(torch.flip(x, [axis]), dim=axis, keepdim=keep),)
        return (function(x, dim=axis, keepdim=keep),)

    return kernel


@operator("Softmax", "LogSoftmax")
def softmax(node: Node) -> Kernel:
    """Over one axis; before opset 13 over all axes from that one on."""
    function = torch.softmax if node.op_type == "Softmax" else torch.log_softmax
    old = node.version < 13
    axis = node.attribute("axis", 1 if old else -1)

    def kernel(values: Arguments) -> tuple[Any]:
        x = values[0]
        if not old:
            return (function(x, dim=axis),)
        flat = x.flatten(axis % x.dim()) if axis != x.dim() else x.unsqueeze(-1)
        return (function(flat, dim=-1).reshape(x.shape),)

    return kernel


@operator("CumSum", host=[1])
def cumulative_sum(node: Node) -> Kernel:
    """Sums of all elements up to each, in either direction, with or without itself."""
    exclusive, backwards = node.attribute("exclusive", 0), node.attribute("reverse", 0)

    def kernel(values: Arguments) -> tuple[Any]:
        x, axis = values[0], int(values[1].item())
        x = torch.flip(x, [axis]) if backwards else x
        result = torch.cumsum(x, dim=axis, dtype=x.dtype)
        result = result - x if exclusive else result
        return (torch.flip(result, [axis]) if backwards else result,)

    return kernel


@operator("TopK", host=[1])
def top(node: Node) -> Kernel:
    """The largest or smallest elements; of equal ones the first, which torch's own topk does not promise."""
    axis, largest = node.attribute("axis", -1), bool(node.attribute("largest", 1))

    def kernel(values: Arguments) -> tuple[Any, Any]:
        count = int(values[1].item())
        found, places = torch.sort(values[0], dim=axis, descending=largest, stable=True)
        return found.narrow(axis, 0, count), places.narrow(axis, 0, count)

    return kernel


@operator("BiasSoftmax", domain="com.microsoft")
def bias_softmax(node: Node) -> Kernel:
    """A softmax of a sum, over all axes from one on."""
    axis = node.attribute("axis", 1)

    def kernel(values: Arguments) -> tuple[Any]:
        total = values[0] + values[1]
        return (torch.softmax(total.flatten(axis % total.dim()), -1).reshape(total.shape),)

    return kernel
