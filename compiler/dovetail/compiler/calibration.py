"""Samples to calibrate on: an .npz, a folder of .npy files, or what a program hands over one by one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from dovetail.plan.arrays import read_array, read_arrays
from dovetail.plan.errors import RunError
from dovetail.plan.naming import meant, shown
from dovetail.plan.schema import TensorSpec

Array = npt.NDArray[np.generic]
Calibration = str | Path | Iterable[Mapping[str, Array]]

MAX_SAMPLES: Final = 1000
"""Further ones are not read: ranges hardly change by then, and an iterable may have no end."""


def read_samples(specs: Sequence[TensorSpec], source: Calibration) -> Iterator[dict[str, Array]]:
    """Yield an array for every input, sample by sample; the first 1000.

    Args:
        specs: the model's inputs.
        source: an .npz with an array for each input, which has one dimension more than the input, or the input's
            dimensions with several samples along the first; a folder of .npy files, one a sample, for a model of one
            input; or an iterable of mappings from input to array.

    Raises:
        RunError: a file can't be read; names, shapes or types are not those of the inputs; a number is not finite.
    """
    if isinstance(source, str | Path):
        path, what = Path(source), f"calibration '{source}'"
        if not path.exists():
            raise RunError(f"{what}: does not exist; give an .npz, or a folder of .npy files")
        samples = _from_folder(path, specs, what) if path.is_dir() else _from_archive(path, specs, what)
    else:
        samples, what = iter(source), "calibration"
    for number, sample in enumerate(islice(samples, MAX_SAMPLES)):
        yield _checked(sample, specs, f"{what}: sample {number}")


def _from_folder(path: Path, specs: Sequence[TensorSpec], what: str) -> Iterator[Mapping[str, Array]]:
    if len(specs) != 1:
        names = _list(spec.name for spec in specs)
        raise RunError(f"{what}: a folder is for models of one input, this one has {names}; give an .npz")
    files = sorted(path.glob("*.npy"))
    if not files:
        raise RunError(f"{what}: holds no .npy file; save each sample with numpy.save")
    (spec,) = specs
    for file in files:
        array = read_array(file, "calibration")
        is_bare = spec.shape is not None and array.ndim == len(spec.shape) - 1 and not _is_size(spec.shape[0], 2)
        yield {spec.name: array[None] if is_bare else array}


def _from_archive(path: Path, specs: Sequence[TensorSpec], what: str) -> Iterator[Mapping[str, Array]]:
    arrays = read_arrays(path, "calibration")
    _check_names(arrays, specs, what)
    parts = {spec.name: _split(arrays[spec.name], spec, what) for spec in specs}
    counts = {name: len(each) for name, each in parts.items()}
    if len(set(counts.values())) > 1:
        got = ", ".join(f"{count} for '{name}'" for name, count in counts.items())
        raise RunError(f"{what}: every input needs the same number of samples, got {got}; give as many of each")
    for number in range(min(counts.values(), default=0)):
        yield {name: each[number] for name, each in parts.items()}


def _split(array: Array, spec: TensorSpec, what: str) -> Sequence[Array]:
    """The samples in an array: along a dimension of their own, or along the input's first one."""
    rank = None if spec.shape is None else len(spec.shape)
    if rank is not None and array.ndim == rank and rank > 0 and spec.shape is not None:
        size = spec.shape[0] if isinstance(spec.shape[0], int) else 1
        return [array[start : start + size] for start in range(0, len(array) - size + 1, size)] if size else []
    if array.ndim == 0 or (rank is not None and array.ndim != rank + 1):
        raise RunError(
            f"{what}: '{spec.name}' has the shape {list(array.shape)}, its samples must have "
            f"{_shown(spec.shape)}; stack them along a first dimension"
        )
    return list(array)


def _checked(sample: object, specs: Sequence[TensorSpec], what: str) -> dict[str, Array]:
    if not isinstance(sample, Mapping):
        raise RunError(f"{what}: must be a mapping from input to array, got {type(sample).__name__}; give one")
    _check_names(sample, specs, what)
    return {spec.name: _checked_array(np.asarray(sample[spec.name]), spec, what) for spec in specs}


def _check_names(given: Mapping[str, object], specs: Sequence[TensorSpec], what: str) -> None:
    names = [spec.name for spec in specs]
    for name in names:
        if name not in given:
            raise RunError(f"{what}: has no array for input '{name}', it has {_list(given)}; add one")
    for name in given:
        if name not in names:
            raise RunError(f"{what}: the model has no input {shown(name)}; {meant(name, names)}")


def _checked_array(array: Array, spec: TensorSpec, what: str) -> Array:
    if array.dtype != np.dtype(spec.dtype):
        raise RunError(f"{what}: '{spec.name}' must be {spec.dtype}, got {array.dtype}; convert it with astype")
    if spec.shape is not None and not _fits(array.shape, spec):
        raise RunError(
            f"{what}: '{spec.name}' must have the shape {_shown(spec.shape)}, got {list(array.shape)}; reshape it"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise RunError(f"{what}: '{spec.name}' holds NaN or infinity; take the sample out")
    return array


def _fits(shape: tuple[int, ...], spec: TensorSpec) -> bool:
    wanted = spec.shape or ()
    return len(shape) == len(wanted) and all(
        size == dim or not isinstance(dim, int) for size, dim in zip(shape, wanted, strict=True)
    )


def _is_size(dim: int | str | None, least: int) -> bool:
    return isinstance(dim, int) and dim >= least


def _shown(shape: tuple[int | str | None, ...] | None) -> str:
    return "any shape" if shape is None else f"[{', '.join('?' if dim is None else str(dim) for dim in shape)}]"


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "none"
