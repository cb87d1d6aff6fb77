"""Operators that work element by element, on ordinary and on odd numbers, against ONNX Runtime on the CPU."""

from typing import Any

import numpy as np
import pytest

FLOATS = np.array([-88.0, -3.5, -2.5, -1.0, -0.5, -0.0, 0.0, 1e-6, 0.3, 0.5, 1.0, 1.5, 2.5, 30.0, 88.0], np.float32)
ODD = np.array([np.nan, np.inf, -np.inf, 1.0], np.float32)
UNARY = [
    "Abs",
    "Acos",
    "Acosh",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "Ceil",
    "Celu",
    "Cos",
    "Cosh",
    "Elu",
    "Erf",
    "Exp",
    "Floor",
    "HardSigmoid",
    "HardSwish",
    "IsInf",
    "IsNaN",
    "LeakyRelu",
    "Log",
    "Neg",
    "Reciprocal",
    "Relu",
    "Round",
    "Selu",
    "Shrink",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Tan",
    "Tanh",
    "ThresholdedRelu",
]
# ONNX Runtime clamps the arguments of its approximations, and so gives a number for what is none
BY_APPROXIMATION = {"Erf", "Sigmoid", "Tanh"}
WHOLE = np.array([[-7, -6, -1], [0, 1, 6]])
DIVISORS = np.array([2, -4, 3])
INTEGERS = [np.int32, np.int64]


@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
@pytest.mark.parametrize("op_type", UNARY)
def test_functions_of_one_number(op_type: str, assert_like_onnxruntime: Any) -> None:
    assert_like_onnxruntime(op_type, [FLOATS])
    if op_type not in BY_APPROXIMATION:
        assert_like_onnxruntime(op_type, [ODD])


@pytest.mark.parametrize("dtype", [*INTEGERS, np.float32])
@pytest.mark.parametrize("op_type", ["Add", "Div", "Equal", "Greater", "LessOrEqual", "Max", "Min", "Mul", "Sub"])
def test_functions_of_two_numbers(op_type: str, dtype: Any, assert_like_onnxruntime: Any) -> None:
    assert_like_onnxruntime(op_type, [WHOLE.astype(dtype), DIVISORS.astype(dtype)])


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, *INTEGERS])
@pytest.mark.parametrize("fmod", [0, 1])
def test_remainders_of_whole_numbers(fmod: int, dtype: Any, assert_like_onnxruntime: Any) -> None:
    dividends, divisors = (WHOLE, DIVISORS) if np.issubdtype(dtype, np.signedinteger) else (abs(WHOLE), abs(DIVISORS))
    assert_like_onnxruntime("Mod", [dividends.astype(dtype), divisors.astype(dtype)], fmod=fmod)


def test_remainders_of_fractions(assert_like_onnxruntime: Any) -> None:
    assert_like_onnxruntime("Mod", [FLOATS, np.array(0.7, np.float32)], fmod=1)


@pytest.mark.parametrize("base", [np.float32, np.int32, np.int64])
@pytest.mark.parametrize("power", [np.float32, np.int32, np.int64])
def test_a_power_has_the_type_of_its_base(base: Any, power: Any, assert_like_onnxruntime: Any) -> None:
    assert_like_onnxruntime("Pow", [np.array([1, 2, -3, 5], base), np.array([2, 3, 2, 0], power)])


@pytest.mark.parametrize("source", [np.float32, np.float64, np.float16, np.int32, np.int64, np.uint8, np.bool_])
@pytest.mark.parametrize("goal", [1, 2, 3, 6, 7, 9, 10, 11])
def test_casts(source: Any, goal: int, assert_like_onnxruntime: Any) -> None:
    assert_like_onnxruntime("Cast", [np.array([0, 1, 2.7, 100.4]).astype(source)], to=goal)


@pytest.mark.parametrize("bounds", [(None, None), (-1.0, None), (None, 1.0), (-1.0, 1.0), (2.0, -2.0)])
def test_clip(bounds: tuple[float | None, float | None], assert_like_onnxruntime: Any) -> None:
    limits = [None if bound is None else np.array(bound, np.float32) for bound in bounds]
    assert_like_onnxruntime("Clip", [FLOATS, *limits])


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8, np.float64])
def test_clip_of_other_types(dtype: Any, assert_like_onnxruntime: Any) -> None:
    assert_like_onnxruntime("Clip", [np.arange(9).astype(dtype), np.array(2, dtype), np.array(6, dtype)])


@pytest.mark.parametrize("op_type", ["Max", "Min", "Mean", "Sum"])
def test_functions_of_many_tensors(op_type: str, assert_like_onnxruntime: Any) -> None:
    tensors = [FLOATS, FLOATS[::-1].copy(), FLOATS[:1], np.array(2.0, np.float32)]
    assert_like_onnxruntime(op_type, tensors)
    assert_like_onnxruntime(op_type, tensors[:1])


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint8])
def test_where(dtype: Any, assert_like_onnxruntime: Any) -> None:
    picks = np.array([[True], [False]])
    assert_like_onnxruntime("Where", [picks, np.array([0, 1, 0]).astype(dtype), np.array(1).astype(dtype)])


@pytest.mark.parametrize("slope", [(1,), (3, 1, 1), (2, 3, 1, 4)])
def test_slopes_of_channels(slope: tuple[int, ...], assert_like_onnxruntime: Any) -> None:
    random = np.random.default_rng(0)
    x = random.standard_normal((2, 3, 2, 4)).astype(np.float32)
    assert_like_onnxruntime("PRelu", [x, random.standard_normal(slope).astype(np.float32)])


@pytest.mark.parametrize("signs", [(1, 1), (1, 0), (0, 1), (0, 0)])
def test_signs_of_infinity(signs: tuple[int, int], assert_like_onnxruntime: Any) -> None:
    assert_like_onnxruntime("IsInf", [ODD], detect_positive=signs[0], detect_negative=signs[1])


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.int64])
@pytest.mark.parametrize("bounds", [(0, 10, 3), (5, -5, -2), (3, 3, 1), (4, 0, 1)])
def test_ranges(bounds: tuple[int, int, int], dtype: Any, assert_like_onnxruntime: Any) -> None:
    assert_like_onnxruntime("Range", [np.array(each, dtype) for each in bounds])


@pytest.mark.parametrize("name", ["RandomNormalLike", "RandomUniformLike"])
def test_random_numbers_have_the_distribution_asked_for(name: str, on_torch: Any) -> None:
    settings = {"mean": 3.0, "scale": 2.0} if name == "RandomNormalLike" else {"low": 1.0, "high": 5.0}
    (drawn,) = on_torch(name, [np.zeros((200, 200), np.float32)], seed=1.0, **settings)
    (again,) = on_torch(name, [np.zeros((200, 200), np.float32)], seed=1.0, **settings)
    (other,) = on_torch(name, [np.zeros((200, 200), np.float32)], seed=2.0, **settings)
    assert drawn.dtype == np.float32
    assert np.array_equal(drawn, again)
    assert not np.array_equal(drawn, other)
    assert drawn.mean() == pytest.approx(3.0, abs=0.05)
    assert drawn.std() == pytest.approx(2.0 if name == "RandomNormalLike" else 4 / 12**0.5, abs=0.05)


@pytest.mark.parametrize("name", ["RandomNormal", "RandomUniform"])
def test_random_numbers_of_a_given_shape_differ_from_run_to_run(name: str, on_torch: Any) -> None:
    (drawn,), (again,) = (on_torch(name, [], shape=[3, 40], dtype=11) for _ in range(2))
    assert drawn.shape == (3, 40)
    assert drawn.dtype == np.float64
    assert not np.array_equal(drawn, again)
