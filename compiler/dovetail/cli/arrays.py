"""Arrays in files that the user names: .npy and .npz, never pickled."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dovetail.plan import RunError

Array = npt.NDArray[np.generic]
Archive = np.lib.npyio.NpzFile


def read_array(path: Path, what: str) -> Array:
    """Read one .npy file; `what` is the object for a message.

    Raises:
        RunError: the file is missing or holds something else.
    """
    array = _load(path, what)
    if isinstance(array, Archive):
        array.close()
        raise RunError(f"{what}: '{path}' holds several arrays; save the one with numpy.save")
    return _as_text(array)


def read_arrays(path: Path, what: str) -> dict[str, Array]:
    """Read all arrays of an .npz file by name.

    Raises:
        RunError: the file is missing or holds something else.
    """
    archive = _load(path, what)
    if not isinstance(archive, Archive):
        raise RunError(
            f"{what}: '{path}' holds one array without a name; save with numpy.savez(FILE, NAME=array)"
        )
    with archive:
        try:
            return {name: _as_text(archive[name]) for name in archive.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise RunError(f"{what}: '{path}' is damaged ({error}); write it again") from error


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays to an .npz file, whole or not at all.

    Raises:
        RunError: the file can't be written.
    """
    partial = path.with_name(f".{path.name}.part")
    try:
        try:
            with zipfile.ZipFile(partial, "w", allowZip64=True) as archive:
                for name, array in arrays.items():
                    # numpy.savez can't write an output that is named like one of its parameters
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                        np.lib.format.write_array(member, _as_plain(array), allow_pickle=False)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"outputs: can't write '{path}' ({error.strerror}); choose another place") from error


def _as_text(array: Array) -> Array:
    """Return text as ONNX Runtime takes it: an array of Python strings."""
    return array.astype(object) if array.dtype.kind == "U" else array


def _as_plain(array: Array) -> Array:
    """Return an array of Python strings as one that needs no pickle."""
    return array.astype(np.str_) if array.dtype.kind == "O" else array


def _load(path: Path, what: str) -> Array | Archive:
    try:
        loaded: Array | Archive = np.load(path, allow_pickle=False)
    except OSError as error:
        raise RunError(f"{what}: can't read '{path}' ({error.strerror or error}); check the path") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise RunError(
            f"{what}: '{path}' is no NumPy file of numbers or text; save it with numpy.save"
        ) from error
    return loaded
