"""Damage of a plan's files, and plans that are moved or loaded by many processes at once."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dovetail.plan import DovetailError, PlanError, RunError
from dovetail.runtime import Executor

PlanFromText = Callable[..., Path]

SCALE = "cpu: p (float[4] x) => (float[4] a) <float[4] w = {1, 2, 3, 4}> { a = Mul(x, w) }"
SHIFT = "cpu: p (float[4] a) => (float[4] y) <float[4] v = {9, 8, 7, 6}> { y = Add(a, v) }"
X = np.array([1, 1, 2, 2], np.float32)
Y = np.array([10, 10, 13, 14], np.float32)


@pytest.fixture
def plan(plan_from_text: PlanFromText) -> Path:
    return plan_from_text(SCALE, SHIFT, external=True)


def result(plan: Path, verify: bool = True) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    with Executor(plan, verify=verify) as executor:
        return executor.run({"x": X})["y"]


def test_a_flipped_byte_anywhere_is_an_error(plan: Path) -> None:
    files = [path for path in plan.rglob("*") if path.is_file()]
    assert len(files) == 5
    for file in files:
        good = file.read_bytes()
        for place in range(0, len(good), max(1, len(good) // 50)):
            file.write_bytes(good[:place] + bytes([good[place] ^ 0x10]) + good[place + 1 :])
            with pytest.raises(PlanError, match="is changed or truncated"):
                Executor(plan)
        file.write_bytes(good)
    np.testing.assert_array_equal(result(plan), Y)


@pytest.mark.parametrize("verify", [True, False])
def test_truncated_weights_are_an_error_and_no_crash(plan: Path, verify: bool) -> None:
    weights = plan / "partitions" / "weights.bin"
    weights.write_bytes(weights.read_bytes()[:4])
    with pytest.raises(DovetailError, match=r"changed or truncated|refused it"):
        result(plan, verify)


@pytest.mark.parametrize("name", ["000.onnx", "weights.bin"])
def test_files_that_go_away_between_reading_and_loading(plan: Path, name: str) -> None:
    (plan / "partitions" / name).unlink()
    with pytest.raises((PlanError, RunError), match="is missing"):
        result(plan, verify=False)


def test_a_loaded_plan_needs_its_folder_no_more(plan: Path) -> None:
    with Executor(plan) as executor:
        for path in sorted(plan.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        plan.rmdir()
        np.testing.assert_array_equal(executor.run({"x": X})["y"], Y)


def test_a_plan_may_be_moved(plan: Path, tmp_path: Path) -> None:
    goal = tmp_path / "another place" / "ß.plan"
    goal.parent.mkdir()
    plan.rename(goal)
    np.testing.assert_array_equal(result(goal), Y)


def test_weights_may_be_shared(plan: Path) -> None:
    with Executor(plan, share_weights=True) as executor:
        np.testing.assert_array_equal(executor.run({"x": X})["y"], Y)


def test_many_processes_load_one_plan_at_once(plan: Path) -> None:
    code = (
        "import sys, numpy as np; from dovetail.runtime import Executor;"
        "print(Executor(sys.argv[1]).run({'x': np.array([1, 1, 2, 2], np.float32)})['y'].tolist())"
    )
    command = [sys.executable, "-c", code, str(plan)]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    assert [child.communicate(timeout=60)[0].strip() for child in children] == [str(Y.tolist())] * 6
    assert [child.returncode for child in children] == [0] * 6
