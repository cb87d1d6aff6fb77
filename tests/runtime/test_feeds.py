"""Every way in which feeds can be wrong is one line that names the input."""

import numpy as np
import numpy.typing as npt
import pytest

from dovetail.plan import RunError, TensorSpec
from dovetail.runtime.feeds import check_feeds

SPECS = (
    TensorSpec("x", "float32", (1, "n", None)),
    TensorSpec("y", "int64", ("n",)),
)
GOOD: dict[str, npt.NDArray[np.generic]] = {"x": np.zeros((1, 2, 5), np.float32), "y": np.zeros(2, np.int64)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"z": np.zeros(1)}, "input 'z': the plan has no such input; choose one of 'x', 'y'"),
        ({"y": None}, "input 'y': no value given, the plan wants 'x', 'y'; give one"),
        ({"x": np.zeros((1, 2, 5))}, "input 'x': must be float32, got float64; convert it"),
        ({"y": np.array(["a", "b"])}, "input 'y': must be int64, got string; convert it"),
        ({"y": np.array([None, 1])}, "input 'y': must be int64, got object; convert it"),
        (
            {"x": np.zeros((2, 5), np.float32)},
            "input 'x': must have rank 3, shape [1, n, ?], got shape [2, 5]; reshape it",
        ),
        (
            {"x": np.zeros((3, 2, 5), np.float32)},
            "input 'x': dimension 0 must be 1, shape [1, n, ?], got shape [3, 2, 5]; reshape it",
        ),
        (
            {"y": np.zeros(3, np.int64)},
            "input 'y': dimension 0 (n) must be 2 as in input 'x', got 3; give both the same size",
        ),
    ],
)
def test_wrong_feeds(change: dict[str, npt.NDArray[np.generic] | None], message: str) -> None:
    feeds = {name: value for name, value in {**GOOD, **change}.items() if value is not None}
    with pytest.raises(RunError) as caught:
        check_feeds(SPECS, feeds)
    assert str(caught.value) == message


def test_good_feeds_are_not_copied() -> None:
    arrays = check_feeds(SPECS, GOOD)
    assert all(np.shares_memory(arrays[name], GOOD[name]) for name in GOOD)


def test_unknown_rank_takes_any() -> None:
    value = np.zeros((1, 2, 3, 4), np.float32)
    assert check_feeds([TensorSpec("x", "float32", None)], {"x": value})["x"].shape == value.shape


def test_bytes_become_objects() -> None:
    arrays = check_feeds([TensorSpec("x", "string", (1,))], {"x": np.array([b"a"])})
    assert arrays["x"].dtype == object
