"""Normalisations."""

from typing import Any

import torch
from torch.nn import functional

from dovetail.gpu.registry import Arguments, Kernel, Node, operator


@operator("BatchNormalization")
def batch_normalization(node: Node) -> Kernel:
    """For inference."""
    epsilon = node.attribute("epsilon", 1e-5)

    def kernel(values: Arguments) -> tuple[Any]:
        x, scale, bias, mean, variance = values
        return (functional.batch_norm(x, mean, variance, scale, bias, False, 0.0, epsilon),)

    return kernel


@operator("InstanceNormalization")
def instance_normalization(node: Node) -> Kernel:
    """Of each channel by itself."""
    epsilon = node.attribute("epsilon", 1e-5)

    def kernel(values: Arguments) -> tuple[Any]:
        x, scale, bias = values
        axes, shape = list(range(2, x.dim())), [1, -1] + [1] * (x.dim() - 2)
        variance, mean = torch.var_mean(x, dim=axes, correction=0, keepdim=True)
        return ((x - mean) * torch.rsqrt(variance + epsilon) * scale.reshape(shape) + bias.reshape(shape),)

    return kernel


@operator("GroupNormalization")
def group_normalization(node: Node) -> Kernel:
    """Of groups of channels; before opset 21 with a scale per group."""
    groups, epsilon = node.attribute("num_groups"), node.attribute("epsilon", 1e-5)

    def kernel(values: Arguments) -> tuple[Any]:
        x, scale, bias = values
        if node.version < 21:
            each = x.shape[1] // groups
            scale, bias = scale.repeat_interleave(each), bias.repeat_interleave(each)
        return (functional.group_norm(x, groups, scale, bias, epsilon),)

    return kernel


@operator("LayerNormalization")
def layer_normalization(node: Node) -> Kernel:
    """Over the axes from one on, computed in float32 as ONNX says; the mean and the deviation on demand."""
    axis, epsilon = node.attribute("axis", -1), node.attribute("epsilon", 1e-5)

    def kernel(values: Arguments) -> tuple[Any, ...]:
        x, scale = values[0], values[1]
        bias = values[2] if node.has(2) else None
        shape = x.shape[axis:] if axis < 0 else x.shape[axis % x.dim() :]
        if len(node.outputs) == 1 and scale.shape == shape and (bias is None or bias.shape == shape):
            return (functional.layer_norm(x, shape, scale, bias, epsilon),)
        wide = x.to(torch.float32) if x.dtype != torch.float64 else x
        axes = list(range(axis % x.dim(), x.dim()))
        variance, mean = torch.var_mean(wide, dim=axes, correction=0, keepdim=True)
        inverse = torch.rsqrt(variance + epsilon)
        y = ((wide - mean) * inverse).to(x.dtype) * scale
        return (y if bias is None else y + bias, mean, inverse)

    return kernel


def _rms(x: Any, scale: Any, axes: list[int], epsilon: float) -> Any:
    wide = x.to(torch.float32) if x.dtype != torch.float64 else x
    return (wide * torch.rsqrt((wide * wide).mean(axes, True) + epsilon)).to(x.dtype) * scale


@operator("RMSNormalization", "SimplifiedLayerNormalization")
def rms_normalization(node: Node) -> Kernel:
    """Without a mean."""
    axis, epsilon = node.attribute("axis", -1), node.attribute("epsilon", 1e-5)
    return lambda values: (_rms(values[0], values[1], list(range(axis % values[0].dim(), values[0].dim())), epsilon),)


@operator("SkipLayerNormalization", "SkipSimplifiedLayerNormalization", domain="com.microsoft")
def skip_normalization(node: Node) -> Kernel:
    """A sum, and its normalisation over the last axis; output 3 is the sum."""
    simple, epsilon = "Simplified" in node.op_type, node.attribute("epsilon", 1e-12)
    bias_at = 3 if simple else 4

    def kernel(values: Arguments) -> tuple[Any, ...]:
        total = values[0] + values[1]
        total = total + values[bias_at] if node.has(bias_at) else total
        if simple:
            return (_rms(total, values[2], [-1], epsilon), None, None, total)
        bias = values[3] if node.has(3) else None
        return (functional.layer_norm(total, total.shape[-1:], values[2], bias, epsilon), None, None, total)

    return kernel


@operator("LRN")
def local_response(node: Node) -> Kernel:
    """Over neighbouring channels."""
    size, alpha = node.attribute("size"), node.attribute("alpha", 1e-4)
    beta, bias = node.attribute("beta", 0.75), node.attribute("bias", 1.0)
    before = (size - 1) // 2

    def kernel(values: Arguments) -> tuple[Any]:
        x = values[0]
        pads = [0, 0] * (x.dim() - 2) + [before, size - 1 - before]
        squares = functional.pad(x * x, pads).unfold(1, size, 1).sum(-1)
        return (x / torch.pow(bias + alpha / size * squares, beta),)

    return kernel


@operator("LpNormalization")
def lp_normalization(node: Node) -> Kernel:
    """A vector of nothing stays one."""
    axis, power = node.attribute("axis", -1), node.attribute("p", 2)

    def kernel(values: Arguments) -> tuple[Any]:
        norm = torch.linalg.vector_norm(values[0], ord=power, dim=axis, keepdim=True)
        return (torch.where(norm == 0, norm, values[0] / norm),)

    return kernel


@operator("MeanVarianceNormalization")
def mean_variance(node: Node) -> Kernel:
    """Over some axes, all but the channels where none are given."""
    axes = node.attribute("axes") or [0, 2, 3]

    def kernel(values: Arguments) -> tuple[Any]:
        variance, mean = torch.var_mean(values[0], dim=axes, correction=0, keepdim=True)
        return ((values[0] - mean) / (torch.sqrt(variance) + 1e-9),)

    return kernel


@operator("EmbedLayerNormalization", domain="com.microsoft")
def embed_layer_normalization(node: Node) -> Kernel:
    """The sum of up to three embeddings, normalized; output 1 counts the places that the mask leaves."""
    epsilon = node.attribute("epsilon", 1e-12)

    def kernel(values: Arguments) -> tuple[Any, ...]:
        words, positions = values[0].to(torch.int64), values[3]
        total = values[2][words]
        total = total + (positions[values[8].to(torch.int64)] if node.has(8) else positions[: words.shape[1]])
        total = total + values[4][values[1].to(torch.int64)] if node.has(1) and node.has(4) else total
        if node.has(7):
            real = values[7].sum(1).to(torch.int32)
        else:
            real = torch.zeros(words.shape[0], dtype=torch.int32, device=words.device)
        y = functional.layer_norm(total, total.shape[-1:], values[5], values[6], epsilon)
        return (y, real, total)

    return kernel


@operator("GroupNorm", "SkipGroupNorm", domain="com.microsoft")
def group_norm(node: Node) -> Kernel:
    """Of groups of channels, which come last where the node says nothing else; computed in float32."""
    groups, epsilon = node.attribute("groups"), node.attribute("epsilon", 1e-5)
    last, activates = node.attribute("channels_last", 1), node.attribute("activation") == 1

    def kernel(values: Arguments) -> tuple[Any, ...]:
        total = values[0]
        if node.op_type == "SkipGroupNorm":
            skip = values[3] if values[3].dim() == 4 else values[3][:, None, None, :]
            total = total + skip + (values[4] if node.has(4) else 0)
        x = (total.permute(0, 3, 1, 2) if last else total).float()
        y = functional.group_norm(x, groups, values[1].float(), values[2].float(), epsilon)
        y = (functional.silu(y) if activates else y).to(total.dtype)
        return (y.permute(0, 2, 3, 1) if last else y, total)

    return kernel
