"""Operators that work element by element."""

from collections.abc import Callable
from functools import reduce
from typing import Any, Final

import torch
from torch.nn import functional

from dovetail.gpu.registry import Arguments, Kernel, Node, operator

_UNARY: Final[dict[str, Callable[[Any], Any]]] = {
    "Abs": torch.abs,
    "Acos": torch.acos,
    "Acosh": torch.acosh,
    "Asin": torch.asin,
    "Asinh": torch.asinh,
    "Atan": torch.atan,
    "Atanh": torch.atanh,
    "Ceil": torch.ceil,
    "Cos": torch.cos,
    "Cosh": torch.cosh,
    "Dropout": lambda x: x,
    "Erf": torch.erf,
    "Exp": torch.exp,
    "Floor": torch.floor,
    "HardSwish": functional.hardswish,
    "Identity": lambda x: x,
    "IsNaN": torch.isnan,
    "Log": torch.log,
    "Neg": torch.neg,
    "Not": torch.logical_not,
    "Reciprocal": torch.reciprocal,
    "Relu": torch.relu,
    "Round": torch.round,
    "Sigmoid": torch.sigmoid,
    "Sign": lambda x: torch.where(torch.isnan(x), x, torch.sign(x)),
    "Sin": torch.sin,
    "Sinh": torch.sinh,
    "Softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    "Softsign": functional.softsign,
    "Sqrt": torch.sqrt,
    "Tan": torch.tan,
    "Tanh": torch.tanh,
}


@operator(*_UNARY)
def unary(node: Node) -> Kernel:
    """A function of one tensor."""
    function = _UNARY[node.op_type]
    return lambda values: (function(values[0]),)


def _divide(a: Any, b: Any) -> Any:
    return torch.div(a, b) if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc")


def _power(a: Any, b: Any) -> Any:
    return torch.pow(a, b).to(a.dtype)


_BINARY: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "Add": torch.add,
    "And": torch.logical_and,
    "Div": _divide,
    "Equal": torch.eq,
    "Greater": torch.gt,
    "GreaterOrEqual": torch.ge,
    "Less": torch.lt,
    "LessOrEqual": torch.le,
    "Mul": torch.mul,
    "Or": torch.logical_or,
    "Pow": _power,
    "Sub": torch.sub,
    "Xor": torch.logical_xor,
    "PRelu": lambda x, slope: torch.where(x < 0, x * slope, x),
}


@operator(*_BINARY)
def binary(node: Node) -> Kernel:
    """A function of two tensors that are broadcast as in NumPy."""
    function = _BINARY[node.op_type]
    return lambda values: (function(values[0], values[1]),)


@operator("Mod")
def modulo(node: Node) -> Kernel:
    """The sign of the divisor, or with `fmod` that of the dividend."""
    function = torch.fmod if node.attribute("fmod", 0) else torch.remainder
    return lambda values: (function(values[0], values[1]),)


_MANY: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "Max": torch.maximum,
    "Min": torch.minimum,
    "Sum": torch.add,
    "Mean": torch.add,
}


@operator(*_MANY)
def many(node: Node) -> Kernel:
    """A function of any number of tensors."""
    function = _MANY[node.op_type]
    if node.op_type == "Mean":
        return lambda values: (reduce(function, values) / len(values),)
    return lambda values: (reduce(function, values),)


@operator("Where")
def where(node: Node) -> Kernel:
    """Elements of one of two tensors."""
    return lambda values: (torch.where(values[0], values[1], values[2]),)


@operator("Clip")
def clip(node: Node) -> Kernel:
    """Bounds are attributes before opset 11, and inputs since; the upper one wins where they cross."""
    low, high = node.attribute("min"), node.attribute("max")

    def kernel(values: Arguments) -> tuple[Any]:
        x = values[0]
        least = values[1] if node.has(1) else low
        most = values[2] if node.has(2) else high
        if least is not None:
            x = torch.clamp(x, min=least)
        return (x if most is None else torch.clamp(x, max=most),)

    return kernel


@operator("IsInf")
def is_infinite(node: Node) -> Kernel:
    """Either sign may be left out."""
    positive, negative = node.attribute("detect_positive", 1), node.attribute("detect_negative", 1)

    def kernel(values: Arguments) -> tuple[Any]:
        found = torch.isinf(values[0])
        if not positive:
            found = found & (values[0] < 0)
        return (found & (values[0] > 0) if not negative else found,)

    return kernel


def _elu(x: Any, alpha: float) -> Any:
    return torch.where(x < 0, alpha * torch.expm1(x), x)


def _celu(x: Any, alpha: float) -> Any:
    return torch.clamp(x, min=0) + torch.clamp(alpha * torch.expm1(x / alpha), max=0)


_WITH_ALPHA: Final[dict[str, tuple[float, Callable[[Any, float], Any]]]] = {
    "Elu": (1.0, _elu),
    "Celu": (1.0, _celu),
    "LeakyRelu": (0.01, functional.leaky_relu),
    "ThresholdedRelu": (1.0, lambda x, alpha: torch.where(x > alpha, x, torch.zeros_like(x))),
}


@operator(*_WITH_ALPHA)
def with_alpha(node: Node) -> Kernel:
    """Activations with one number."""
    default, function = _WITH_ALPHA[node.op_type]
    alpha = node.attribute("alpha", default)
    return lambda values: (function(values[0], alpha),)


@operator("Selu")
def selu(node: Node) -> Kernel:
    """ELU, scaled."""
    alpha = node.attribute("alpha", 1.67326319217681884765625)
    gamma = node.attribute("gamma", 1.05070102214813232421875)
    return lambda values: (gamma * _elu(values[0], alpha),)


@operator("HardSigmoid")
def hard_sigmoid(node: Node) -> Kernel:
    """A line between 0 and 1."""
    alpha, beta = node.attribute("alpha", 0.2), node.attribute("beta", 0.5)
    return lambda values: (torch.clamp(values[0] * alpha + beta, 0, 1),)


@operator("Shrink")
def shrink(node: Node) -> Kernel:
    """Nothing near zero, and the rest nearer to it."""
    bias, limit = node.attribute("bias", 0.0), node.attribute("lambd", 0.5)

    def kernel(values: Arguments) -> tuple[Any]:
        x = values[0]
        outer = torch.where(x > limit, x - bias, torch.zeros_like(x))
        return (torch.where(x < -limit, x + bias, outer).to(x.dtype),)

    return kernel


@operator("Gelu")
def gelu(node: Node) -> Kernel:
    """By the error function or its approximation by tanh."""
    how = node.attribute("approximate", "none")
    return lambda values: (functional.gelu(values[0], approximate=how),)


@operator("Gelu", "BiasGelu", "FastGelu", "QuickGelu", domain="com.microsoft")
def microsoft_gelu(node: Node) -> Kernel:
    """ONNX Runtime's forms: a bias before it, by tanh, or by a sigmoid."""
    alpha = node.attribute("alpha", 1.702)

    def kernel(values: Arguments) -> tuple[Any]:
        x = values[0] + values[1] if node.has(1) else values[0]
        if node.op_type == "QuickGelu":
            return (x * torch.sigmoid(alpha * x),)
        return (functional.gelu(x, approximate="tanh" if node.op_type == "FastGelu" else "none"),)

    return kernel


_TYPES: Final = {
    1: torch.float32, 2: torch.uint8, 3: torch.int8, 5: torch.int16, 6: torch.int32, 7: torch.int64, 9: torch.bool,
    10: torch.float16, 11: torch.float64, 16: torch.bfloat16,
}  # fmt: skip
"""Numbers of ONNX's element types."""


def element_type(number: int) -> torch.dtype:
    """The type of torch for a number of ONNX's."""
    return _TYPES[number]


@operator("Cast")
def cast(node: Node) -> Kernel:
    """To another element type."""
    kind = element_type(node.attribute("to"))
    return lambda values: (values[0].to(kind),)


@operator("CastLike")
def cast_like(node: Node) -> Kernel:
    """To the element type of another tensor."""
    return lambda values: (values[0].to(values[1].dtype),)


@operator("BiasSplitGelu", domain="com.microsoft")
def bias_split_gelu(node: Node) -> Kernel:
    """One half times the Gelu of the other."""

    def kernel(values: Arguments) -> tuple[Any]:
        left, right = (values[0] + values[1]).chunk(2, -1)
        return (left * functional.gelu(right),)

    return kernel
