"""Attention as ONNX has it, and what its other forms share."""

from typing import Any

import torch
from torch.nn import functional

from dovetail.gpu.registry import Arguments, Kernel, Node, operator


def split_heads(x: Any, heads: int) -> Any:
    """(batch, length, heads * size) -> (batch, heads, length, size)."""
    return x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)


def join_heads(x: Any) -> Any:
    """(batch, heads, length, size) -> (batch, length, heads * size)."""
    return x.transpose(1, 2).flatten(2)


def positions(length: int, total: int, offset: Any, device: Any) -> tuple[Any, Any]:
    """Where the queries stand among the keys, and where the keys; the offset is a number, or one per batch."""
    queries = torch.arange(length, device=device).unsqueeze(1)
    if isinstance(offset, torch.Tensor):
        offset = offset.reshape(-1, 1, 1, 1)
    return queries + offset, torch.arange(total, device=device).unsqueeze(0)


def repeated(x: Any, heads: int) -> Any:
    """Heads of keys and values, each as often as queries share it."""
    return x if x.shape[1] == heads else x.repeat_interleave(heads // x.shape[1], dim=1)


def combined(allowed: Any, bias: Any, dtype: torch.dtype) -> Any:
    """One bias of who may look where and of a bias that is there already; None where there is neither."""
    if allowed is None:
        return bias
    blocked = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device).masked_fill(~allowed, float("-inf"))
    return blocked if bias is None else bias + blocked


def scores(query: Any, key: Any, scale: float) -> Any:
    """Products of all queries with all keys; each factor takes half of the scale, so that float16 does not overflow."""
    half = scale**0.5
    return torch.matmul(query * half, (key * half).transpose(-1, -2))


def shares(logits: Any, bias: Any) -> Any:
    """A softmax; a query that may look nowhere gets nothing."""
    if bias is None:
        return torch.softmax(logits, -1)
    nowhere = torch.isneginf(bias).all(-1, keepdim=True)
    return torch.where(nowhere, torch.zeros_like(logits[..., :1]), torch.softmax(logits + bias, -1))


def attended(query: Any, key: Any, value: Any, bias: Any, scale: float) -> Any:
    """Attention of (batch, heads, length, size), by torch's fused kernels."""
    if bias is not None and bias.dim() not in (2, 4):
        bias = bias.reshape((1,) * (4 - bias.dim()) + bias.shape)
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=scale)


def capped(logits: Any, most: float) -> Any:
    """Values that come near a bound and don't pass it; 0 for none."""
    return torch.tanh(logits / most) * most if most else logits


def _padded(mask: Any, total: int) -> Any:
    missing = total - mask.shape[-1]
    if not missing:
        return mask
    return functional.pad(mask, [0, missing], value=False if mask.dtype == torch.bool else float("-inf"))


def _allowed(node: Node, length: int, total: int, offset: Any, real: Any, device: Any) -> Any:
    """Which keys each query may look at by its place; None for all."""
    queries, keys = positions(length, total, offset, device)
    before, after = node.attribute("left_window_size", -1), node.attribute("right_window_size", -1)
    conditions = [keys <= queries] if node.attribute("is_causal", 0) else []
    conditions += [queries - keys <= before] if before >= 0 else []
    conditions += [keys - queries <= after] if after >= 0 else []
    conditions += [keys < real.reshape(-1, 1, 1, 1)] if real is not None else []
    allowed = None
    for condition in conditions:
        allowed = condition if allowed is None else allowed & condition
    return allowed


def _bias(node: Node, values: Arguments, length: int, total: int, dtype: torch.dtype) -> Any:
    real = values[6] if node.has(6) else None
    offset: Any = values[4].shape[2] if node.has(4) else 0 if real is None else real - length
    allowed = _allowed(node, length, total, offset, real, values[0].device)
    mask = _padded(values[3], total) if node.has(3) else None
    if mask is not None and mask.dtype == torch.bool:
        mask = combined(mask, None, dtype)
    return combined(allowed, mask, dtype)


@operator("Attention")
def attention(node: Node) -> Kernel:
    """With a mask, a cache and groups of heads; output 3 shows the products at one of four stages."""
    heads, groups = node.attribute("q_num_heads"), node.attribute("kv_num_heads")
    cap, stage = node.attribute("softcap", 0.0), node.attribute("qk_matmul_output_mode", 0)

    def kernel(values: Arguments) -> tuple[Any, ...]:
        flat = values[0].dim() == 3
        query = split_heads(values[0], heads) if flat else values[0]
        key, value = (split_heads(each, groups) if flat else each for each in values[1:3])
        if node.has(4):
            key, value = torch.cat([values[4], key], 2), torch.cat([values[5], value], 2)
        scale = node.attribute("scale", query.shape[-1] ** -0.5)
        bias = _bias(node, values, query.shape[2], key.shape[2], query.dtype)
        keys, contents = repeated(key, query.shape[1]), repeated(value, query.shape[1])
        if not cap and not node.wants(3):
            y, shown = attended(query, keys, contents, bias, scale), None
        else:
            raw = scores(query, keys, scale)
            soft = capped(raw, cap)
            weights = shares(soft, bias)
            y = torch.matmul(weights, contents)
            biased = soft if bias is None else soft + bias
            shown = (raw, soft, biased, weights)[stage]
        return (join_heads(y) if flat else y, key, value, shown)

    return kernel


def rotated(x: Any, cosines: Any, sines: Any, interleaved: bool) -> Any:
    """Turn pairs of (batch, length, heads, size) by angles of (batch, length, pairs); what is left over stays."""
    count = cosines.shape[-1]
    turned, rest = x[..., : 2 * count], x[..., 2 * count :]
    cosines, sines = cosines.unsqueeze(2).to(x.dtype), sines.unsqueeze(2).to(x.dtype)
    first, second = (turned[..., ::2], turned[..., 1::2]) if interleaved else turned.split(count, -1)
    pair = cosines * first - sines * second, sines * first + cosines * second
    turned = torch.stack(pair, -1).flatten(-2) if interleaved else torch.cat(pair, -1)
    return torch.cat([turned, rest], -1)


@operator("RotaryEmbedding")
def rotary_embedding(node: Node) -> Kernel:
    """Angles by position, or one row for each place where no positions are given."""
    interleaved, heads = bool(node.attribute("interleaved", 0)), node.attribute("num_heads", 0)

    def kernel(values: Arguments) -> tuple[Any]:
        x, cosines, sines = values[:3]
        if node.has(3):
            places = values[3].to(torch.int64)
            cosines, sines = cosines[places], sines[places]
        if x.dim() == 4:
            return (rotated(x.transpose(1, 2), cosines, sines, interleaved).transpose(1, 2),)
        split = x.reshape(x.shape[0], x.shape[1], heads, -1)
        return (rotated(split, cosines, sines, interleaved).reshape(x.shape),)

    return kernel


@operator("TensorScatter")
def tensor_scatter(node: Node) -> Kernel:
    """New rows in a copy of a cache, from an index of each batch on, round its end where it is circular."""
    axis, circular = node.attribute("axis", -2), node.attribute("mode", "linear") == "circular"

    def kernel(values: Arguments) -> tuple[Any]:
        cache, update = values[0], values[1]
        at, batch = axis % cache.dim(), cache.shape[0]
        places = torch.arange(update.shape[at], device=cache.device).expand(batch, -1)
        if node.has(2):
            places = places + values[2].to(torch.int64).reshape(-1, 1)
        places = torch.remainder(places, cache.shape[at]) if circular else places
        shape = [batch] + [1] * (cache.dim() - 1)
        shape[at] = update.shape[at]
        return (torch.scatter(cache, at, places.reshape(shape).expand_as(update), update),)

    return kernel
