"""Mixtures of experts: each row goes through the few that its router rates highest."""

import math
from collections.abc import Callable
from typing import Any, Final

import torch
from torch.nn import functional

from dovetail.gpu.registry import Arguments, Kernel, Node, operator

_ACTIVATIONS: Final[dict[str, Callable[[Any], Any]]] = {
    "gelu": lambda x: functional.gelu(x, approximate="tanh"),
    "identity": lambda x: x,
    "relu": torch.relu,
    "silu": functional.silu,
}


def _gated(node: Node) -> Callable[[Any], Any]:
    """SwiGLU: gates and values take turns, or lie in one half each."""
    alpha, beta = node.attribute("activation_alpha", 1.0), node.attribute("activation_beta", 0.0)
    limit, takes_turns = node.attribute("swiglu_limit", math.inf), node.attribute("swiglu_fusion", 0) == 1

    def function(x: Any) -> Any:
        gates, others = (x[..., ::2], x[..., 1::2]) if takes_turns else x.chunk(2, -1)
        gates, others = gates.clamp(max=limit), others.clamp(-limit, limit)
        return gates * torch.sigmoid(alpha * gates) * (others + beta)

    return function


def _through(node: Node, values: Arguments, expert: int, x: Any, activation: Callable[[Any], Any]) -> Any:
    inner, outer = (values[index][expert] if node.has(index) else None for index in (3, 5))
    hidden = activation(functional.linear(x, values[2][expert], inner))
    return functional.linear(hidden, values[4][expert], outer)


@operator("MoE", domain="com.microsoft", eager=True)
def mixture(node: Node) -> Kernel:
    """Rows are sorted by expert, so that each expert is one product; how many it gets is read once per run."""
    count, adds_to_one = node.attribute("k", 1), node.attribute("normalize_routing_weights", 0)
    name = node.attribute("activation_type", "relu")
    activation = _gated(node) if name == "swiglu" else _ACTIVATIONS[name]

    def kernel(values: Arguments) -> tuple[Any]:
        x = values[0].flatten(0, -2)
        shares, chosen = torch.softmax(values[1].float(), -1).topk(count)
        shares = shares / shares.sum(-1, keepdim=True) if adds_to_one else shares
        order = torch.argsort(chosen.flatten(), stable=True)
        sizes = torch.bincount(chosen.flatten(), minlength=values[1].shape[-1]).tolist()
        parts = x[order // count].split(sizes)
        results = torch.cat(
            [_through(node, values, expert, part, activation) for expert, part in enumerate(parts) if len(part)]
        )
        placed = torch.empty_like(results)
        placed[order] = results
        y = (placed.reshape(-1, count, x.shape[-1]) * shares.to(x.dtype).unsqueeze(-1)).sum(1)
        return (y.reshape(values[0].shape),)

    return kernel
