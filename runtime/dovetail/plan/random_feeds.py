"""Made-up inputs for a plan, the same for the same seed."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from dovetail.plan.errors import RunError
from dovetail.plan.schema import TensorSpec

Array = npt.NDArray[np.generic]

MAX_ELEMENTS: Final = 2**28
"""An input of more elements is refused: it would not fit in memory, and no picture or text is that large."""

# 32 and 64 bits hold indices, masks and token ids, for which 0 and 1 are nearly always allowed;
# fewer bits hold pictures and quantized values.
_INDEX_LIMIT: Final = 2
_VALUE_LIMIT: Final = 128


def random_feeds(
    plan_inputs: Sequence[TensorSpec], seed: int, sizes: Mapping[str, int] | None = None
) -> dict[str, Array]:
    """Return a value for every input.

    Floats are standard normal, 32 and 64 bit integers 0 or 1, smaller integers in [0, 128), booleans and
    strings drawn from two values.

    Args:
        plan_inputs: inputs of a plan.
        seed: the same seed gives the same values.
        sizes: sizes of symbolic dimensions by name; 1 where it has none, and for unnamed dimensions.

    Raises:
        RunError: an input's rank is unknown, its type can't be made up, or it is too large.
    """
    generator = np.random.default_rng(seed)
    return {spec.name: _draw(generator, spec, _shape(spec, sizes or {})) for spec in plan_inputs}


def _shape(spec: TensorSpec, sizes: Mapping[str, int]) -> tuple[int, ...]:
    if spec.shape is None:
        raise RunError(f"input '{spec.name}': its rank is unknown, so no value can be made up; give one")
    shape = tuple(dim if isinstance(dim, int) else sizes.get(dim or "", 1) for dim in spec.shape)
    if math.prod(shape) > MAX_ELEMENTS:
        raise RunError(
            f"input '{spec.name}': a made-up value may have {MAX_ELEMENTS} elements, "
            f"got shape {list(shape)}; give a value"
        )
    return shape


def _draw(generator: np.random.Generator, spec: TensorSpec, shape: tuple[int, ...]) -> Array:
    if spec.dtype == "string":
        return np.asarray(generator.choice(np.array(["a", "b"], dtype=object), size=shape), dtype=object)
    try:
        dtype = np.dtype(spec.dtype)
    except TypeError as error:
        raise RunError(f"input '{spec.name}': no value of type '{spec.dtype}' can be made up; give one") from error
    if dtype.kind in "fV":  # V: bfloat16 and the 8-bit floats of ml_dtypes
        return np.asarray(generator.standard_normal(shape)).astype(dtype)
    if dtype.kind == "c":
        pair = generator.standard_normal((2, *shape))
        return np.asarray(pair[0] + 1j * pair[1]).astype(dtype)
    if dtype.kind == "b":
        return np.asarray(generator.integers(0, 2, shape)).astype(dtype)
    limit = _INDEX_LIMIT if dtype.itemsize >= 4 else _VALUE_LIMIT
    return np.asarray(generator.integers(0, limit, shape)).astype(dtype)
