"""A plan, run as its users will run it, in a child process with limits."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dovetail.lowering.child import run_child
from dovetail.plan.errors import LoweringError

Array = npt.NDArray[np.generic]

TIME_LIMIT_S = 600
_CHILD = Path(__file__).with_name("plan_child.py")


def run_plan(
    plan: Path, samples: Sequence[Mapping[str, Array]], outputs: Sequence[str]
) -> tuple[dict[str, list[Array]], dict[str, str]]:
    """Run a plan on some samples.

    Args:
        plan: its folder.
        samples: an array for every input, sample by sample.
        outputs: of the plan, in its order.

    Returns:
        Output -> its value in each sample; and where each partition really ran.

    Raises:
        LoweringError: it can't be run; with the last word of whoever refused.
    """
    with tempfile.TemporaryDirectory(prefix="dovetail-trial-") as folder:
        given, results = Path(folder, "feeds.npz"), Path(folder, "results.npz")
        names = list(samples[0]) if samples else []
        arrays = {
            f"s{number}_{index}": sample[name].astype(str) if sample[name].dtype.hasobject else sample[name]
            for number, sample in enumerate(samples)
            for index, name in enumerate(names)
        }
        np.savez(given, allow_pickle=False, **arrays)
        texts = [str(plan), str(given), json.dumps(names), str(len(samples)), str(results)]
        try:
            done = run_child([sys.executable, "-P", str(_CHILD), *texts], seconds=TIME_LIMIT_S, stderr=subprocess.PIPE)
        except subprocess.TimeoutExpired:
            words = f"running it took over {TIME_LIMIT_S} s and was stopped"
            raise LoweringError(f"plan: {words}; try fewer samples") from None
        if done.returncode != 0:
            lines = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {done.returncode}"]
            raise LoweringError(f"plan: it can't be run here: {lines[-1][:500]}; compile without --verify")
        with np.load(results, allow_pickle=False) as loaded:
            values = {
                name: [loaded[f"s{number}_{index}"] for number in range(len(samples))]
                for index, name in enumerate(outputs)
            }
            return values, json.loads(str(loaded["placement"]))
