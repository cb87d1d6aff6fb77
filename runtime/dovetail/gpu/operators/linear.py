"""Products of matrices."""

from collections.abc import Callable
from typing import Any, Final

import torch
from torch.nn import functional

from dovetail.gpu.registry import Arguments, Kernel, Node, operator


@operator("MatMul")
def matmul(node: Node) -> Kernel:
    """As in NumPy."""
    return lambda values: (torch.matmul(values[0], values[1]),)


def _arranged(x: Any, flips: bool, batch_between: bool) -> Any:
    """A factor as torch takes it, whose first axis may be one of the matrix."""
    x = x.movedim(0, -2) if batch_between and x.dim() > 2 else x
    return x.transpose(-1, -2) if flips and x.dim() > 1 else x


@operator("FusedMatMul", domain="com.microsoft")
def fused_matmul(node: Node) -> Kernel:
    """With axes swapped, and scaled."""
    alpha = node.attribute("alpha", 1.0)
    flip_a, flip_b = node.attribute("transA", 0), node.attribute("transB", 0)
    between_a, between_b = node.attribute("transBatchA", 0), node.attribute("transBatchB", 0)

    def kernel(values: Arguments) -> tuple[Any]:
        result = torch.matmul(_arranged(values[0], flip_a, between_a), _arranged(values[1], flip_b, between_b))
        return (result if alpha == 1.0 else result * alpha,)

    return kernel


FUSED_ACTIVATIONS: Final[dict[str, Callable[..., Any]]] = {
    "Clip": torch.clamp,
    "HardSigmoid": lambda x, alpha, beta: torch.clamp(alpha * x + beta, 0, 1),
    "LeakyRelu": functional.leaky_relu,
    "Relu": torch.relu,
    "Sigmoid": torch.sigmoid,
    "Tanh": torch.tanh,
}
"""What ONNX Runtime fuses with a product or a convolution; the numbers follow the tensor."""


def _gemm(node: Node) -> Callable[[Arguments], Any]:
    alpha, beta = node.attribute("alpha", 1.0), node.attribute("beta", 1.0)
    flip_a, flip_b = node.attribute("transA", 0), node.attribute("transB", 0)

    def product(values: Arguments) -> Any:
        a = values[0].t() if flip_a else values[0]
        b = values[1].t() if flip_b else values[1]
        if node.has(2):
            return torch.addmm(values[2], a, b, beta=beta, alpha=alpha)
        return torch.mm(a, b) * alpha

    return product


@operator("Gemm")
def gemm(node: Node) -> Kernel:
    """alpha A B + beta C."""
    product = _gemm(node)
    return lambda values: (product(values),)


@operator("FusedGemm", domain="com.microsoft")
def fused_gemm(node: Node) -> Kernel:
    """Gemm and an activation."""
    product, function = _gemm(node), FUSED_ACTIVATIONS.get(node.attribute("activation", ""))
    names = [name for name in ("activation_alpha", "activation_beta") if name in node.attributes]
    given = [node.attribute(name) for name in names]
    return lambda values: (function(product(values), *given) if function else product(values),)


@operator("Einsum")
def einsum(node: Node) -> Kernel:
    """By its equation."""
    equation = node.attribute("equation").replace(" ", "")
    return lambda values: (torch.einsum(equation, *values),)
