"""Operators that move, pick and sum elements, with random attributes, against ONNX Runtime on the CPU."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# each example makes a model of its own, so that a fixture which lives longer shares nothing between them
MANY = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SHAPES = st.lists(st.integers(1, 5), min_size=1, max_size=4)


def counted(shape: Any, dtype: Any = np.float32) -> Any:
    return (np.arange(np.prod(shape, dtype=int)) % 97).reshape(shape).astype(dtype)


def int64(values: Any) -> Any:
    return np.array(values, dtype=np.int64)


@MANY
@given(data=st.data(), shape=SHAPES)
def test_slice(data: st.DataObject, shape: list[int], assert_like_onnxruntime: Any) -> None:
    axes = data.draw(st.lists(st.integers(0, len(shape) - 1), min_size=1, unique=True))
    bounds = st.lists(
        st.integers(-8, 8) | st.sampled_from([-(2**63), 2**31 - 1, 2**63 - 1]), min_size=len(axes), max_size=len(axes)
    )
    steps = data.draw(st.lists(st.sampled_from([-3, -2, -1, 1, 2, 3]), min_size=len(axes), max_size=len(axes)))
    signed = [axis - data.draw(st.sampled_from([0, len(shape)])) for axis in axes]
    inputs = [counted(shape), *(int64(each) for each in (data.draw(bounds), data.draw(bounds), signed, steps))]
    assert_like_onnxruntime("Slice", inputs)


@MANY
@given(data=st.data(), shape=SHAPES, indices=st.lists(st.integers(1, 3), max_size=2))
def test_gather(data: st.DataObject, shape: list[int], indices: list[int], assert_like_onnxruntime: Any) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    places = np.resize(data.draw(st.lists(st.integers(-shape[axis], shape[axis] - 1), min_size=3)), indices)
    assert_like_onnxruntime("Gather", [counted(shape, np.int32), int64(places)], axis=axis)


@MANY
@given(data=st.data(), shape=SHAPES, reduction=st.sampled_from(["none", "add", "mul", "max", "min"]))
def test_elements_are_gathered_and_scattered(
    data: st.DataObject, shape: list[int], reduction: str, assert_like_onnxruntime: Any
) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    count = data.draw(st.integers(1, shape[axis]))
    part = list(shape)
    part[axis] = count
    # no place twice along the axis: which of two is written is not said
    order = data.draw(st.permutations(range(shape[axis])))[:count]
    along = [1] * len(shape)
    along[axis] = count
    places = np.broadcast_to(int64(order).reshape(along), part) - data.draw(st.sampled_from([0, shape[axis]]))
    places = np.ascontiguousarray(places)
    assert_like_onnxruntime("GatherElements", [counted(shape), places], axis=axis)
    updates = [counted(shape), places, counted(part) + 2]
    assert_like_onnxruntime("ScatterElements", updates, opset=18, axis=axis, reduction=reduction)


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "max", "min"])
def test_slices_are_scattered_by_coordinates(reduction: str, assert_like_onnxruntime: Any) -> None:
    inputs = [counted([4, 3, 2]), int64([[[1, 0]], [[-1, 2]]]), counted([2, 1, 2]) - 2]
    assert_like_onnxruntime("ScatterND", inputs, opset=18, reduction=reduction)


@MANY
@given(data=st.data(), shared=st.integers(0, 2))
def test_gather_by_coordinates(data: st.DataObject, shared: int, assert_like_onnxruntime: Any) -> None:
    width = data.draw(st.integers(1, 4 - shared))
    lengths = [2, 3, 4, 5]
    rows = [data.draw(st.integers(-lengths[shared + at], lengths[shared + at] - 1)) for at in range(width)]
    places = np.broadcast_to(int64(rows), [*lengths[:shared], 3, width])
    inputs = [counted(lengths), np.ascontiguousarray(places)]
    assert_like_onnxruntime("GatherND", inputs, batch_dims=shared)


@MANY
@given(data=st.data(), mode=st.sampled_from(["constant", "edge", "reflect", "wrap"]))
def test_pad(data: st.DataObject, mode: str, assert_like_onnxruntime: Any) -> None:
    shape = data.draw(st.lists(st.integers(3, 5), min_size=1, max_size=3))
    lengths = st.integers(-1 if mode == "constant" else 0, 2)
    pads = data.draw(st.lists(lengths, min_size=2 * len(shape), max_size=2 * len(shape)))
    value = np.array(7, np.float32) if mode == "constant" else None
    assert_like_onnxruntime("Pad", [counted(shape), int64(pads), value], mode=mode)


_REDUCTIONS = ["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare"]


@MANY
@given(data=st.data(), shape=SHAPES, name=st.sampled_from(_REDUCTIONS), keep=st.booleans())
def test_reductions(data: st.DataObject, shape: list[int], name: str, keep: bool, assert_like_onnxruntime: Any) -> None:
    axes = data.draw(st.lists(st.integers(0, len(shape) - 1), unique=True))
    nothing = data.draw(st.booleans())
    values = (counted(shape) + 1) / 50
    settings_ = {"keepdims": int(keep), "noop_with_empty_axes": int(nothing)}
    assert_like_onnxruntime(f"Reduce{name}", [values, int64(axes)], opset=18, **settings_)


@MANY
@given(data=st.data(), shape=SHAPES, keep=st.booleans(), last=st.booleans(), name=st.sampled_from(["ArgMax", "ArgMin"]))
def test_places_of_extremes(
    data: st.DataObject, shape: list[int], keep: bool, last: bool, name: str, assert_like_onnxruntime: Any
) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    values = counted(shape) % 3  # many are equal
    assert_like_onnxruntime(name, [values], axis=axis, keepdims=int(keep), select_last_index=int(last))


@MANY
@given(data=st.data(), shape=SHAPES, largest=st.booleans())
def test_the_largest_and_their_places(
    data: st.DataObject, shape: list[int], largest: bool, assert_like_onnxruntime: Any
) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    count = data.draw(st.integers(0, shape[axis]))
    assert_like_onnxruntime("TopK", [counted(shape) % 4, int64([count])], 2, axis=axis, largest=int(largest))


@MANY
@given(data=st.data(), shape=SHAPES, exclusive=st.booleans(), backwards=st.booleans())
def test_running_sums(
    data: st.DataObject, shape: list[int], exclusive: bool, backwards: bool, assert_like_onnxruntime: Any
) -> None:
    axis = int64(data.draw(st.integers(-len(shape), len(shape) - 1)))
    assert_like_onnxruntime("CumSum", [counted(shape), axis], exclusive=int(exclusive), reverse=int(backwards))


@pytest.mark.parametrize(("length", "parts"), [(7, 3), (6, 3), (2, 2)])
def test_a_split_into_parts_leaves_the_rest_to_the_last(length: int, parts: int, assert_like_onnxruntime: Any) -> None:
    assert_like_onnxruntime("Split", [counted([2, length])], parts, axis=-1, num_outputs=parts)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
@pytest.mark.parametrize("empty", [[0], [2, 0, 3]])
def test_tensors_of_nothing(dtype: Any, empty: list[int], assert_like_onnxruntime: Any) -> None:
    nothing = np.zeros(empty, dtype)
    assert_like_onnxruntime("Add", [nothing, np.ones(empty[-1:], dtype)])
    assert_like_onnxruntime("Concat", [nothing, nothing], 1, axis=0)
    assert_like_onnxruntime("Reshape", [nothing, int64([0, -1])] if len(empty) > 1 else [nothing, int64([-1])])
    assert_like_onnxruntime("Transpose", [nothing])
    assert_like_onnxruntime("ReduceSum", [nothing, int64([0])], keepdims=0)
