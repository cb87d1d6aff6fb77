"""The unsplit model on ONNX Runtime's CPU provider: what every plan is compared with.

The user's file goes to native code here, so it does so in a child process: a crash there is an error here.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dovetail.lowering.child import run_child
from dovetail.plan.errors import ModelError

TIME_LIMIT_S = 300
"""Seconds for loading and one run of the unsplit model."""
_CHILD = Path(__file__).with_name("reference_child.py")

Array = npt.NDArray[np.generic]


def run_reference(
    model: str | Path, feeds: Mapping[str, Array], binds: Mapping[str, Array], output_names: Sequence[str]
) -> dict[str, Array]:
    """Run a model file unsplit.

    Args:
        model: path of the .onnx file.
        feeds: arrays for the inputs that stayed inputs.
        binds: arrays for those that were fixed at compile time.
        output_names: which outputs to compute.

    Raises:
        ModelError: ONNX Runtime refused the model or the feeds, crashed, or took too long; with its words.
    """
    with tempfile.TemporaryDirectory(prefix="dovetail-reference-") as folder:
        given, results = Path(folder, "feeds.npz"), Path(folder, "results.npz")
        arrays = {**feeds, **binds}
        # numbered, since an input's name may be a word that np.savez knows
        np.savez(given, allow_pickle=False, **{f"f{i}": _storable(a) for i, a in enumerate(arrays.values())})
        texts = (json.dumps(list(arrays)), json.dumps(list(output_names)))
        command = [sys.executable, "-P", str(_CHILD), str(model), str(given), *texts, str(results)]
        try:
            done = run_child(command, seconds=TIME_LIMIT_S, stderr=subprocess.PIPE)
        except subprocess.TimeoutExpired:
            late = f"the unsplit run took over {TIME_LIMIT_S} s and was stopped"
            raise ModelError(f"model '{model}': {late}; give a smaller model") from None
        if done.returncode != 0:
            words = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {done.returncode}"]
            raise ModelError(f"model '{model}': ONNX Runtime can't run it unsplit: {words[-1][:500]}; correct it")
        with np.load(results, allow_pickle=False) as loaded:
            return {name: loaded[f"r{index}"] for index, name in enumerate(output_names)}


def _storable(array: Array) -> Array:
    """Text as NumPy's own string type: object arrays would need pickle."""
    return array.astype(str) if array.dtype.hasobject else array
