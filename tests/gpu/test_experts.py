"""Mixtures of experts, against ONNX Runtime on the CPU."""

from typing import Any

import numpy as np
import pytest

RANDOM = np.random.default_rng(17)
EXPERTS, WIDTH, INNER = 5, 8, 16


def floats(*shape: int) -> Any:
    return RANDOM.standard_normal(shape).astype(np.float32)


def _inputs(rows: tuple[int, ...], inner: int, biased: bool = True) -> list[Any]:
    x, rates = floats(*rows, WIDTH), floats(int(np.prod(rows)), EXPERTS)
    first, second = floats(EXPERTS, inner, WIDTH), floats(EXPERTS, WIDTH, INNER)
    biases = (floats(EXPERTS, inner), floats(EXPERTS, WIDTH)) if biased else (None, None)
    return [x, rates, first, biases[0], second, *([biases[1]] if biased else [])]


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu", "identity"])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("adds_to_one", [0, 1])
def test_rows_go_through_the_experts_that_are_rated_highest(
    adds_to_one: int, count: int, activation: str, assert_like_onnxruntime: Any
) -> None:
    attributes = {"k": count, "activation_type": activation, "normalize_routing_weights": adds_to_one}
    assert_like_onnxruntime("MoE", _inputs((7,), INNER), domain="com.microsoft", **attributes)


@pytest.mark.parametrize("numbers", [{}, {"activation_alpha": 1.7, "activation_beta": 1.0, "swiglu_limit": 1.0}])
def test_gates_that_take_turns_with_values(numbers: dict[str, float], assert_like_onnxruntime: Any) -> None:
    attributes = {"k": 2, "activation_type": "swiglu", "swiglu_fusion": 1, **numbers}
    assert_like_onnxruntime("MoE", _inputs((2, 3), 2 * INNER), domain="com.microsoft", **attributes)


def test_gates_that_lie_in_the_first_half_are_those_that_take_turns(on_torch: Any) -> None:
    x, rates, first, shift, *rest = _inputs((6,), 2 * INNER)
    attributes = {"k": 2, "activation_type": "swiglu", "domain": "com.microsoft"}
    (wanted,) = on_torch("MoE", [x, rates, first, shift, *rest], swiglu_fusion=1, **attributes)
    halves = [np.concatenate([each[:, ::2], each[:, 1::2]], 1) for each in (first, shift)]
    (found,) = on_torch("MoE", [x, rates, *halves, *rest], swiglu_fusion=2, **attributes)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_experts_without_biases(assert_like_onnxruntime: Any) -> None:
    assert_like_onnxruntime("MoE", _inputs((4,), INNER, biased=False), domain="com.microsoft", k=2)
