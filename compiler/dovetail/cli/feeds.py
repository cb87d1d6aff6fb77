"""The inputs that a plan runs on: from files, or made up."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dovetail.cli.screen import warn
from dovetail.plan import RunError, meant
from dovetail.plan.arrays import read_array
from dovetail.plan.random_feeds import random_feeds
from dovetail.plan.schema import TensorSpec
from dovetail.report.words import quoted

Array = npt.NDArray[np.generic]


def gather_feeds(inputs: Sequence[TensorSpec], files: Mapping[str, Path], seed: int | None) -> dict[str, Array]:
    """Return a value for every input: from its file, else made up with `seed`.

    Raises:
        RunError: a file for an input that the plan does not have, or no value for one and no seed.
    """
    names = [spec.name for spec in inputs]
    for name in files:
        if name not in names:
            raise RunError(f"--input {name}: the plan has no such input; {meant(name, names)}")
    missing = [spec for spec in inputs if spec.name not in files]
    if missing and seed is None:
        raise RunError(
            f"no value for {quoted(spec.name for spec in missing)}; "
            "give --input NAME=FILE.npy for each, or --random SEED"
        )
    made_up = made_up_feeds(missing, seed) if seed is not None else {}
    read = {name: read_array(file, f"input '{name}'") for name, file in files.items()}
    return {name: read[name] if name in read else made_up[name] for name in names}


def made_up_feeds(
    inputs: Sequence[TensorSpec], seed: int, ranges: Mapping[str, Sequence[float]] | None = None
) -> dict[str, Array]:
    """Return random values; symbolic dimensions become 1, which a warning says.

    Args:
        inputs: of a plan.
        seed: the same seed gives the same values.
        ranges: input -> its smallest and largest value, where they are known. Floats are uniform between them: outside
            of it, a quantized model would saturate.
    """
    symbols = sorted({dim for spec in inputs for dim in spec.shape or () if isinstance(dim, str)})
    unnamed = any(dim is None for spec in inputs for dim in spec.shape or ())
    if symbols or unnamed:
        shown = ", ".join(symbols + ["unnamed ones"] * unnamed)
        warn(f"symbolic dimensions are 1 in made-up inputs: {shown}")
    feeds = random_feeds(inputs, seed)
    draw = np.random.default_rng(seed)
    for name, (low, high) in (ranges or {}).items():
        if name in feeds and feeds[name].dtype.kind == "f":
            feeds[name] = draw.uniform(low, high, feeds[name].shape).astype(feeds[name].dtype)
    return feeds
