"""How close a tensor that a device has computed is to the reference."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from dovetail.plan.schema import TensorCheck

Array = npt.NDArray[Any]

Numerics = Literal["fp32", "fp16", "int8"]

LIMIT_DB: Final[Mapping[Numerics, float]] = {"fp32": 80.0, "fp16": 40.0, "int8": 20.0}
"""Signal to noise that a device of these numerics must reach, unless the user says otherwise. Of the models that the
benchmark `verified` runs on Qualcomm's simulator, fp16 partitions reach 60 dB, int8 ones 22 to 58 dB with all
rounding of 50 layers in a row, and an operator that is computed wrongly 11 dB."""
FAR_DB: Final = 200.0
"""What equal tensors count as; the opposite where one is not a number."""
_NEAR: Final[Mapping[Numerics, float]] = {"fp32": 1e-6, "fp16": 1e-3, "int8": 1e-3}
"""Absolute errors that are never held against a device: a tensor may be nearly zero everywhere."""
_HUGE: Final = 1e150
"""Squares of larger numbers are no float64: they count like infinity."""


@dataclass(frozen=True, slots=True)
class Closeness:
    """The errors of one tensor, over all samples."""

    max_abs_error: float
    snr_db: float
    """10 * log10(sum of reference^2 / sum of error^2), between -200 and 200."""
    cosine: float

    def holds(self, limit_db: float, numerics: Numerics) -> bool:
        """Whether the tensor is right, for a device of these numerics."""
        return self.snr_db >= limit_db or self.max_abs_error <= _NEAR[numerics]


EQUAL: Final = Closeness(0.0, FAR_DB, 1.0)
FAR: Final = Closeness(math.inf, -FAR_DB, 0.0)


def compare(got: Sequence[Array], wanted: Sequence[Array]) -> Closeness:
    """Compare a tensor with its reference, sample by sample; the figures are of all samples together.

    Text, tensors of another shape, and numbers that are not finite or over 1e150 are equal or infinitely far.
    """
    signal = noise = product = power = worst = 0.0
    for one, other in zip(got, wanted, strict=True):
        if one.shape != other.shape:
            return FAR
        if other.dtype.kind in "OSU":
            if not np.array_equal(one.astype(str), other.astype(str)):
                return FAR
            continue
        a, b = one.astype(np.complex128), other.astype(np.complex128)
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        with np.errstate(invalid="ignore", over="ignore"):  # of infinities, and what is near them
            error = np.where(same, 0, a - b)
        if not (np.abs(error) < _HUGE).all():
            return FAR
        a, b = (np.where(np.abs(each) < _HUGE, each, 0) for each in (a, b))
        signal += float((np.abs(b) ** 2).sum())
        power += float((np.abs(a) ** 2).sum())
        noise += float((np.abs(error) ** 2).sum())
        product += float((a * b.conj()).real.sum())
        worst = max(worst, float(np.abs(error).max(initial=0.0)))
    if noise == 0.0:
        return EQUAL
    snr = 10 * (math.log10(signal) - math.log10(noise)) if signal > 0 else -FAR_DB
    cosine = product / (math.sqrt(signal) * math.sqrt(power)) if signal > 0 and power > 0 else 0.0
    return Closeness(worst, min(max(snr, -FAR_DB), FAR_DB), cosine)


def worst(found: Sequence[Closeness]) -> Closeness:
    """The least close of several tensors."""
    return min(found, key=lambda each: each.snr_db, default=EQUAL)


def as_check(partition: str, tensor: str, close: Closeness, limit_db: float, numerics: Numerics) -> TensorCheck:
    """The record of a tensor in a certificate."""
    error = close.max_abs_error if math.isfinite(close.max_abs_error) else None
    holds = close.holds(limit_db, numerics)
    return TensorCheck(partition, tensor, error, close.snr_db, close.cosine, limit_db, holds)
