"""Sessions of the host program and ours in one process, in every order. Each case needs a fresh process."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PlanFromText = Callable[..., Path]

PRELUDE = """
import os, sys
import numpy as np, onnxruntime as ort
from dovetail.runtime import Executor, share_thread_pool

PLAN = sys.argv[1]
X = np.ones((1, 4), np.float32)

def host(**options):
    made = ort.SessionOptions()
    for name, value in options.items():
        setattr(made, name, value)
    session = ort.InferenceSession(PLAN + "/partitions/000.onnx", made, enable_fallback=0)
    assert session.run(None, {"x": X})[0].sum() == 4

def ours():
    executor = Executor(PLAN)
    assert executor.run({"x": X})["y"].sum() == -4
    return executor

def threads():
    return len(os.listdir("/proc/self/task"))
"""


@pytest.mark.parametrize(
    "code",
    [
        "host(); ours(); host()",
        "ours(); host(); ours()",
        "assert share_thread_pool(2); ours(); ours()",
        "host(); ours(); assert share_thread_pool(2); ours()",
        "assert share_thread_pool(2); assert not share_thread_pool(3); ours()",
        "ort.set_global_thread_pool_sizes(2, 1); ours(); host(use_per_session_threads=False)",
        "ort.set_global_thread_pool_sizes(2, 1); assert not share_thread_pool(3); ours()",
        "ours(); ort.set_global_thread_pool_sizes(2, 1); ours()",
    ],
)
def test_orders(plan_from_text: PlanFromText, code: str) -> None:
    _run(plan_from_text, code)


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_a_shared_pool_is_one_pool(plan_from_text: PlanFromText) -> None:
    _run(
        plan_from_text,
        "share_thread_pool(3); a = ours(); n = threads(); b = [ours() for _ in range(5)]; assert threads() == n",
    )


def _run(plan_from_text: PlanFromText, code: str) -> None:
    plan = plan_from_text(
        "cpu: p (float[1,4] x) => (float[1,4] a) { a = Relu(x) }",
        "cpu: p (float[1,4] a) => (float[1,4] y) { y = Neg(a) }",
    )
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + code, str(plan)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
