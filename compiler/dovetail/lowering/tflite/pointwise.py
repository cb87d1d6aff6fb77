"""Element-wise operators and activations as TFLite."""

from typing import Final

from dovetail.lowering.tflite.form import Form, LiteOperator, NoFormError, single
from dovetail.lowering.tflite.tensors import broadcast, given, input_of, numbers_of, output_of, plain
from dovetail.targets import OperatorView
from dovetail.targets.facts import attribute_of, dims_of

UNARY: Final = {
    "Relu": ("RELU", ""),
    "Sigmoid": ("LOGISTIC", ""),
    "Tanh": ("TANH", ""),
    "HardSwish": ("HARD_SWISH", "HardSwishOptions"),
    "LeakyRelu": ("LEAKY_RELU", "LeakyReluOptions"),
    "Abs": ("ABS", "AbsOptions"),
    "Exp": ("EXP", "ExpOptions"),
    "Gelu": ("GELU", "GeluOptions"),
    "Elu": ("ELU", ""),
    "Neg": ("NEG", "NegOptions"),
    "Sqrt": ("SQRT", ""),
    "Sin": ("SIN", ""),
    "Cos": ("COS", "CosOptions"),
    "Ceil": ("CEIL", ""),
    "Floor": ("FLOOR", ""),
    "Round": ("ROUND", ""),
    "Log": ("LOG", ""),
    "Not": ("LOGICAL_NOT", "LogicalNotOptions"),
    "Sign": ("SIGN", ""),
}
"""Operator type -> TFLite's operator and the table of its options."""

BINARY: Final = {
    "Add": ("ADD", "AddOptions"),
    "Sum": ("ADD", "AddOptions"),
    "Sub": ("SUB", "SubOptions"),
    "Mul": ("MUL", "MulOptions"),
    "Div": ("DIV", "DivOptions"),
    "Max": ("MAXIMUM", "MaximumMinimumOptions"),
    "Min": ("MINIMUM", "MaximumMinimumOptions"),
    "Pow": ("POW", "PowOptions"),
    "PRelu": ("PRELU", ""),
    "And": ("LOGICAL_AND", "LogicalAndOptions"),
    "Or": ("LOGICAL_OR", "LogicalOrOptions"),
    "Equal": ("EQUAL", "EqualOptions"),
    "Greater": ("GREATER", "GreaterOptions"),
    "GreaterOrEqual": ("GREATER_EQUAL", "GreaterEqualOptions"),
    "Less": ("LESS", "LessOptions"),
    "LessOrEqual": ("LESS_EQUAL", "LessEqualOptions"),
}
_OPERANDS: Final = 2

_CLIPS: Final = {
    (0.0, 6.0): "RELU6",
    (-1.0, 1.0): "RELU_N1_TO_1",
    (0.0, 1.0): "RELU_0_TO_1",
    (0.0, float("inf")): "RELU",
}


def unary(op: OperatorView) -> Form:
    """An operator of one tensor."""
    name, options = UNARY[op.op_type]
    values: dict[str, int | float] = {}
    if op.op_type == "LeakyRelu":
        alpha = attribute_of(op, "alpha")
        values["Alpha"] = float(alpha) if isinstance(alpha, int | float) else 0.0
    if op.op_type == "Gelu":
        values["Approximate"] = int(attribute_of(op, "approximate") == "tanh")
    if op.op_type == "Elu" and attribute_of(op, "alpha") != 1:
        raise NoFormError("TFLite's ELU has no alpha")
    return (_on_one(op, name, options, **values),)


def _on_one(op: OperatorView, name: str, options: str = "", **values: int | float) -> LiteOperator:
    rank = len(dims_of(input_of(op, 0)))
    result = broadcast(output_of(op), rank)
    return single(name, [broadcast(input_of(op, 0), rank)], result, options, **values)


def clip(op: OperatorView) -> Form:
    """The operator that has these bounds; TFLite has no other."""
    low, high = (_bound(op, *which) for which in ((1, "min", float("-inf")), (2, "max", float("inf"))))
    if (low, high) not in _CLIPS:
        raise NoFormError(f"TFLite has no operator that clips to [{low:g}, {high:g}]")
    return (_on_one(op, _CLIPS[low, high]),)


def _bound(op: OperatorView, index: int, name: str, default: float) -> float:
    tensor, attribute = given(op, index), op.attributes.get(name)
    if tensor is None:
        value = float(attribute) if isinstance(attribute, int | float) else default
    else:
        value = numbers_of(tensor)[0]
    largest = 3.4e38  # the bounds that older operators have by default
    return value if abs(value) < largest else float("inf" if value > 0 else "-inf")


def binary(op: OperatorView) -> Form:
    """An operator of two tensors, which it broadcasts."""
    name, options = BINARY[op.op_type]
    if len(op.inputs) != _OPERANDS:
        raise NoFormError(f"TFLite's {name} has two operands, got {len(op.inputs)}")
    rank = len(dims_of(output_of(op)))
    inputs = [broadcast(input_of(op, index), rank) for index in range(_OPERANDS)]
    return (single(name, inputs, broadcast(output_of(op), rank), options),)


def where(op: OperatorView) -> Form:
    """SELECT_V2."""
    rank = len(dims_of(output_of(op)))
    inputs = [broadcast(input_of(op, index), rank) for index in range(3)]
    return (single("SELECT_V2", inputs, broadcast(output_of(op), rank), "SelectV2Options"),)


def cast(op: OperatorView) -> Form:
    """CAST."""
    return (single("CAST", [plain(input_of(op, 0))], plain(output_of(op)), "CastOptions"),)
