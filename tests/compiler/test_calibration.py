"""Samples to calibrate on: the forms that are read, and what is wrong with others, in one line."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from dovetail.compiler.calibration import read_samples
from dovetail.plan import RunError, TensorSpec

X = TensorSpec("x", "float32", (1, 3))
ANY = TensorSpec("x", "float32", ("n", 3))
PAIR = TensorSpec("x", "float32", (2, 3))
AGE = TensorSpec("age", "int64", ())

Array = npt.NDArray[Any]


def ramp(*shape: int) -> Array:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


@pytest.mark.parametrize("spec", [X, ANY])
@pytest.mark.parametrize("shape", [(4, 3), (4, 1, 3)])
def test_an_archive_holds_samples_along_the_first_dimension(
    tmp_path: Path, spec: TensorSpec, shape: tuple[int, ...]
) -> None:
    np.savez(tmp_path / "s.npz", x=ramp(*shape))
    read = list(read_samples([spec], tmp_path / "s.npz"))
    assert [sample["x"].shape for sample in read] == [(1, 3)] * 4
    assert np.concatenate([sample["x"] for sample in read]).tolist() == ramp(4, 3).tolist()


def test_a_sample_has_as_many_rows_as_the_input(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", x=ramp(5, 3))
    read = list(read_samples([PAIR], tmp_path / "s.npz"))
    assert [sample["x"].tolist() for sample in read] == [ramp(5, 3)[:2].tolist(), ramp(5, 3)[2:4].tolist()]


def test_inputs_go_together_by_their_place(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", age=np.array([7, 8]), x=ramp(2, 1, 3))
    read = list(read_samples([X, AGE], tmp_path / "s.npz"))
    assert [int(sample["age"]) for sample in read] == [7, 8]


@pytest.mark.parametrize("shape", [(1, 3), (3,)])
def test_a_folder_holds_a_sample_in_each_file_by_name(tmp_path: Path, shape: tuple[int, ...]) -> None:
    for number in (2, 0, 1):
        np.save(tmp_path / f"{number}.npy", np.full(shape, number, np.float32))
    (tmp_path / "notes.txt").write_text("not a sample")
    read = list(read_samples([X], tmp_path))
    assert [sample["x"].tolist() for sample in read] == [[[number] * 3] for number in range(3)]


def _archive(**arrays: Array) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        np.savez(folder / "s.npz", allow_pickle=False, **arrays)
        return folder / "s.npz"

    return make


def _files(**files: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / "s").mkdir()
        for name, data in files.items():
            (folder / "s" / f"{name}.npy").write_bytes(data)
        return folder / "s"

    return make


@pytest.mark.parametrize(
    ("make", "specs", "words"),
    [
        (lambda folder: folder / "none.npz", [X], "does not exist; give an .npz, or a folder of .npy files"),
        (_archive(), [X], "has no array for input 'x', it has none; add one"),
        (_archive(y=ramp(4, 3)), [X], "has no array for input 'x', it has 'y'; add one"),
        (_archive(x=ramp(4, 3), y=ramp(4)), [X], "the model has no input 'y'; choose 'x'"),
        (_archive(x=ramp(4, 3, 2, 2)), [X], r"'x' has the shape \[4, 3, 2, 2\], its samples must have \[1, 3\]"),
        (_archive(x=ramp()), [X], r"'x' has the shape \[\], its samples must have"),
        (_archive(x=ramp(4, 5)), [X], r"sample 0: 'x' must have the shape \[1, 3\], got \[1, 5\]"),
        (_archive(x=ramp(4, 3).astype(np.float64)), [X], "sample 0: 'x' must be float32, got float64; convert it with"),
        (_archive(x=np.full((4, 3), np.nan, np.float32)), [X], "sample 0: 'x' holds NaN or infinity; take the sample"),
        (
            _archive(x=ramp(4, 3), age=np.arange(3)),
            [X, AGE],
            "every input needs .*, got 4 for 'x', 3 for 'age'",
        ),
        (_files(), [X], "holds no .npy file; save each sample with numpy.save"),
        (_files(a=b"no array"), [X], "'.*a.npy' is no NumPy file of numbers or text"),
        (_files(), [X, AGE], "a folder is for models of one input, this one has 'x', 'age'; give an .npz"),
    ],
)
def test_files_that_do_not_fit_are_refused(
    tmp_path: Path, make: Callable[[Path], Path], specs: list[TensorSpec], words: str
) -> None:
    with pytest.raises(RunError, match=f"^calibration.*: {words}") as refused:
        list(read_samples(specs, make(tmp_path)))
    assert "\n" not in str(refused.value)


def test_an_array_without_a_name_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "s.npy", ramp(4, 3))
    with pytest.raises(RunError, match=r"calibration: '.*s.npy' holds one array without a name"):
        list(read_samples([X], tmp_path / "s.npy"))


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        (ramp(1, 3), "must be a mapping from input to array, got ndarray"),
        ({}, "has no array for input 'x', it has none; add one"),
        ({"x": ramp(3)}, r"'x' must have the shape \[1, 3\], got \[3\]"),
        ({"x": np.full((1, 3), np.inf, np.float32)}, "'x' holds NaN or infinity; take the sample out"),
    ],
)
def test_a_sample_of_a_program_that_does_not_fit_is_refused(sample: Mapping[str, Array], words: str) -> None:
    with pytest.raises(RunError, match=f"^calibration: sample 1: {words}"):
        list(read_samples([X], [{"x": ramp(1, 3)}, sample]))
