"""Inputs from files and made-up inputs."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.cli.feeds import gather_feeds
from dovetail.plan import RunError, TensorSpec
from dovetail.plan.arrays import Array, read_array, read_arrays, write_arrays
from dovetail.plan.random_feeds import random_feeds

IMAGE = TensorSpec("image", "float32", (1, 3, 4, 4))
MASK = TensorSpec("mask", "int64", ("batch", 2))


@given(
    st.sampled_from(["float16", "float32", "float64", "int8", "uint8", "int32", "int64", "bool", "complex64"]),
    st.lists(st.integers(0, 4), max_size=3),
    st.integers(0, 2**32),
)
def test_made_up_values_fit_the_spec_and_repeat(dtype: str, shape: list[int], seed: int) -> None:
    spec = TensorSpec("x", dtype, tuple(shape))

    value = random_feeds([spec], seed)["x"]

    assert (str(value.dtype), list(value.shape)) == (dtype, shape)
    assert np.array_equal(value, random_feeds([spec], seed)["x"])
    if dtype in ("int32", "int64"):
        assert set(value.reshape(-1).tolist()) <= {0, 1}
    if dtype in ("int8", "uint8"):
        assert all(0 <= item < 128 for item in value.reshape(-1).tolist())


@pytest.mark.parametrize("shape", [(), (2, 2)])
def test_made_up_text(shape: tuple[int, ...]) -> None:
    value = random_feeds([TensorSpec("t", "string", shape)], 0)["t"]

    assert (value.dtype, value.shape) == (np.dtype(object), shape)
    assert all(isinstance(item, str) for item in value.reshape(-1).tolist())


def test_symbolic_dimensions_take_their_size_or_one() -> None:
    spec = TensorSpec("x", "float32", ("batch", None, "length"))

    assert random_feeds([spec], 0, {"length": 7})["x"].shape == (1, 1, 7)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (TensorSpec("x", "float32", None), "'x': its rank is unknown"),
        (TensorSpec("x", "no_such_type", (1,)), "'x': no value of type 'no_such_type'"),
        (TensorSpec("x", "float32", (2**20, 2**20)), "'x': a made-up value may have"),
    ],
)
def test_what_can_not_be_made_up(spec: TensorSpec, message: str) -> None:
    with pytest.raises(RunError, match=message):
        random_feeds([spec], 0)


def test_given_values_stand_and_the_rest_is_made_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "image.npy", np.full((1, 3, 4, 4), 2, np.float32))

    feeds = gather_feeds([IMAGE, MASK], {"image": tmp_path / "image.npy"}, seed=0)

    assert list(feeds) == ["image", "mask"]
    assert np.all(feeds["image"] == 2)
    assert feeds["mask"].shape == (1, 2)
    assert capsys.readouterr().err == "warning: symbolic dimensions are 1 in made-up inputs: batch\n"


def test_missing_values_are_named() -> None:
    with pytest.raises(RunError, match=r"no value for 'image', 'mask'; give --input NAME=FILE.npy"):
        gather_feeds([IMAGE, MASK], {}, seed=None)


def test_unknown_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="--input img: the plan has no such input; did you mean 'image'"):
        gather_feeds([IMAGE, MASK], {"img": tmp_path / "image.npy"}, seed=0)


@pytest.mark.parametrize(
    "array",
    [np.arange(6).reshape(2, 3), np.array(["a", "ß"], dtype=object), np.array(1.5), np.zeros((0, 2), np.float16)],
)
def test_arrays_come_back_as_they_were_written(tmp_path: Path, array: Array) -> None:
    file = tmp_path / "outputs.npz"

    write_arrays(file, {"/model/out": array, "file": array})

    for name, read in read_arrays(file, "outputs").items():
        assert name in ("/model/out", "file")
        assert read.dtype == array.dtype
        assert np.array_equal(read, array)
    assert list(tmp_path.iterdir()) == [file]


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "outputs.npz").mkdir()

    with pytest.raises(RunError, match="can't be written"):
        write_arrays(tmp_path / "outputs.npz", {"y": np.zeros(1)})
    assert [path.name for path in tmp_path.iterdir()] == ["outputs.npz"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist; check the path"),
        (b"", "is no NumPy file"),
        (b"not an array", "is no NumPy file"),
        (b"\x93NUMPY\x01\x00", "is no NumPy file"),
        (b"PK\x03\x04 broken", "is no NumPy file"),
    ],
)
def test_file_that_is_no_array(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "x.npy"
    if content is not None:
        file.write_bytes(content)

    for read in (read_array, read_arrays):
        with pytest.raises(RunError, match=message) as caught:
            read(file, "input 'x'")
        assert "input 'x'" in str(caught.value)


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{}], dtype=object), allow_pickle=True)

    with pytest.raises(RunError, match="is no NumPy file of numbers or text"):
        read_array(tmp_path / "x.npy", "input 'x'")


def test_one_array_and_several_are_not_taken_for_each_other(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.zeros(1))
    np.savez(tmp_path / "several.npz", a=np.zeros(1))

    with pytest.raises(RunError, match="holds one array without a name"):
        read_arrays(tmp_path / "one.npy", "--inputs")
    with pytest.raises(RunError, match="holds several arrays"):
        read_array(tmp_path / "several.npz", "input 'x'")
