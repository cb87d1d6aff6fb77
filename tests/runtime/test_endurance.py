"""Many runs, from many threads: every result right, and no memory lost."""

import gc
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dovetail.plan import BackendSpec, PlanDevice
from dovetail.runtime import Executor

PlanFromText = Callable[..., Path]

MAY_GROW = 2 * 2**20
"""Bytes."""
SCALE = "cpu: p (float[4] x) => (float[4] a) <float[4] w = {1, 2, 3, 4}> { a = Mul(x, w) }"
SQUARE = "npu: p (float[4] a) => (float[4] b) { b = Mul(a, a) }"
SHIFT = "cpu: p (float[4] b) => (float[4] y) <float[4] v = {9, 8, 7, 6}> { y = Add(b, v) }"
PRETENDER = PlanDevice("npu", "npu", "a CPU as well", BackendSpec("CPUExecutionProvider"))
needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
RUNS = [pytest.param(5_000, id="short"), pytest.param(100_000, marks=pytest.mark.slow, id="long")]
RUNS_OF_THREADS = [pytest.param(100, id="short"), pytest.param(1_000, marks=pytest.mark.slow, id="long")]
FORMS = [pytest.param("[4]", id="static"), pytest.param("[n]", id="dynamic")]


def resident() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def wanted(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return (x * [1, 2, 3, 4]) ** 2 + [9, 8, 7, 6]


@pytest.fixture(params=FORMS)
def plan(plan_from_text: PlanFromText, request: pytest.FixtureRequest) -> Path:
    texts = [
        text.replace("float[4] a)", f"float{request.param} a)").replace("float[4] b)", f"float{request.param} b)")
        for text in (SCALE, SQUARE, SHIFT)
    ]
    return plan_from_text(*texts, devices=[PRETENDER], concurrent=[])


@needs_proc
@pytest.mark.parametrize("runs", RUNS)
@pytest.mark.timeout(900)
def test_memory_stays_flat_over_many_runs(plan: Path, runs: int) -> None:
    with Executor(plan, threads=1) as executor:
        before = 0
        for number in range(runs + 1000):
            x = np.full(4, number % 97, np.float32)
            np.testing.assert_array_equal(executor.run({"x": x})["y"], wanted(x))
            if number == 1000:
                before = resident()
        assert resident() - before <= MAY_GROW


@needs_proc
@pytest.mark.parametrize("runs", RUNS_OF_THREADS)
@pytest.mark.timeout(900)
@pytest.mark.parametrize("way", ["run", "run_async", "run_many"])
def test_eight_threads_on_one_executor(plan: Path, runs: int, way: str) -> None:
    wrong: list[int] = []

    def results(inputs: list[np.ndarray[Any, Any]]) -> Any:
        if way == "run_many":
            return executor.run_many(({"x": x} for x in inputs), depth=4)
        if way == "run_async":
            return (executor.run_async({"x": x}).result() for x in inputs)
        return (executor.run({"x": x}) for x in inputs)

    def work(thread: int) -> None:
        inputs = [np.full(4, (thread * runs + number) % 89, np.float32) for number in range(runs)]
        for x, result in zip(inputs, results(inputs), strict=True):
            if not np.array_equal(result["y"], wanted(x)):
                wrong.append(thread)

    def all_threads() -> None:
        threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    with Executor(plan, threads=1) as executor:
        all_threads()  # memory is set aside for as many runs as there are at a time
        before = resident()
        all_threads()
        assert resident() - before <= MAY_GROW
    assert wrong == []


@needs_proc
def test_executors_come_and_go(plan: Path) -> None:
    def once() -> None:
        with Executor(plan, threads=1, timeout_s=30) as executor:
            executor.run_async({"x": np.ones(4, np.float32)}).result()

    for _ in range(20):
        once()
    before, threads = resident(), threading.active_count()
    for _ in range(60):
        once()
    assert resident() - before <= MAY_GROW
    assert threading.active_count() <= threads + 2  # those of the last may still be ending


def test_an_executor_that_is_dropped_ends_its_threads(plan: Path) -> None:
    before = set(threading.enumerate())
    executor = Executor(plan, threads=1, timeout_s=30)
    executor.run_async({"x": np.ones(4, np.float32)}).result()
    made = set(threading.enumerate()) - before
    assert made
    del executor
    gc.collect()
    for thread in made:
        thread.join(timeout=20)
        assert not thread.is_alive()
