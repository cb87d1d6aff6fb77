"""Random numbers. Their distribution is ONNX's; which ones they are is torch's business, with a seed as without."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch

from dovetail.gpu.operators.elementwise import element_type
from dovetail.gpu.registry import Kernel, Node, operator

_FLOAT32: Final = 1


def _normal(node: Node, drawn: Any, generator: Any) -> Any:
    return drawn.normal_(node.attribute("mean", 0.0), node.attribute("scale", 1.0), generator=generator)


def _uniform(node: Node, drawn: Any, generator: Any) -> Any:
    return drawn.uniform_(node.attribute("low", 0.0), node.attribute("high", 1.0), generator=generator)


_DRAWS: Final[dict[str, Callable[[Node, Any, Any], Any]]] = {"RandomNormal": _normal, "RandomUniform": _uniform}


def _generator(node: Node) -> Any:
    """One for the node where it has a seed, so that a session gives the same row of tensors as another."""
    seed = node.attribute("seed")
    if seed is None:
        return None
    generator = torch.Generator(node.device)
    generator.manual_seed(int(seed))
    return generator


@operator("RandomNormal", "RandomUniform", eager=True)
def random(node: Node) -> Kernel:
    """Of a shape that the node gives."""
    shape: Sequence[int] = node.attribute("shape")
    kind, generator = element_type(node.attribute("dtype", _FLOAT32)), _generator(node)
    draw = _DRAWS[node.op_type]
    return lambda values: (draw(node, torch.empty(list(shape), dtype=kind, device=node.device), generator),)


@operator("RandomNormalLike", "RandomUniformLike", eager=True)
def random_like(node: Node) -> Kernel:
    """Of the shape of a tensor, and of its type where the node gives none."""
    number, generator = node.attribute("dtype"), _generator(node)
    draw = _DRAWS[node.op_type.removesuffix("Like")]

    def kernel(values: Sequence[Any]) -> tuple[Any]:
        kind = element_type(number) if number else values[0].dtype
        return (draw(node, torch.empty(values[0].shape, dtype=kind, device=node.device), generator),)

    return kernel
