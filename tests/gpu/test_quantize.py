"""Steps of integers, against ONNX Runtime on the CPU."""

from typing import Any

import numpy as np
import pytest

X = (np.random.default_rng(13).standard_normal((2, 3, 4)) * 40).astype(np.float32)
SCALES = np.array([0.5, 0.3, 2.0], dtype=np.float32)


def _zeros(kind: Any, count: int | None) -> Any:
    return np.array([3, 120, 7][:count] if count else 5, dtype=kind)


@pytest.mark.parametrize("kind", [np.int8, np.uint8])
@pytest.mark.parametrize("axis", [1, -2])
def test_steps_of_each_channel(axis: int, kind: Any, assert_like_onnxruntime: Any) -> None:
    assert_like_onnxruntime("QuantizeLinear", [X, SCALES, _zeros(kind, 3)], axis=axis, opset=21)
    levels = np.arange(-12, 12).astype(kind).reshape(2, 3, 4)
    assert_like_onnxruntime("DequantizeLinear", [levels, SCALES, _zeros(kind, 3)], axis=axis, opset=21)


@pytest.mark.parametrize("kind", [np.int8, np.uint8])
@pytest.mark.parametrize("opset", [10, 13, 21])
def test_steps_of_a_whole_tensor(opset: int, kind: Any, assert_like_onnxruntime: Any) -> None:
    scale = np.array(0.7, dtype=np.float32)
    assert_like_onnxruntime("QuantizeLinear", [X, scale, _zeros(kind, None)], opset=opset)
    levels = np.arange(-12, 12).astype(kind).reshape(2, 3, 4)
    assert_like_onnxruntime("DequantizeLinear", [levels, scale, _zeros(kind, None)], opset=opset)


def test_halves_are_rounded_to_the_even_step_and_bounds_hold(assert_like_onnxruntime: Any) -> None:
    x = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 1e9, -1e9, np.inf, -np.inf], dtype=np.float32)
    for kind in (np.int8, np.uint8):
        assert_like_onnxruntime("QuantizeLinear", [x, np.array(1, dtype=np.float32), np.array(0, dtype=kind)])


def test_without_a_zero_point(assert_like_onnxruntime: Any) -> None:
    scale = np.array(0.7, dtype=np.float32)
    assert_like_onnxruntime("QuantizeLinear", [X, scale])
    assert_like_onnxruntime("QuantizeLinear", [X, scale], opset=21, output_dtype=3)
    assert_like_onnxruntime("DequantizeLinear", [np.arange(-900, 900, 100, dtype=np.int32), scale])


def test_steps_of_float16_scales(assert_like_onnxruntime: Any) -> None:
    scale = np.array(0.7, dtype=np.float16)
    assert_like_onnxruntime("DequantizeLinear", [np.arange(-128, 127, dtype=np.int8), scale], opset=21, tolerance=1e-3)
    half = [X.astype(np.float16), scale, np.array(3, dtype=np.int8)]
    assert_like_onnxruntime("QuantizeLinear", half, opset=21)


@pytest.mark.parametrize(("axis", "count"), [(2, 2), (1, 2), (0, 1)])
@pytest.mark.parametrize("kind", [np.int8, np.uint8])
def test_steps_of_blocks(kind: Any, axis: int, count: int, assert_like_onnxruntime: Any) -> None:
    shape = [count if at == axis else length for at, length in enumerate(X.shape)]
    scales = np.random.default_rng(2).uniform(0.1, 2, shape).astype(np.float32)
    zeros = np.random.default_rng(3).integers(0, 100, shape).astype(kind)
    common = {"axis": axis, "block_size": 2, "opset": 21}
    assert_like_onnxruntime("QuantizeLinear", [X, scales, zeros], **common)
    levels = np.arange(-12, 12).astype(kind).reshape(2, 3, 4)
    assert_like_onnxruntime("DequantizeLinear", [levels, scales, zeros], **common)


@pytest.mark.parametrize("opset", [21, 23])
def test_the_quotient_of_float16_has_the_bits_that_the_opset_says(opset: int, assert_like_onnxruntime: Any) -> None:
    x = (np.random.default_rng(5).standard_normal(5000) * 60).astype(np.float16)
    inputs = [x, np.array(0.7, dtype=np.float16), np.array(3, dtype=np.int8)]
    assert_like_onnxruntime("QuantizeLinear", inputs, opset=opset)
