"""How far fitted costs are from a vendor's own estimates, on layers that were not fitted.

Layers of convolutional networks are drawn at random, in int8, half of them is fitted and the other half predicted. The
uncalibrated figures are those of the target's file, on the same other half.

    DOVETAIL_VELA=.../vela DOVETAIL_RKNN=.../python python benchmarks/calibration.py [--layers 400] [--seed 0]
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import onnx
from calibration_layers import layers_model

from dovetail.compiler.calibrating import calibrate, tool_for
from dovetail.cost.costs_file import Source
from dovetail.targets import load_target


@dataclass(frozen=True, slots=True)
class Goal:
    """A target, what times it, and how close the predictions should come."""

    target: str
    source: Source
    median_relative: float
    rank_correlation: float
    only_convolutions: bool = False
    """The source has times for nothing else."""


GOALS: Final = (
    Goal("arm-ethos-u55-u65:u55-128", "vela", 0.15, 0.97),
    Goal("arm-ethos-u55-u65:u55-256", "vela", 0.15, 0.97),
    Goal("arm-ethos-u85:u85-256", "vela", 0.15, 0.97),
    Goal("rockchip-rk3588", "rknn", 0.20, 0.95, only_convolutions=True),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a row for each target. Returns 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    print(
        "| target | tool | layers | median error: uncalibrated | fitted half | other half | rank correlation:", end=" "
    )
    print("uncalibrated | fitted half | other half | goal |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---|")
    missed = 0
    for goal in GOALS:
        if why := tool_for(load_target(goal.target), goal.source).why_not():
            print(f"| {goal.target} | not asked: {why} |")
            continue
        missed += not _row(goal, given.layers, given.seed)
    return 1 if missed else 0


def _row(goal: Goal, layers: int, seed: int) -> bool:
    """Print one target's figures. Returns whether they are as good as the goal."""
    with tempfile.TemporaryDirectory(prefix="dovetail-layers-") as folder:
        path = Path(folder, "layers.onnx")
        onnx.save(layers_model(layers, seed, goal.only_convolutions), path)
        costs = calibrate([path], load_target(goal.target), goal.source)
    parts = (costs.uncalibrated, costs.fitted, costs.held_out)
    errors = " | ".join(f"{part.median_relative:.1%}" for part in parts)
    ranks = " | ".join(f"{part.rank_correlation:.3f}" for part in parts)
    held = costs.held_out
    kept = held.median_relative <= goal.median_relative and held.rank_correlation >= goal.rank_correlation
    wanted = f"{goal.median_relative:.0%}, {goal.rank_correlation}: {'held' if kept else 'missed'}"
    count = costs.fitted.samples + held.samples
    print(f"| {costs.target} | {costs.tool} | {count} | {errors} | {ranks} | {wanted} |", flush=True)
    return kept


if __name__ == "__main__":
    raise SystemExit(main())
