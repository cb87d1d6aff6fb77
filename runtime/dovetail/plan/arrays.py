"""Arrays in files that the user names: .npy and .npz, never pickled."""

import zipfile
import zlib
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dovetail.plan.atomic import atomic_file
from dovetail.plan.errors import RunError
from dovetail.plan.files import open_regular

Array = npt.NDArray[np.generic]


def read_array(path: Path, what: str) -> Array:
    """Read one .npy file; `what` is the object for a message.

    Raises:
        RunError: the file is missing or holds something else.
    """
    array = _load(path, what)
    if isinstance(array, dict):
        raise RunError(f"{what}: '{path}' holds several arrays; save the one with numpy.save")
    return array


def read_arrays(path: Path, what: str) -> dict[str, Array]:
    """Read all arrays of an .npz file by name.

    Raises:
        RunError: the file is missing or holds something else.
    """
    arrays = _load(path, what)
    if not isinstance(arrays, dict):
        raise RunError(f"{what}: '{path}' holds one array without a name; save with numpy.savez(FILE, NAME=array)")
    return arrays


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays to an .npz file, whole or not at all.

    Raises:
        RunError: the file can't be written.
    """
    with (
        atomic_file(path, what="outputs", error=RunError) as file,
        zipfile.ZipFile(file, "w", allowZip64=True) as archive,
    ):
        for name, array in arrays.items():
            # numpy.savez can't write an output that is named like one of its parameters
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, _as_plain(array), allow_pickle=False)


def _as_text(array: Array) -> Array:
    """Return text as ONNX Runtime takes it: an array of Python strings."""
    return array.astype(object) if array.dtype.kind == "U" else array


def _as_plain(array: Array) -> Array:
    """Return an array of Python strings as one that needs no pickle."""
    return array.astype(np.str_) if array.dtype.kind == "O" else array


def _load(path: Path, what: str) -> Array | dict[str, Array]:
    # opened here: numpy.load leaves a file open that turns out to be damaged, and would wait for a pipe
    with open_regular(path, what=f"{what}: file", error=RunError) as file:
        return _loaded(file, path, what)


def _loaded(file: BufferedReader, path: Path, what: str) -> Array | dict[str, Array]:
    try:
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.lib.npyio.NpzFile):
            return {name: _as_text(loaded[name]) for name in loaded.files}
        return _as_text(loaded)
    except OSError as error:
        raise RunError(f"{what}: can't read '{path}' ({error.strerror or error}); check the disk") from error
    except (ValueError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise RunError(f"{what}: '{path}' is no NumPy file of numbers or text; save it with numpy.save") from error
