"""The expression language: what it can say, and what it never does."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from dovetail.targets.expression import Expression, evaluate, facts_in, names_in
from dovetail.targets.facts import Context, MissingFactError
from dovetail.targets.view import OperatorView, QuantView, TensorView

CHECK: TypeAdapter[str] = TypeAdapter(Expression)
CONTEXT = Context({"htp_arch": 75}, {"float32": "float16"})
WEIGHTS = np.arange(24, dtype=np.int8).reshape(2, 3, 2, 2)

VIEW = OperatorView(
    name="conv",
    op_type="Conv",
    domain="",
    opset=17,
    inputs=(
        TensorView("x", "float32", ("batch", 3, 8, 8), None),
        TensorView("w", "int8", (2, 3, 2, 2), lambda: WEIGHTS, QuantView("per_tensor", None, None, None, "int8")),
        None,
    ),
    outputs=(TensorView("y", "float32", (1, 2, 7, 7), None),),
    input_names=("X", "W", "B"),
    output_names=("Y",),
    attributes={"strides": (2, 2), "auto_pad": "NOTSET", "alpha": 0.5, "axis": -1},
    quantized=False,
    producers=("Relu", "", ""),
    consumers=("Add", "Mul"),
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("X.C * Y.H // 2", 10),
        ("7 % 4 + 1 - -1", 5),
        ("ceil(7 / 2) + floor(7 / 2) + abs(-1)", 8),
        ("roundup(130, 128)", 256),
        ("max(strides) + min(3, 4) + sum(strides) + prod(strides)", 13),
        ("1 < X.C <= 3 and not Y.C > 2", True),
        ("X.shape[1] + X.shape[-1]", 11),
        ("X.spatial == (8, 8) and Y.spatial == [7, 7]", True),
        ("Y.shape == [1, 2, 7, 7]", True),
        ("X.rank + Y.size + X.K", 4 + 98 + 8),
        ("X.bytes + Y.bytes + W.bytes", 5),
        ("X.dtype", "float32"),
        ("'Relu' in producers() and len(consumers()) == 2", True),
        ("all(stride <= 2 for stride in strides)", True),
        ("any(a < b for a, b in zip(strides, [3, 1]))", True),
        ("[i * 2 for i in range(3)][2]", 4),
        ("is_const(W) and not is_const(X) and not is_const(B)", True),
        ("B is None and nonsense is None", True),
        ("quantized(W) and not quantized()", True),
        ("max_abs_sum(W, 0)", float(WEIGHTS[1].sum())),
        ("W.value[3]", 3),
        ("htp_arch >= 69", True),
        ("has_float() and any_dtype('float32')", True),
        ("axis_index()", 3),
        ("param('alpha')", 0.5),
        ("param('absent') is None", True),
        ("is_power_of_two(1024) and not is_power_of_two(12) and not is_power_of_two(0.5)", True),
        ("is_whole(2.0) and not is_whole(2.5)", True),
        ("implies(X.C == 4, X.N == 1)", True),
        ("8 if auto_pad == 'NOTSET' else X.N", 8),
        ("len(inputs())", 2),
        ("X.C == 4 and X.N == 1", False),
    ],
)
def test_value(text: str, value: object) -> None:
    assert evaluate(CHECK.validate_python(text), VIEW, CONTEXT) == value


@pytest.mark.parametrize(
    "text",
    [
        "X.N == 1",
        "X.shape[0]",
        "X.size",
        "X.value",
        "1 // 0",
        "strides + 1",
        "'a' * 9",
        "strides[7]",
        "B.C",
        "None < 1",
    ],
)
def test_a_value_that_is_not_known_is_a_missing_fact(text: str) -> None:
    with pytest.raises(MissingFactError):
        evaluate(CHECK.validate_python(text), VIEW, CONTEXT)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "open('/etc/passwd')",
        "X.__class__",
        "X.view",
        "().__class__.__bases__",
        "9 ** 9 ** 9",
        "1 << 99",
        "lambda: 1",
        "f'{X}'",
        "(x := 1)",
        "{1: 2}",
        "X.shape.append(1)",
        "sum(strides, start=1)",
        "_hidden",
        "implies(1)",
        "import os",
        "1; 2",
        "",
        "(" * 300 + ")" * 300,
        "1 + " * 200 + "1",
    ],
    ids=lambda text: str(text)[:30],
)
def test_what_the_language_does_not_have_is_refused_when_read(text: str) -> None:
    with pytest.raises(ValidationError):
        CHECK.validate_python(text)


def test_loops_are_bounded() -> None:
    text = "sum([a + b for a in range(1000) for b in range(1000)])"
    with pytest.raises(MissingFactError):
        evaluate(CHECK.validate_python(text), VIEW, CONTEXT)
    with pytest.raises(MissingFactError):
        evaluate(CHECK.validate_python("len(range(999999999))"), VIEW, CONTEXT)


@given(st.text("XWY.CN[]()0123456789+-*/%<>=!'\" andortifelsemplyrg,:_#\\", max_size=60))
def test_any_text_is_refused_or_has_a_value_or_lacks_a_fact(text: str) -> None:
    try:
        checked = CHECK.validate_python(text)
    except ValidationError:
        return
    with suppress(MissingFactError):
        evaluate(checked, VIEW, CONTEXT)


def test_names_and_facts_leave_out_loop_variables_and_functions() -> None:
    text = "all(item < X.C for item in strides) and has_float()"
    assert names_in(text) == {"X", "strides"}
    assert facts_in(text, VIEW, CONTEXT) == "X.C = 3, strides = (2, 2)"


def test_a_tensor_that_is_not_given_is_a_missing_fact() -> None:
    with pytest.raises(MissingFactError):
        evaluate("max_abs_sum(B, 0) < 1", VIEW, CONTEXT)
