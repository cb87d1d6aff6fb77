"""Devices at work at the same time: within a run, between runs, and what is promised to callers meanwhile."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from dovetail.plan import BackendSpec, PlanDevice, RunError
from dovetail.runtime import Executor

PlanFromText = Callable[..., Path]
OwnDevice = Any
Array = npt.NDArray[Any]

OWN = PlanDevice("npu", "npu", "a device of the test's own", BackendSpec("OwnBackend"))
TWICE = "npu: p (float[4] x) => (float[4] a) { a = Add(x, x) }"
NEGATIVE = "cpu: p (float[4] x) => (float[4] b) { b = Neg(x) }"
PRODUCT = "cpu: p (float[4] a, float[4] b) => (float[4] y) { y = Mul(a, b) }"
LAST = "cpu: p (float[4] a) => (float[4] y) { y = Neg(a) }"


def x(number: float = 1) -> dict[str, Array]:
    return {"x": np.array([number, 2, -3, 4], np.float32)}


def wanted(feeds: dict[str, Array]) -> Array:
    return -2 * feeds["x"] ** 2


@pytest.fixture
def diamond(plan_from_text: PlanFromText, own_device: OwnDevice) -> Path:
    return plan_from_text(TWICE, NEGATIVE, PRODUCT, devices=[OWN], concurrent=[(0, 1)])


@pytest.fixture
def chain(plan_from_text: PlanFromText, own_device: OwnDevice) -> Path:
    return plan_from_text(TWICE, LAST, devices=[OWN])


def test_partitions_of_two_devices_really_overlap(plan_from_text: PlanFromText, own_device: OwnDevice) -> None:
    # each branch waits for the other: one after the other they would never end
    meeting = threading.Barrier(2, timeout=20)
    own_device.spoils = lambda outputs: (meeting.wait(), outputs)[1]
    other = PlanDevice("gpu", "gpu", "another", BackendSpec("OwnBackend"))
    branch = NEGATIVE.replace("cpu:", "gpu:")
    plan = plan_from_text(TWICE, branch, PRODUCT, devices=[OWN, other], concurrent=[(0, 1)])
    with Executor(plan) as executor:
        np.testing.assert_array_equal(executor.run(x())["y"], wanted(x()))
        assert executor.events == []


def test_a_plan_without_overlap_runs_in_the_callers_thread(chain: Path, own_device: OwnDevice) -> None:
    seen: list[str] = []

    def note(outputs: list[Array]) -> list[Array]:
        seen.append(threading.current_thread().name)
        return outputs

    own_device.spoils = note
    with Executor(chain) as executor:
        executor.run(x())
        executor.run_async(x()).result()
    assert seen == [threading.current_thread().name, "dovetail-npu"]


def test_the_caller_waits_for_the_device_and_leaves_the_cpu_to_its_thread(diamond: Path, own_device: OwnDevice) -> None:
    seen: list[threading.Thread] = []

    def note(outputs: list[Array]) -> list[Array]:
        seen.append(threading.current_thread())
        return outputs

    own_device.spoils = note
    with Executor(diamond) as executor:
        executor.run(x())
        assert seen == [threading.current_thread()]
        assert "dovetail-cpu" in {thread.name for thread in threading.enumerate()}


def test_overlapping_runs_of_several_threads_stay_apart(diamond: Path) -> None:
    wrong: list[float] = []

    def work(number: int) -> None:
        for step in range(50):
            feeds = x(number + step)
            if not np.array_equal(executor.run(feeds)["y"], wanted(feeds)):
                wrong.append(number)

    with Executor(diamond) as executor:
        threads = [threading.Thread(target=work, args=(100 * i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_futures_give_each_run_its_own_result(diamond: Path) -> None:
    with Executor(diamond) as executor:
        futures = [executor.run_async(x(number)) for number in range(20)]
        for number, future in enumerate(futures):
            np.testing.assert_array_equal(future.result(timeout=20)["y"], wanted(x(number)))
        assert list(executor.run_async(x(), ["y"]).result()) == ["y"]


def test_a_future_holds_the_error(chain: Path) -> None:
    with Executor(chain) as executor:
        with pytest.raises(RunError, match="input 'x': no value given"):
            executor.run_async({}).result(timeout=20)
        with pytest.raises(RunError, match="no such output"):
            executor.run_async(x(), ["z"]).result(timeout=20)
    with pytest.raises(RunError, match="the executor is closed"):
        executor.run_async(x()).result(timeout=20)


def test_an_error_of_one_branch_ends_the_run(plan_from_text: PlanFromText, own_device: OwnDevice) -> None:
    gather = "cpu: p (int64[1] i) => (float[1] b) <float[2] w = {1, 2}> { b = Gather(w, i) }"
    join = "cpu: p (float[4] a, float[1] b) => (float[4] y) { y = Mul(a, b) }"
    plan = plan_from_text(TWICE, gather, join, devices=[OWN], inputs=("x", "i"), concurrent=[(0, 1)])
    with Executor(plan) as executor:
        for _ in range(3):
            with pytest.raises(RunError, match="partition '001-cpu': device 'cpu' failed while it ran"):
                executor.run({**x(), "i": np.array([7])})
            with pytest.raises(RunError, match="partition '001-cpu': device 'cpu' failed while it ran"):
                executor.run_async({**x(), "i": np.array([7])}).result(timeout=20)
            good = executor.run({**x(), "i": np.array([1])})["y"]
            np.testing.assert_array_equal(good, 4 * x()["x"])


class TestRunMany:
    def test_results_are_in_the_order_of_the_inputs(self, diamond: Path) -> None:
        with Executor(diamond) as executor:
            for depth in (1, 2, 7, None):
                results = list(executor.run_many((x(i) for i in range(20)), depth=depth))
                for number, result in enumerate(results):
                    np.testing.assert_array_equal(result["y"], wanted(x(number)))
                assert len(results) == 20

    def test_devices_work_on_different_inputs_at_once(
        self, plan_from_text: PlanFromText, own_device: OwnDevice
    ) -> None:
        # the second device ends its first run only when the first device has begun its third
        third = threading.Event()
        calls: list[str] = []

        def spy(outputs: list[Array]) -> list[Array]:
            device = threading.current_thread().name
            calls.append(device)
            if calls.count("dovetail-npu") == 3:
                third.set()
            if device == "dovetail-gpu":
                assert third.wait(20)
            return outputs

        own_device.spoils = spy
        other = PlanDevice("gpu", "gpu", "another", BackendSpec("OwnBackend"))
        plan = plan_from_text(TWICE, LAST.replace("cpu:", "gpu:"), devices=[OWN, other])
        with Executor(plan) as executor:
            results = list(executor.run_many([x(i) for i in range(5)], depth=3))
            assert executor.events == []
        for number, result in enumerate(results):
            np.testing.assert_array_equal(result["y"], -2 * x(number)["x"])

    def test_inputs_are_read_as_they_are_needed(self, chain: Path) -> None:
        read: list[int] = []

        def inputs() -> Iterator[dict[str, Array]]:
            for number in range(10):
                read.append(number)
                yield x(number)

        with Executor(chain) as executor:
            results = executor.run_many(inputs(), depth=3)
            assert read == []
            next(results)
            assert read == [0, 1, 2]
            next(results)
            assert read == [0, 1, 2, 3]
            results.close()  # type: ignore[attr-defined]
        assert read == [0, 1, 2, 3]

    def test_an_error_stands_where_its_result_would(self, chain: Path) -> None:
        inputs: list[dict[str, Array]] = [x(0), x(1), {"x": np.zeros(3, np.float32)}, x(3)]
        with Executor(chain) as executor:
            results = executor.run_many(inputs, depth=4)
            np.testing.assert_array_equal(next(results)["y"], -2 * x(0)["x"])
            np.testing.assert_array_equal(next(results)["y"], -2 * x(1)["x"])
            with pytest.raises(RunError, match="input 'x': dimension 0 must be 4"):
                next(results)
            assert list(results) == []

    def test_an_error_of_the_inputs_comes_after_the_results_before_it(self, chain: Path) -> None:
        def inputs() -> Iterator[dict[str, Array]]:
            yield x(0)
            yield x(1)
            raise ValueError("no more pictures")

        with Executor(chain) as executor:
            results = executor.run_many(inputs(), depth=5)
            for number in range(2):
                np.testing.assert_array_equal(next(results)["y"], -2 * x(number)["x"])
            with pytest.raises(ValueError, match="no more pictures"):
                next(results)

    def test_closing_it_cancels_what_has_not_begun(self, chain: Path, own_device: OwnDevice) -> None:
        go_on = threading.Semaphore(1)  # one run may pass
        own_device.spoils = lambda outputs: (go_on.acquire(), outputs)[1]
        with Executor(chain) as executor:
            results = executor.run_many((x(i) for i in range(9)), depth=4)
            next(results)
            results.close()  # type: ignore[attr-defined]
            go_on.release(9)
            assert executor.run_async(x()).result(timeout=20)["y"][0] == -2  # all before it is over
        # the first and, at most, one that had begun; then the last
        assert len(own_device.runs) <= 3

    def test_a_run_that_has_not_begun_can_be_cancelled(self, chain: Path, own_device: OwnDevice) -> None:
        go_on = threading.Event()
        own_device.spoils = lambda outputs: (go_on.wait(20), outputs)[1]
        with Executor(chain) as executor:
            first, second, third = (executor.run_async(x(i)) for i in range(3))
            assert second.cancel()
            go_on.set()
            assert third.result(timeout=20)["y"][0] == -4
            assert first.result(timeout=20)["y"][0] == 0
            with pytest.raises(CancelledError):
                second.result()
        assert len(own_device.runs) == 2

    def test_a_depth_below_one_is_refused_at_once(self, chain: Path) -> None:
        with Executor(chain) as executor, pytest.raises(RunError, match="depth: must be at least 1, got 0"):
            executor.run_many([], depth=0)


def test_memory_of_tensors_that_may_be_alive_together_is_apart(plan_from_text: PlanFromText) -> None:
    one = "npu: p (float[64] x) => (float[64] a) { a = Neg(x) }"
    two = "cpu: p (float[64] x) => (float[64] b) { b = Abs(x) }"
    three = "npu: p (float[64] a) => (float[64] c) { c = Neg(a) }"
    four = "cpu: p (float[64] b) => (float[64] d) { d = Abs(b) }"
    join = "cpu: p (float[64] c, float[64] d) => (float[64] y) { y = Add(c, d) }"
    pretender = PlanDevice("npu", "npu", "a CPU as well", BackendSpec("CPUExecutionProvider"))
    plan = plan_from_text(one, two, three, four, join, devices=[pretender], concurrent=[(0, 1), (2, 3)])
    with Executor(plan) as executor:
        fixed = executor._first.acquire().fixed
        place = {executor.plan.slots[slot].name: value.data_ptr() for slot, value in fixed.items()}
    assert set(place) == set("abcd")
    # c may be written while b is read, and d while a is read
    for first, second in ("ab", "ad", "cb", "cd", "ac", "bd"):
        assert place[first] != place[second]
