"""How close two tensors are: by hand, and against the formulas written once more."""

import math
from typing import Any, Final

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from dovetail.compiler.closeness import EQUAL, FAR, LIMIT_DB, Array, Closeness, Numerics, as_check, compare, worst

NAN: Final = math.nan
INF: Final = math.inf
NUMERICS: Final[tuple[Numerics, ...]] = ("fp32", "fp16", "int8")
FLOATS: Final = st.floats(-1e4, 1e4, width=32)


def f32(*values: float) -> Array:
    return np.array(values, np.float32)


def test_figures_by_hand() -> None:
    close = compare([f32(3, 4, 0.5)], [f32(3, 4, 0)])
    assert close.max_abs_error == 0.5
    assert close.snr_db == pytest.approx(20.0)  # 25 over 0.25
    assert close.cosine == pytest.approx(25 / math.sqrt(25 * 25.25))


def test_complex_numbers_turned_by_a_quarter_point_nowhere_near() -> None:
    close = compare([np.array([3j, 4j])], [np.array([3, 4], np.complex64)])
    assert close.max_abs_error == pytest.approx(math.sqrt(32))
    assert close.snr_db == pytest.approx(10 * math.log10(0.5))
    assert close.cosine == pytest.approx(0.0)
    assert compare([np.array([2j])], [np.array([1j])]).cosine == pytest.approx(1.0)


def test_figures_are_of_all_samples_together() -> None:
    close = compare([f32(1, 0), f32(0, -3)], [f32(0, 0), f32(0, 10)])
    assert close.max_abs_error == 13
    assert close.snr_db == pytest.approx(10 * math.log10(100 / 170))
    assert close.cosine == pytest.approx(-30 / math.sqrt(100 * 10))


@pytest.mark.parametrize(
    "same",
    [
        f32(1, -2),
        f32(NAN, INF, -INF, 1),
        f32(),
        np.array(3, np.int64),
        np.array([True, False]),
        np.array(["a", "bc"], object),
        np.array([1 + 2j]),
        np.array([1.5], ml_dtypes.bfloat16),
    ],
    ids=str,
)
def test_equal_tensors_are_equal(same: Array) -> None:
    assert compare([same, same], [same.copy(), same.copy()]) == EQUAL
    assert compare([], []) == EQUAL


def test_text_of_another_type_is_the_same_text() -> None:
    assert compare([np.array(["a", "bc"])], [np.array(["a", "bc"], object)]) == EQUAL


@pytest.mark.parametrize(
    ("got", "wanted"),
    [
        (f32(NAN), f32(1)),
        (f32(1), f32(NAN)),
        (f32(INF), f32(3e38)),
        (f32(3e38), f32(INF)),
        (f32(INF), f32(-INF)),
        (f32(1, 2), f32(1, 2, 3)),
        (f32(1), np.array(1, np.float32)),
        (f32(), f32(1)),
        (np.array(["a"]), np.array(["b"], object)),
    ],
    ids=str,
)
def test_what_can_not_be_compared_is_far(got: Array, wanted: Array) -> None:
    assert compare([f32(1), got], [f32(1), wanted]) == FAR


def test_what_is_not_finite_in_both_leaves_the_other_figures_alone() -> None:
    plain = compare([f32(1, 2.5)], [f32(1, 2)])
    assert compare([f32(NAN, 1, INF, 2.5, -INF)], [f32(NAN, 1, INF, 2, -INF)]) == plain


def test_against_nothing_but_zeros_every_error_is_noise() -> None:
    assert compare([f32(0, 0.5)], [f32(0, 0)]) == Closeness(0.5, -200.0, 0.0)
    assert compare([f32(0, 0)], [f32(1, 0)]) == Closeness(1.0, 0.0, 0.0)


@pytest.mark.parametrize(("got", "wanted"), [(255, 1), (1, 255)])
def test_integers_do_not_wrap_around(got: int, wanted: int) -> None:
    assert compare([np.array([got], np.uint8)], [np.array([wanted], np.uint8)]).max_abs_error == 254
    assert compare([np.array([True])], [np.array([False])]).max_abs_error == 1


@pytest.mark.parametrize(
    ("got", "wanted"),
    [(1e-170, 2e-170), (1e10, 1e-160), (1e-90, 1.5e-90), (1e200, 2e200), (1e308, -1e308), (5e-324, 0.0)],
)
def test_numbers_whose_square_is_no_float64(got: float, wanted: float) -> None:
    close = compare([np.array([got, 1e-95])], [np.array([wanted, 1e-95])])
    assert not math.isnan(close.snr_db)
    assert not math.isnan(close.cosine)
    assert -200 <= close.snr_db <= 200


def test_a_mask_that_is_the_same_in_both_is_no_signal() -> None:
    least = np.finfo(np.float64).min
    masked = compare([np.array([least, 1, 2.5])], [np.array([least, 1, 2.0])])
    assert masked == compare([np.array([1, 2.5])], [np.array([1, 2.0])])


@given(st.lists(arrays_of.arrays(np.float32, (3, 2), elements=FLOATS), min_size=2, max_size=6))
def test_figures_against_the_formulas(tensors: list[Array]) -> None:
    half = len(tensors) // 2
    got, wanted = tensors[:half], tensors[half : 2 * half]
    a, b = (np.concatenate(side).astype(np.float64).ravel() for side in (got, wanted))
    close = compare(got, wanted)
    assert close.max_abs_error == pytest.approx(np.abs(a - b).max())
    if not np.square(a - b).sum():
        assert close == EQUAL
        return
    if not np.square(b).sum():
        assert (close.snr_db, close.cosine) == (-200, 0)
        return
    assert close.snr_db == pytest.approx(
        np.clip(10 * np.log10(np.square(b).sum() / np.square(a - b).sum()), -200, 200), abs=1e-6
    )
    if np.square(a).sum():
        assert close.cosine == pytest.approx(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)), abs=1e-9)


@given(st.lists(FLOATS, min_size=1, max_size=8), st.floats(-60, 60))
def test_the_scale_of_a_tensor_changes_nothing_but_the_largest_error(values: list[float], scale_db: float) -> None:
    scale, wanted = 10 ** (scale_db / 20), np.array(values, np.float64)
    got = wanted + np.linspace(0.1, 1, wanted.size)
    one, other = compare([got], [wanted]), compare([got * scale], [wanted * scale])
    assert other.snr_db == pytest.approx(one.snr_db, abs=1e-3)
    assert other.cosine == pytest.approx(one.cosine, abs=1e-6)
    assert other.max_abs_error == pytest.approx(one.max_abs_error * scale, rel=1e-6)


@pytest.mark.parametrize("numerics", NUMERICS)
def test_limits_at_both_edges(numerics: Numerics) -> None:
    limit = LIMIT_DB[numerics]
    assert Closeness(5.0, limit, 1.0).holds(limit, numerics)
    assert not Closeness(5.0, math.nextafter(limit, 0), 1.0).holds(limit, numerics)


@pytest.mark.parametrize(("numerics", "near"), [("fp32", 1e-6), ("fp16", 1e-3), ("int8", 1e-3)])
def test_an_error_that_is_nearly_nothing_is_never_wrong(numerics: Numerics, near: float) -> None:
    assert Closeness(near, -200.0, 0.0).holds(200.0, numerics)
    assert not Closeness(near * 1.001, -200.0, 0.0).holds(200.0, numerics)


def test_integers_are_allowed_least_and_full_floats_most() -> None:
    assert LIMIT_DB["int8"] < LIMIT_DB["fp16"] < LIMIT_DB["fp32"]


def test_the_worst_is_the_least_close() -> None:
    near, middle = Closeness(9.0, 90.0, 1.0), Closeness(0.1, 30.0, 0.9)
    assert worst([near, middle, EQUAL]) == middle
    assert worst([near, FAR]) == FAR
    assert worst([]) == EQUAL


@pytest.mark.parametrize(
    ("close", "error", "holds"), [(EQUAL, 0.0, True), (FAR, None, False), (Closeness(2.0, 39.9, 0.5), 2.0, False)]
)
def test_the_record_of_a_tensor(close: Closeness, error: Any, holds: bool) -> None:
    check = as_check("000-npu", "y", close, 40.0, "fp16")
    assert (check.partition, check.tensor, check.limit_db) == ("000-npu", "y", 40.0)
    assert (check.max_abs_error, check.snr_db, check.cosine) == (error, close.snr_db, close.cosine)
    assert check.holds == holds
