"""ONNX Runtime's fused forms of attention (domain com.microsoft)."""

from typing import Any, Final

import torch

from dovetail.gpu.operators.attention import (
    attended,
    capped,
    combined,
    join_heads,
    positions,
    repeated,
    rotated,
    scores,
    shares,
    split_heads,
)
from dovetail.gpu.registry import Arguments, Kernel, Node, operator

_MICROSOFT: Final = "com.microsoft"


def _visible(mask: Any, batch: int, length: int, total: int) -> Any:
    """Which keys a mask leaves, in one of the forms that it may have, as (batch or 1, 1, length or 1, total)."""
    if mask.dim() == 1:
        # ends of the batches, then perhaps where they start; the longest form has more that only other kernels need
        keys = torch.arange(total, device=mask.device)
        visible = keys < mask[:batch].unsqueeze(1)
        if mask.shape[0] == 2 * batch:
            visible = visible & (keys >= mask[batch:].unsqueeze(1))
        return visible.reshape(batch, 1, 1, total)
    if mask.dim() == 2:
        return (mask > 0).reshape(batch, 1, 1, total)
    if mask.dim() == 3:
        return (mask > 0).unsqueeze(1)
    return mask[:, :, total - length : total, :total] > 0


def _penalty(node: Node, mask: Any, added: Any, query: Any, total: int) -> Any:
    """All that is added to the products; None where there is nothing."""
    batch, length = query.shape[0], query.shape[2]
    bias = added
    if mask is not None:
        visible = _visible(mask, batch, length, total)
        filler = torch.zeros(visible.shape, dtype=query.dtype, device=query.device)
        filler = filler.masked_fill(~visible, node.attribute("mask_filter_value", -10000.0))
        bias = filler if bias is None else bias + filler
    if node.attribute("unidirectional", 0):
        queries, keys = positions(length, total, total - length, query.device)
        bias = combined(keys <= queries, bias, query.dtype)
    return bias


@operator("Attention", domain=_MICROSOFT)
def fused_attention(node: Node) -> Kernel:
    """With the projections of queries, keys and values."""
    heads, sizes = node.attribute("num_heads"), node.attribute("qkv_hidden_sizes")

    def kernel(values: Arguments) -> tuple[Any, ...]:
        projected = torch.matmul(values[0], values[1])
        projected = projected + values[2] if node.has(2) else projected
        widths = sizes or [projected.shape[-1] // 3] * 3
        query, key, value = (split_heads(part, heads) for part in projected.split(widths, -1))
        if node.has(4):
            key, value = torch.cat([values[4][0], key], 2), torch.cat([values[4][1], value], 2)
        scale = node.attribute("scale", 0.0) or query.shape[-1] ** -0.5
        mask, added = (values[index] if node.has(index) else None for index in (3, 5))
        bias = _penalty(node, mask, added, query, key.shape[2])
        y = join_heads(attended(query, key, value, bias, scale))
        return (y, torch.stack([key, value]) if node.wants(1) else None)

    return kernel


def _unpacked(node: Node, values: Arguments) -> tuple[Any, Any, Any]:
    """Queries, keys and values of (batch, heads, length, size), whichever of them come in one tensor."""
    heads, query = node.attribute("num_heads"), values[0]
    if query.dim() == 5:
        query, key, value = (query[:, :, :, index].transpose(1, 2) for index in range(3))
        return query, key, value
    key, value = values[1], values[2] if node.has(2) else None
    shifts: tuple[Any, ...] = (0, 0, 0)
    if node.has(3):
        width = query.shape[-1]
        rest = (values[3].shape[0] - 2 * width) if value is not None and value.dim() == 3 else width
        shifts = values[3].split([width, width, rest])
    query = split_heads(query + shifts[0], heads)
    if key.dim() == 5:
        return query, key[:, :, :, 0].transpose(1, 2), key[:, :, :, 1].transpose(1, 2)
    if key.dim() == 4:
        return query, key, value
    return query, split_heads(key + shifts[1], heads), split_heads(value + shifts[2], heads)


@operator("MultiHeadAttention", domain=_MICROSOFT)
def multi_head_attention(node: Node) -> Kernel:
    """With biases of the projections, padding and a cache."""

    def kernel(values: Arguments) -> tuple[Any, ...]:
        query, key, value = _unpacked(node, values)
        if node.has(6):
            key, value = torch.cat([values[6], key], 2), torch.cat([values[7], value], 2)
        scale = node.attribute("scale", 0.0) or query.shape[-1] ** -0.5
        mask, added = (values[index] if node.has(index) else None for index in (4, 5))
        bias = _penalty(node, mask, added, query, key.shape[2])
        return (join_heads(attended(query, key, value, bias, scale)), key, value)

    return kernel


@operator("RotaryEmbedding", domain=_MICROSOFT)
def rotary(node: Node) -> Kernel:
    """Positions are given for each place, or one for the first of all."""
    interleaved, given = bool(node.attribute("interleaved", 0)), node.attribute("num_heads", 0)
    part = node.attribute("rotary_embedding_dim", 0)

    def kernel(values: Arguments) -> tuple[Any]:
        x, places, cosines, sines = values
        whole = x.transpose(1, 2) if x.dim() == 4 else x
        heads = given or whole.shape[-1] // (part or 2 * cosines.shape[-1])
        split = whole if x.dim() == 4 else whole.reshape(*whole.shape[:2], heads, -1)
        places = places.to(torch.int64)
        if places.dim() == 1:
            places = (places + torch.arange(split.shape[1], device=x.device)).unsqueeze(0)
        turned = rotated(split, cosines[places], sines[places], interleaved)
        return (turned.transpose(1, 2) if x.dim() == 4 else turned.reshape(x.shape),)

    return kernel


def _cached(past: Any, new: Any, starts: Any, room: int) -> Any:
    """A cache with new rows from the start of each batch on."""
    batch, heads, length, size = new.shape
    cache = torch.zeros((batch, heads, room, size), dtype=new.dtype, device=new.device)
    if past is not None:
        cache[:, :, : past.shape[2]] = past
    places = starts.reshape(-1, 1) + torch.arange(length, device=new.device)
    return torch.scatter(cache, 2, places.reshape(batch, 1, length, 1).expand_as(new), new)


def _grouped(node: Node, values: Arguments) -> tuple[Any, Any, Any]:
    """Queries, keys and values of (batch, length, heads, size)."""
    heads, groups = node.attribute("num_heads"), node.attribute("kv_num_heads")
    batch, length = values[0].shape[:2]
    if node.has(1):
        parts = values[:3]
    else:
        size = values[0].shape[-1] // (heads + 2 * groups)
        parts = values[0].split([heads * size, groups * size, groups * size], -1)
    query, key, value = (
        part.reshape(batch, length, count, -1) for part, count in zip(parts, (heads, groups, groups), strict=True)
    )
    return query, key, value


@operator("GroupQueryAttention", domain=_MICROSOFT, host=[6])
def group_query_attention(node: Node) -> Kernel:
    """Causal, with a cache that may be longer than what it holds; keys are turned before they are kept."""
    window, cap = node.attribute("local_window_size", -1), node.attribute("softcap", 0.0)
    interleaved = bool(node.attribute("rotary_interleaved", 0))

    def kernel(values: Arguments) -> tuple[Any, ...]:
        query, key, value = _grouped(node, values)
        length, total, past = query.shape[1], int(values[6].item()), values[3] if node.has(3) else None
        real = values[5].to(torch.int64).reshape(-1) + 1
        # a prompt starts at nothing, even where it is shorter than the longest of the batch
        starts = torch.zeros_like(real) if length == total else real - length
        if node.attribute("do_rotary", 0):
            places = starts.reshape(-1, 1) + torch.arange(length, device=query.device)
            places = values[9].to(torch.int64) if node.has(9) else places
            # places of the padding may lie outside
            places = places.clamp(0, values[7].shape[0] - 1)
            angles = values[7][places], values[8][places]
            query, key = (rotated(each, *angles, interleaved) for each in (query, key))
        room = max(total, 0 if past is None else past.shape[2])
        keys = _cached(past, key.transpose(1, 2), starts, room)
        contents = _cached(values[4] if node.has(4) else None, value.transpose(1, 2), starts, room)
        own, seen = positions(length, total, starts, query.device)
        allowed = seen <= own
        allowed = allowed & (seen > own - window) if window > 0 else allowed
        bias = combined(allowed, values[10][..., :total] if node.has(10) else None, query.dtype)
        query = query.transpose(1, 2)
        scale = node.attribute("scale", 0.0) or query.shape[-1] ** -0.5
        near, held = (repeated(each[:, :, :total], query.shape[1]) for each in (keys, contents))
        if cap:
            y = torch.matmul(shares(capped(scores(query, near, scale), cap), bias), held)
        else:
            y = attended(query, near, held, bias, scale)
        return (join_heads(y), keys, contents)

    return kernel
