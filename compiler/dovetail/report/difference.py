"""How far the outputs of a plan are from those of the unsplit model."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]
Wide = npt.NDArray[np.float64] | npt.NDArray[np.complex128]


@dataclass(frozen=True, slots=True)
class Difference:
    """How one output differs from its reference.

    Integers, booleans and strings are compared for equality: unequal elements are infinitely far apart.
    """

    output: str
    dtype: str
    exact: bool
    """Compared for equality."""
    differing: int
    """Number of elements that are not equal; NaN equals NaN."""
    elements: int
    max_absolute: float
    """Largest distance of two elements; infinity where only one of them is finite."""
    max_relative: float
    """`max_absolute` over the largest magnitude in the reference."""
    cosine: float
    """Cosine of the angle between the two outputs as vectors; 1 where both are zero."""
    snr_db: float
    """10 * log10(sum of reference^2 / sum of error^2): infinity where nothing differs, minus infinity where nothing can
    be compared."""
    mismatch: str = ""
    """Why the two can't be compared at all, for example different shapes."""


def compare_outputs(got: Mapping[str, Array], wanted: Mapping[str, Array]) -> tuple[Difference, ...]:
    """Compare every output of `wanted` with that of the same name in `got`."""
    return tuple(compare_output(name, got[name], wanted[name]) for name in wanted)


def compare_output(name: str, got: Array, wanted: Array) -> Difference:
    """Compare one output, element by element."""
    if got.shape != wanted.shape or _family(got) != _family(wanted):
        mismatch = f"got {got.dtype}{list(got.shape)} for {wanted.dtype}{list(wanted.shape)}"
        return Difference(
            name, str(wanted.dtype), False, wanted.size, wanted.size, math.inf, math.inf, 0.0, -math.inf, mismatch
        )
    if wanted.dtype.kind in "fcV":  # V: bfloat16 and the 8-bit floats of ml_dtypes
        return _compare_floats(name, _widened(got), _widened(wanted), str(wanted.dtype))
    differing = int(np.count_nonzero(got != wanted))
    far = math.inf if differing else 0.0
    cosine = 0.0 if differing else 1.0
    return Difference(
        name, str(wanted.dtype), True, differing, wanted.size, far, far, cosine, -math.inf if differing else math.inf
    )


def worst_of(samples: Sequence[tuple[Difference, ...]]) -> tuple[Difference, ...]:
    """Return, output by output, the largest difference over several samples; elements are summed."""
    return tuple(_worst(output) for output in zip(*samples, strict=True))


def _worst(differences: tuple[Difference, ...]) -> Difference:
    first = differences[0]
    return Difference(
        output=first.output,
        dtype=first.dtype,
        exact=first.exact,
        differing=sum(each.differing for each in differences),
        elements=sum(each.elements for each in differences),
        max_absolute=max(each.max_absolute for each in differences),
        max_relative=max(each.max_relative for each in differences),
        cosine=min(each.cosine for each in differences),
        snr_db=min(each.snr_db for each in differences),
        mismatch=next((each.mismatch for each in differences if each.mismatch), ""),
    )


def _compare_floats(name: str, got: Wide, wanted: Wide, dtype: str) -> Difference:
    distance = _distance(got, wanted)
    largest = float(np.max(distance, initial=0.0))
    magnitude = float(np.max(np.abs(wanted[np.isfinite(wanted)]), initial=0.0))
    return Difference(
        output=name,
        dtype=dtype,
        exact=False,
        differing=int(np.count_nonzero(distance)),
        elements=wanted.size,
        max_absolute=largest,
        max_relative=0.0 if largest == 0.0 else largest / magnitude if magnitude else math.inf,
        cosine=_cosine(got, wanted),
        snr_db=_signal_to_noise(distance, wanted),
    )


def _family(array: Array) -> str:
    """Return the dtype's name without its size; text is text, whether as objects or of NumPy's own type."""
    return "text" if array.dtype.kind in "OUT" else array.dtype.kind


def _widened(array: Array) -> Wide:
    return array.astype(np.complex128) if array.dtype.kind == "c" else array.astype(np.float64)


def _distance(got: Wide, wanted: Wide) -> npt.NDArray[np.float64]:
    """Return |got - wanted|: 0 where both are NaN or the same infinity, infinity where only one is."""
    with np.errstate(invalid="ignore"):
        distance = np.abs(got - wanted)
    same = (got == wanted) | (np.isnan(got) & np.isnan(wanted))
    return np.where(same, 0.0, np.where(np.isnan(distance), np.inf, distance))


def _cosine(got: Wide, wanted: Wide) -> float:
    finite = np.isfinite(got) & np.isfinite(wanted)
    a, b = got[finite], wanted[finite]
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    if norms == 0.0:
        return 1.0 if np.array_equal(a, b) else 0.0
    return float(np.real(np.vdot(b, a))) / norms


def _signal_to_noise(distance: npt.NDArray[np.float64], wanted: Wide) -> float:
    noise = float(np.sum(distance**2))
    signal = float(np.sum(np.abs(wanted[np.isfinite(wanted)]) ** 2))
    if noise == 0.0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0.0 and noise < math.inf else -math.inf
