"""Convolutions and pooling of any attributes, against ONNX Runtime on the CPU."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as some

QUICK = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
AUTO = some.sampled_from(["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"])


def floats(*shape: int) -> Any:
    return np.random.default_rng(5).standard_normal(shape).astype(np.float32)


@some.composite
def windows(draw: some.DrawFn, deepest: int = 3, widest_dilation: int = 3) -> dict[str, Any]:
    """Attributes of a window, and the lengths of the image that it slides over."""
    rank = draw(some.integers(1, deepest))

    def each(low: int, high: int) -> list[int]:
        return draw(some.lists(some.integers(low, high), min_size=rank, max_size=rank))

    sizes, strides, dilations = each(1, 3), each(1, 3), each(1, widest_dilation)
    how = draw(AUTO)
    reach = [(size - 1) * dilation + 1 for size, dilation in zip(sizes, dilations, strict=True)]
    pads = [draw(some.integers(0, size - 1)) for size in sizes * 2]
    lengths = [most + more for most, more in zip(reach, each(0, 6), strict=True)]
    padding = {"pads": pads} if how == "NOTSET" else {"auto_pad": how}
    return {"lengths": lengths, "kernel_shape": sizes, "strides": strides, "dilations": dilations, **padding}


def _is_settled(window: dict[str, Any]) -> bool:
    """Whether ONNX Runtime can be asked: with SAME it takes no dilation, and no strides longer than windows."""
    plain = set(window["dilations"]) == {1}
    short = all(stride <= size for stride, size in zip(window["strides"], window["kernel_shape"], strict=True))
    return not str(window.get("auto_pad", "")).startswith("SAME") or (plain and short)


@QUICK
@given(windows(), some.sampled_from([1, 2]), some.booleans())
def test_conv(assert_like_onnxruntime: Any, window: dict[str, Any], group: int, biased: bool) -> None:
    assume(_is_settled(window))
    lengths = window.pop("lengths")
    inputs = [floats(2, 4, *lengths), floats(6, 4 // group, *window["kernel_shape"])]
    assert_like_onnxruntime("Conv", inputs + [floats(6)] * biased, group=group, **window)


@QUICK
@given(windows(deepest=2), some.sampled_from([1, 2]), some.data())
def test_conv_transpose(assert_like_onnxruntime: Any, window: dict[str, Any], group: int, data: Any) -> None:
    lengths = window.pop("lengths")
    more = [data.draw(some.integers(0, stride - 1)) for stride in window["strides"]]
    inputs = [floats(2, 4, *lengths), floats(4, 3, *window["kernel_shape"]), floats(3 * group)]
    assert_like_onnxruntime("ConvTranspose", inputs, group=group, output_padding=more, **window)


@QUICK
@given(windows(), some.integers(0, 1), some.sampled_from([np.float32, np.float64, np.uint8]))
def test_max_pool(assert_like_onnxruntime: Any, window: dict[str, Any], ceil: int, dtype: Any) -> None:
    assume(_is_settled(window))
    x = (floats(2, 3, *window.pop("lengths")) * 50).clip(0 if dtype is np.uint8 else -200, 200).astype(dtype)
    assert_like_onnxruntime("MaxPool", [x], ceil_mode=ceil, **window)


@QUICK
@given(windows(), some.integers(0, 1), some.integers(0, 1))
def test_average_pool(assert_like_onnxruntime: Any, window: dict[str, Any], ceil: int, inclusive: int) -> None:
    assume(_is_settled(window))
    x = floats(2, 3, *window.pop("lengths"))
    assert_like_onnxruntime("AveragePool", [x], ceil_mode=ceil, count_include_pad=inclusive, **window)


@pytest.mark.parametrize("how", ["NOTSET", "SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("shape", [[8, 8], [9, 10], [8, 7]])
def test_conv_transpose_to_a_shape(shape: list[int], how: str, assert_like_onnxruntime: Any) -> None:
    inputs = [floats(1, 2, 4, 4), floats(2, 3, 3, 3)]
    assert_like_onnxruntime("ConvTranspose", inputs, output_shape=shape, auto_pad=how, strides=[2, 2])


@pytest.mark.parametrize("kind", ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"])
@pytest.mark.parametrize("lengths", [(5,), (3, 4), (2, 3, 4)])
def test_global_pools(kind: str, lengths: tuple[int, ...], assert_like_onnxruntime: Any) -> None:
    assert_like_onnxruntime(kind, [floats(2, 3, *lengths)], opset=21)


@pytest.mark.parametrize("signed", [np.int8, np.uint8])
def test_conv_of_integers(signed: Any, assert_like_onnxruntime: Any) -> None:
    x = np.arange(2 * 3 * 25, dtype=np.uint8).reshape(2, 3, 5, 5)
    weight = np.arange(4 * 3 * 9).astype(signed).reshape(4, 3, 3, 3)
    zeros = [np.array(9, dtype=np.uint8), np.array(3, dtype=signed)]
    assert_like_onnxruntime("ConvInteger", [x, weight, *zeros], pads=[1, 1, 1, 1], strides=[2, 1])


@pytest.mark.parametrize(
    ("activation", "numbers"),
    [("Relu", []), ("Sigmoid", []), ("Tanh", []), ("LeakyRelu", [0.2]), ("Clip", [-0.5, 0.5]),
     ("HardSigmoid", [0.3, 0.4])],
)  # fmt: skip
def test_conv_with_an_activation(activation: str, numbers: list[float], assert_like_onnxruntime: Any) -> None:
    attributes = {"activation": activation, "pads": [1, 1, 1, 1]}
    attributes |= {"activation_params": numbers} if numbers else {}
    inputs = [floats(1, 2, 5, 5), floats(3, 2, 3, 3), floats(3)]
    assert_like_onnxruntime("FusedConv", inputs, domain="com.microsoft", **attributes)


@pytest.mark.parametrize("group", [1, 2])
def test_conv_with_channels_last_is_a_conv(group: int, on_torch: Any) -> None:
    x, weight, bias = floats(2, 4, 6, 5), floats(6, 4 // group, 3, 2), floats(6)
    attributes = {"group": group, "pads": [1, 0, 2, 1], "strides": [2, 1]}
    (wanted,) = on_torch("Conv", [x, weight, bias], **attributes)
    last = [np.ascontiguousarray(np.moveaxis(each, 1, -1)) for each in (x, weight)]
    (found,) = on_torch("NhwcConv", [*last, bias], domain="com.microsoft", **attributes)
    np.testing.assert_allclose(np.moveaxis(found, -1, 1), wanted, rtol=1e-4, atol=1e-5)
