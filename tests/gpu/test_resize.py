"""Images of other sizes, against ONNX Runtime on the CPU."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as some

IMAGE = np.random.default_rng(4).standard_normal((1, 2, 5, 7)).astype(np.float32)
QUICK = settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
COORDINATES = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"]


MODES: list[dict[str, Any]] = [
    *(
        {"mode": "nearest", "nearest_mode": each}
        for each in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    ),
    {"mode": "linear"},
    *({"mode": "cubic", "cubic_coeff_a": each, "exclude_outside": out} for each in (-0.5, -0.75) for out in (0, 1)),
]


def _is_settled(options: dict[str, Any], how: str) -> bool:
    """Not where an element or the next is taken by the last bit of a coordinate, nor where torch has no such mode."""
    cut = options.get("nearest_mode") in ("floor", "ceil")
    return not (how == "half_pixel_symmetric" and cut) and not (
        how == "pytorch_half_pixel" and options["mode"] == "nearest"
    )


@QUICK
@given(some.sampled_from(MODES), some.sampled_from(COORDINATES), some.integers(1, 12), some.integers(1, 12))
def test_to_sizes(assert_like_onnxruntime: Any, options: dict[str, Any], how: str, height: int, width: int) -> None:
    sizes = np.array([1, 2, height, width], dtype=np.int64)
    assume(_is_settled(options, how))
    assert_like_onnxruntime(
        "Resize", [IMAGE, None, None, sizes], coordinate_transformation_mode=how, opset=19, **options
    )


@QUICK
@given(some.sampled_from(MODES), some.sampled_from(COORDINATES), some.sampled_from([0.3, 0.5, 1.0, 1.5, 2.0, 2.6]))
def test_by_scales(assert_like_onnxruntime: Any, options: dict[str, Any], how: str, scale: float) -> None:
    scales = np.array([1, 1, scale, 2.0], dtype=np.float32)
    assume(_is_settled(options, how))
    assert_like_onnxruntime("Resize", [IMAGE, None, scales], coordinate_transformation_mode=how, opset=19, **options)


@pytest.mark.parametrize("policy", ["stretch", "not_larger", "not_smaller"])
def test_of_some_axes_with_a_policy(policy: str, assert_like_onnxruntime: Any) -> None:
    sizes = np.array([8, 9], dtype=np.int64)
    assert_like_onnxruntime(
        "Resize", [IMAGE, None, None, sizes], axes=[2, 3], keep_aspect_ratio_policy=policy, mode="linear", opset=19
    )


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_of_a_part(mode: str, assert_like_onnxruntime: Any) -> None:
    part = np.array([0, 0, 0.2, -0.3, 1, 1, 0.8, 1.1], dtype=np.float32)
    inputs = [IMAGE, part, None, np.array([1, 2, 4, 6], dtype=np.int64)]
    attributes = {"coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 9.0, "mode": mode}
    assert_like_onnxruntime("Resize", inputs, opset=19, **attributes)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_upsample(mode: str, assert_like_onnxruntime: Any) -> None:
    assert_like_onnxruntime("Upsample", [IMAGE, np.array([1, 1, 2, 3], dtype=np.float32)], opset=9, mode=mode)
    assert_like_onnxruntime("Upsample", [IMAGE], opset=8, mode=mode, scales=[1.0, 1.0, 2.0, 3.0])


BOXES = np.array([[0, 0, 3, 3], [1.5, 0.5, 6, 4], [2, 2, 2.2, 2.1]], dtype=np.float32)


@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("how", ["half_pixel", "output_half_pixel"])
@pytest.mark.parametrize("ratio", [0, 2])
def test_regions(ratio: int, how: str, mode: str, assert_like_onnxruntime: Any) -> None:
    images = np.array([0, 1, 1], dtype=np.int64)
    attributes = {"output_height": 2, "output_width": 3, "sampling_ratio": ratio, "mode": mode, "spatial_scale": 0.8}
    x = np.concatenate([IMAGE, IMAGE * 2])
    assert_like_onnxruntime("RoiAlign", [x, BOXES, images], coordinate_transformation_mode=how, opset=16, **attributes)


@pytest.mark.parametrize("centers", [0, 1])
def test_survivors_among_boxes(centers: int, assert_like_onnxruntime: Any) -> None:
    random = np.random.default_rng(8)
    boxes, rated = random.random((2, 30, 4), dtype=np.float32), random.random((2, 3, 30), dtype=np.float32)
    limits = [np.array([5], dtype=np.int64), np.array([0.3], dtype=np.float32), np.array([0.2], dtype=np.float32)]
    assert_like_onnxruntime("NonMaxSuppression", [boxes, rated, *limits], center_point_box=centers)
    assert_like_onnxruntime("NonMaxSuppression", [boxes, rated], center_point_box=centers)


@pytest.mark.parametrize("mode", ["linear", "nearest"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("corners", [0, 1])
def test_grid_sample(corners: int, padding: str, mode: str, assert_like_onnxruntime: Any) -> None:
    grid = np.random.default_rng(8).uniform(-1.4, 1.4, (1, 4, 3, 2)).astype(np.float32)
    assert_like_onnxruntime(
        "GridSample", [IMAGE, grid], opset=20, mode=mode, padding_mode=padding, align_corners=corners
    )
