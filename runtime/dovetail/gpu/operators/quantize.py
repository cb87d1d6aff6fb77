"""Quantized numbers, computed in floats; sums of products of bytes in float64, which holds each of them exactly."""

from typing import Any

import torch

from dovetail.gpu.operators.elementwise import element_type
from dovetail.gpu.registry import Arguments, Kernel, Node, operator


def _along(x: Any, parameter: Any, axis: int, block: int) -> Any:
    """A scale or zero point of the whole, of one axis or of blocks along it, shaped for broadcasting."""
    if block:
        return parameter.repeat_interleave(block, dim=axis).narrow(axis, 0, x.shape[axis])
    if parameter.numel() == 1:
        return parameter.reshape(())
    shape = [1] * x.dim()
    shape[axis] = -1
    return parameter.reshape(shape)


@operator("QuantizeLinear")
def quantize(node: Node) -> Kernel:
    """Halves to the even number; what is out of range to the bound."""
    axis, block = node.attribute("axis", 1), node.attribute("block_size", 0)
    given, precision = node.attribute("output_dtype", 0), node.attribute("precision", 0)

    def kernel(values: Arguments) -> tuple[Any]:
        x, scale = values[0], _along(values[0], values[1], axis, block)
        # the quotient has the type of the scale since opset 23; ONNX Runtime's is float32 before
        kind = element_type(precision) if precision else scale.dtype if node.version >= 23 else torch.float32
        y = torch.round(x.to(kind) / scale.to(kind)).to(torch.float32)
        y = y + _along(x, values[2], axis, block) if node.has(2) else y
        steps = values[2].dtype if node.has(2) else element_type(given or 2)
        info = torch.iinfo(steps)
        return (torch.clamp(y, info.min, info.max).to(steps),)

    return kernel


@operator("DequantizeLinear")
def dequantize(node: Node) -> Kernel:
    """(x - zero point) scale."""
    axis, block = node.attribute("axis", 1), node.attribute("block_size", 0)
    number = node.attribute("output_dtype", 0)

    def kernel(values: Arguments) -> tuple[Any]:
        x, scale = values[0].to(torch.float32), values[1]
        x = x - _along(x, values[2].to(torch.float32), axis, block) if node.has(2) else x
        return ((x * _along(x, scale, axis, block)).to(element_type(number) if number else scale.dtype),)

    return kernel


def _shifted(x: Any, zero: Any, axis: int) -> Any:
    """Less the zero point: one, or one for each row or column."""
    if zero is None:
        return x.double()
    return x.double() - (zero if zero.dim() < 1 else zero.unsqueeze(axis) if zero.numel() > 1 else zero.reshape(()))


@operator("MatMulInteger")
def matmul_integer(node: Node) -> Kernel:
    """A product of bytes; the result is int32."""

    def kernel(values: Arguments) -> tuple[Any]:
        a = _shifted(values[0], values[2] if node.has(2) else None, -1)
        b = _shifted(values[1], values[3] if node.has(3) else None, -2)
        return (torch.matmul(a, b).to(torch.int32),)

    return kernel


@operator("DynamicQuantizeMatMul", domain="com.microsoft")
def dynamic_quantize_matmul(node: Node) -> Kernel:
    """The first factor is quantized to the range that it has."""

    def kernel(values: Arguments) -> tuple[Any]:
        a = values[0]
        low, high = a.amin().clamp(max=0), a.amax().clamp(min=0)
        scale = (high - low) / 255
        zero = torch.round((-low / scale).clamp(0, 255))
        steps = (torch.round(a / scale) + zero).clamp(0, 255) - zero
        b = _shifted(values[1], values[3] if node.has(3) else None, -2)
        y = torch.matmul(steps.double(), b).to(a.dtype) * (scale * values[2])
        return (y + values[4] if node.has(4) else y,)

    return kernel


def _unpacked(packed: Any, bits: int, count: int) -> Any:
    """Numbers of some bits out of the bytes of the last axis, the lowest bits first."""
    if bits == 8:
        return packed[..., :count].to(torch.int32)
    shifts = torch.arange(0, 8, bits, device=packed.device, dtype=torch.int32)
    parts = (packed.to(torch.int32).unsqueeze(-1) >> shifts) & ((1 << bits) - 1)
    return parts.flatten(-2)[..., :count]


@operator("MatMulNBits", domain="com.microsoft")
def matmul_of_bits(node: Node) -> Kernel:
    """With weights of 2, 4 or 8 bits, a scale for each block of them, or for the columns that input 4 groups."""
    rows, columns = node.attribute("N"), node.attribute("K")
    bits, block = node.attribute("bits", 4), node.attribute("block_size")
    blocks = -(-columns // block)

    def zeros(values: Arguments, groups: Any) -> Any:
        if not node.has(3):
            return 1 << (bits - 1)
        if values[3].is_floating_point():
            return values[3].reshape(rows, blocks)[:, groups]
        return _unpacked(values[3].reshape(rows, -1), bits, blocks)[:, groups]

    def kernel(values: Arguments) -> tuple[Any]:
        a = values[0]
        groups = values[4].long() if node.has(4) else torch.arange(columns, device=a.device) // block
        groups = groups[:columns]
        steps = _unpacked(values[1], bits, block).reshape(rows, -1)[:, :columns]
        weight = (steps - zeros(values, groups)) * values[2].reshape(rows, blocks)[:, groups]
        y = torch.matmul(a, weight.t().to(a.dtype))
        return (y + values[5] if node.has(5) else y,)

    return kernel
