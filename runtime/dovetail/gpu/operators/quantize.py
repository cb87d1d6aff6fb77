"""Quantized numbers, computed in floats."""

from typing import Any

import torch

from dovetail.gpu.operators.elementwise import element_type
from dovetail.gpu.registry import Arguments, Kernel, Node, operator


def _along(x: Any, parameter: Any, axis: int) -> Any:
    """A scale or zero point of one axis, shaped for broadcasting."""
    if parameter.numel() == 1:
        return parameter.reshape(())
    shape = [1] * x.dim()
    shape[axis] = -1
    return parameter.reshape(shape)


@operator("QuantizeLinear")
def quantize(node: Node) -> Kernel:
    """Halves to the even number; what is out of range to the bound."""
    axis, given = node.attribute("axis", 1), node.attribute("output_dtype", 0)

    def kernel(values: Arguments) -> tuple[Any]:
        x = values[0]
        kind = values[2].dtype if node.has(2) else element_type(given or 2)
        y = torch.round(x / _along(x, values[1], axis)).to(torch.float32)
        y = y + _along(x, values[2], axis) if node.has(2) else y
        info = torch.iinfo(kind)
        return (torch.clamp(y, info.min, info.max).to(kind),)

    return kernel


@operator("DequantizeLinear")
def dequantize(node: Node) -> Kernel:
    """(x - zero point) scale."""
    axis = node.attribute("axis", 1)

    def kernel(values: Arguments) -> tuple[Any]:
        x, scale = values[0].to(torch.float32), values[1]
        x = x - _along(x, values[2].to(torch.float32), axis) if node.has(2) else x
        return ((x * _along(x, scale, axis)).to(scale.dtype),)

    return kernel
