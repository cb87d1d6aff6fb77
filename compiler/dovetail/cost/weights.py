"""Arithmetic operations that stand for one function, in additions.

The weights are those of the package onnx-tool 1.0 (`onnx_tool/node.py`), which counts vector instructions of x86:
exp and log after https://github.com/reyoung/avx_mathfun, division as rcp, square root as sqrt.
"""

from typing import Final

ADD: Final = 1
DIV: Final = 4
EXP: Final = 32
LOG: Final = 43
SQRT: Final = 24
SIN: Final = 39
TANH: Final = EXP + 2 * ADD + DIV
ATAN: Final = SQRT + 4 + DIV
ERF: Final = EXP + DIV + 10
"""Abramowitz and Stegun 7.1.26: a division, an exponential, a polynomial of degree 5."""
SOFTMAX: Final = EXP + DIV
MOMENTS: Final = SQRT + DIV + ADD
"""What a normalization does once a group of elements."""

PER_OUTPUT: Final[dict[str, int]] = {
    **dict.fromkeys(("Abs", "Add", "And", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor"), ADD),
    **dict.fromkeys(("Ceil", "Equal", "Floor", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less"), ADD),
    **dict.fromkeys(("LessOrEqual", "Mod", "Mul", "Neg", "Not", "Or", "Relu", "Round", "Sign", "Sub"), ADD),
    **dict.fromkeys(("ThresholdedRelu", "Where", "Xor", "QLinearAdd", "QLinearMul"), ADD),
    **dict.fromkeys(("BatchNormalization", "Clip", "DequantizeLinear", "LeakyRelu", "PRelu", "QuantizeLinear"), 2),
    **dict.fromkeys(("Shrink", "BiasAdd"), 2),
    **dict.fromkeys(("Elu", "Celu", "Selu"), EXP + 3),
    **dict.fromkeys(("Div", "Reciprocal"), DIV),
    **dict.fromkeys(("Exp", "Pow", "Sigmoid"), EXP),
    **dict.fromkeys(("Sin", "Cos"), SIN),
    **dict.fromkeys(("Gelu", "FastGelu", "BiasGelu", "QuickGelu"), EXP + 2),
    **dict.fromkeys(("Silu", "Swish"), EXP + 1),
    **dict.fromkeys(("Sinh", "Cosh"), EXP + DIV + 2),
    **dict.fromkeys(("Asin", "Acos"), ATAN + SQRT + DIV + 2),
    **dict.fromkeys(("Asinh", "Acosh"), LOG + SQRT + 3),
    "Atan": ATAN,
    "Atanh": LOG + 3 + DIV,
    "Erf": ERF,
    "HardSigmoid": 4,
    "HardSwish": 5,
    "Log": LOG,
    "Mish": EXP + ADD + LOG + TANH + 1,
    "Softplus": EXP + ADD + LOG,
    "Softsign": 2 + DIV,
    "Sqrt": SQRT,
    "Tan": 2 * SIN + DIV,
    "Tanh": TANH,
}
"""Operations for each element of the output. A normalization of a batch is one scale and shift in inference."""
