"""Normalisations and what is fused with them, against ONNX Runtime on the CPU."""

from typing import Any

import numpy as np
import pytest

RANDOM = np.random.default_rng(11)
IMAGE = RANDOM.standard_normal((2, 6, 4, 5)).astype(np.float32)


def floats(*shape: int) -> Any:
    return RANDOM.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("lengths", [(), (5,), (4, 5), (2, 4, 5)])
def test_batch_normalization(lengths: tuple[int, ...], assert_like_onnxruntime: Any) -> None:
    inputs = [floats(2, 6, *lengths), floats(6), floats(6), floats(6), np.abs(floats(6))]
    assert_like_onnxruntime("BatchNormalization", inputs, opset=15, epsilon=1e-3)


@pytest.mark.parametrize("lengths", [(5,), (4, 5), (2, 4, 5)])
def test_instance_normalization(lengths: tuple[int, ...], assert_like_onnxruntime: Any) -> None:
    assert_like_onnxruntime("InstanceNormalization", [floats(2, 6, *lengths), floats(6), floats(6)], opset=6)


@pytest.mark.parametrize(("opset", "scales"), [(18, 3), (21, 6)])
def test_group_normalization(opset: int, scales: int, assert_like_onnxruntime: Any) -> None:
    inputs = [IMAGE, floats(scales), floats(scales)]
    assert_like_onnxruntime("GroupNormalization", inputs, opset=opset, num_groups=3, epsilon=1e-3)


@pytest.mark.parametrize("axis", [-1, 1, 2])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("outputs", [1, 3])
def test_layer_normalization(outputs: int, biased: bool, axis: int, assert_like_onnxruntime: Any) -> None:
    shape = IMAGE.shape[axis:]
    inputs = [IMAGE, floats(*shape), *([floats(*shape)] if biased else [])]
    assert_like_onnxruntime("LayerNormalization", inputs, outputs, opset=17, axis=axis)


@pytest.mark.parametrize("axis", [-1, 2])
def test_normalization_without_a_mean(axis: int, assert_like_onnxruntime: Any) -> None:
    inputs = [IMAGE, floats(*IMAGE.shape[axis:])]
    assert_like_onnxruntime("RMSNormalization", inputs, opset=23, axis=axis, epsilon=1e-3)
    assert_like_onnxruntime("SimplifiedLayerNormalization", inputs, opset=17, axis=axis)


@pytest.mark.parametrize("given", [0, 1, 2])
@pytest.mark.parametrize("skip", [(2, 3, 8), (1, 3, 8), (3, 8)])
def test_sums_that_are_normalized(skip: tuple[int, ...], given: int, assert_like_onnxruntime: Any) -> None:
    inputs = [floats(2, 3, 8), floats(*skip), floats(8)]
    more = [floats(8), floats(8)][:given]
    common = {"domain": "com.microsoft", "epsilon": 1e-5}
    assert_like_onnxruntime("SkipLayerNormalization", inputs + more, **common)
    if given < 2:
        assert_like_onnxruntime("SkipSimplifiedLayerNormalization", inputs + more, **common)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_local_response(size: int, assert_like_onnxruntime: Any) -> None:
    assert_like_onnxruntime("LRN", [IMAGE], opset=13, size=size, alpha=0.1, beta=0.6, bias=1.5)


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_norm_of_each_vector(axis: int, power: int, assert_like_onnxruntime: Any) -> None:
    x = IMAGE.copy()
    x[:, :, 1] = x[0] = 0
    assert_like_onnxruntime("LpNormalization", [x], opset=21, axis=axis, p=power)


@pytest.mark.parametrize("axes", [None, [0, 2], [1]])
def test_mean_and_variance(axes: list[int] | None, assert_like_onnxruntime: Any) -> None:
    assert_like_onnxruntime("MeanVarianceNormalization", [IMAGE], opset=13, **({"axes": axes} if axes else {}))


def _embedded(segments: bool, mask: bool, places: bool) -> list[Any]:
    words, pieces = (RANDOM.integers(0, 4, (2, 3), dtype=np.int32) for _ in range(2))
    tables = [floats(4, 8), floats(5, 8), floats(4, 8) if segments else None]
    kept = np.array([[1, 1, 0], [1, 1, 1]], dtype=np.int32)
    order = np.array([[2, 1, 0], [4, 3, 2]], dtype=np.int32)
    inputs = [words, pieces if segments else None, *tables, floats(8), floats(8), kept if mask else None]
    return [*inputs, order] if places else inputs if mask else inputs[:-1]


@pytest.mark.parametrize("segments", [False, True])
@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("places", [False, True])
def test_embeddings_that_are_normalized(segments: bool, mask: bool, places: bool, assert_like_onnxruntime: Any) -> None:
    assert_like_onnxruntime("EmbedLayerNormalization", _embedded(segments, mask, places), 2, domain="com.microsoft")


def _silu(x: Any) -> Any:
    return x / (1 + np.exp(-x))


@pytest.mark.parametrize("activation", [0, 1])
@pytest.mark.parametrize(("skips", "last"), [(False, 0), (False, 1), (True, 1)])
def test_groups_of_channels_where_onnxruntime_has_kernels_for_cards_only(
    skips: bool, last: int, activation: int, on_torch: Any
) -> None:
    x, scale, shift = IMAGE, floats(6), floats(6)
    skip, bias = floats(*IMAGE.shape), floats(6)
    total = x + skip + bias.reshape(1, 6, 1, 1) if skips else x
    groups = total.reshape(2, 3, -1)
    normal = (groups - groups.mean(2, keepdims=True)) / np.sqrt(groups.var(2, keepdims=True) + 1e-3)
    wanted = normal.reshape(IMAGE.shape) * scale.reshape(1, 6, 1, 1) + shift.reshape(1, 6, 1, 1)
    wanted = _silu(wanted) if activation else wanted
    images = [np.ascontiguousarray(np.moveaxis(each, 1, -1)) if last else each for each in (x, skip, wanted, total)]
    attributes = {"groups": 3, "epsilon": 1e-3, "activation": activation, "channels_last": last}
    inputs = [images[0], scale, shift, *([images[1], bias] if skips else [])]
    kind = "SkipGroupNorm" if skips else "GroupNorm"
    found = on_torch(kind, inputs, 2 if skips else 1, domain="com.microsoft", **attributes)
    np.testing.assert_allclose(found[0], images[2], rtol=1e-4, atol=1e-5)
    if skips:
        np.testing.assert_allclose(found[1], images[3], rtol=1e-6)


@pytest.mark.parametrize("bias", [(2, 1, 1, 5), (1, 1, 4, 5), (4, 5)])
@pytest.mark.parametrize("axis", [-1, 2])
def test_softmax_of_a_sum(axis: int, bias: tuple[int, ...], on_torch: Any) -> None:
    addend = floats(*bias)
    (found,) = on_torch("BiasSoftmax", [IMAGE, addend], domain="com.microsoft", axis=axis, is_inner_broadcast=0)
    over = (2, 3) if axis == 2 else (3,)
    powers = np.exp(IMAGE + addend)
    np.testing.assert_allclose(found, powers / powers.sum(over, keepdims=True), rtol=1e-4)


@pytest.mark.parametrize("kind", ["Gelu", "BiasGelu", "FastGelu", "QuickGelu"])
def test_gelus(kind: str, assert_like_onnxruntime: Any) -> None:
    bias = {"BiasGelu": [floats(5)], "FastGelu": [floats(5)]}.get(kind, [])
    assert_like_onnxruntime(kind, [IMAGE, *bias], domain="com.microsoft")


def test_gelu_of_one_half_times_the_other(on_torch: Any, assert_like_onnxruntime: Any) -> None:
    x, bias = floats(2, 3, 8), floats(8)
    (found,) = on_torch("BiasSplitGelu", [x, bias], domain="com.microsoft")
    left, right = np.split(x + bias, 2, -1)
    (gate,) = on_torch("Gelu", [right], domain="com.microsoft")
    assert_like_onnxruntime("Gelu", [right], domain="com.microsoft")
    np.testing.assert_allclose(found, left * gate, rtol=1e-4)
