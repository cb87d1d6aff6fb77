"""Comparing outputs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dovetail.report import compare_outputs, worst_of
from dovetail.report.difference import Array, Difference

NAN, INF = math.nan, math.inf


def compare(got: object, wanted: object, dtype: str = "float32") -> Difference:
    arrays = np.array(got, dtype=dtype), np.array(wanted, dtype=dtype)
    (difference,) = compare_outputs({"y": arrays[0]}, {"y": arrays[1]})
    return difference


@given(hnp.arrays(st.sampled_from([np.float32, np.float16, np.int64, np.bool_]), hnp.array_shapes(min_side=0)))
def test_equal_to_itself(array: Array) -> None:
    (difference,) = compare_outputs({"y": array}, {"y": array})

    assert (difference.max_absolute, difference.max_relative, difference.differing) == (0, 0, 0)
    assert difference.cosine == pytest.approx(1)


def test_distance_magnitude_and_angle() -> None:
    difference = compare([3, 0], [3, 4])

    assert (difference.max_absolute, difference.max_relative) == (4, 1)
    assert difference.cosine == pytest.approx(3 / 5)
    assert (difference.differing, difference.elements) == (1, 2)


@pytest.mark.parametrize(
    ("got", "wanted", "distance"),
    [
        ([NAN, 1], [NAN, 1], 0),
        ([NAN], [1], INF),
        ([1], [NAN], INF),
        ([INF, -INF], [INF, -INF], 0),
        ([INF], [-INF], INF),
        ([1], [INF], INF),
        ([], [], 0),
    ],
)
def test_values_that_are_not_finite(got: list[float], wanted: list[float], distance: float) -> None:
    assert compare(got, wanted).max_absolute == distance


def test_zero_reference_has_an_infinite_relative_error() -> None:
    assert compare([1, 0], [0, 0]).max_relative == INF


@pytest.mark.parametrize("dtype", ["int64", "bool", "object"])
def test_exact_types_differ_without_measure(dtype: str) -> None:
    difference = compare([1, 0, 1], [1, 0, 0], dtype)

    assert difference.exact
    assert (difference.differing, difference.max_absolute) == (1, INF)


def test_another_shape_is_a_mismatch() -> None:
    difference = compare([1.0, 2.0], [[1.0, 2.0]])

    assert difference.mismatch == "got float32[2] for float32[1, 2]"
    assert difference.max_absolute == INF


def test_worst_of_samples() -> None:
    (worst,) = worst_of([(compare([1, 2], [1, 2]),), (compare([1, 2.5], [1, 2]),)])

    assert (worst.max_absolute, worst.differing, worst.elements) == (0.5, 1, 4)
    assert worst.cosine < 1
