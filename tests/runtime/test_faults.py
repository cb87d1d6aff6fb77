"""Every fault of a device ends in the right result on another one, or in an error that says which and why."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from dovetail.plan import BackendSpec, PlanDevice, RunError
from dovetail.runtime import Executor, register_backend

PlanFromText = Callable[..., Path]
OwnDevice = Any
Array = npt.NDArray[Any]

OWN = PlanDevice("npu", "npu", "a device of the test's own", BackendSpec("OwnBackend"))
RELU = "npu: p (float[1,4] x) => (float[1,4] a) { a = Relu(x) }"
NEG = "npu: p (float[1,4] a) => (float[1,4] b) { b = Neg(a) }"
TWICE = "npu: p (float[1,4] b) => (float[1,4] c) { c = Add(b, b) }"
ABS = "npu: p (float[1,4] c) => (float[1,4] y) { y = Abs(c) }"
CHAIN = (RELU, NEG, TWICE, ABS)
X = np.array([[-1, 0, 1, 2]], np.float32)
Y = 2 * np.maximum(X, 0)


@pytest.fixture
def warnings_of(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.WARNING, logger="dovetail.runtime")
    return lambda: [record.getMessage() for record in caplog.records]


@pytest.fixture
def plan(plan_from_text: PlanFromText, own_device: OwnDevice) -> Path:
    return plan_from_text(*CHAIN, devices=[OWN])


SPOILERS: dict[str, tuple[Callable[[list[Array]], object], str]] = {
    "too few": (lambda outputs: [], "it must give 1 outputs, got 0"),
    "too many": (lambda outputs: [*outputs, *outputs], "it must give 1 outputs, got 2"),
    "nothing": (lambda outputs: None, "it must give 1 outputs, got NoneType"),
    "another shape": (lambda outputs: [outputs[0][0]], r"output 'a' must have shape [1, 4], got [4]"),
    "another type": (lambda outputs: [outputs[0].astype(float)], "output 'a' must be float32, got float64"),
    "no tensor": (lambda outputs: ["text"], "output 'a' must be float32, got str"),
}


@pytest.mark.parametrize("fault", SPOILERS)
def test_a_wrong_answer_is_a_failure(plan: Path, own_device: OwnDevice, fault: str) -> None:
    own_device.spoils, cause = SPOILERS[fault]
    with Executor(plan) as executor:
        np.testing.assert_array_equal(executor.run({"x": X})["y"], Y)
        assert (executor.events[0].kind, executor.events[0].cause) == ("run-failed", cause)
        assert set(executor.placement.values()) == {"cpu"}
    with Executor(plan, strict=True) as executor, pytest.raises(RunError, match="strict mode allows no other device"):
        executor.run({"x": X})


def test_a_device_is_left_alone_after_some_failures_until_reset(
    plan: Path, own_device: OwnDevice, warnings_of: Callable[[], list[str]]
) -> None:
    own_device.fails.update({"000": "first", "001": "second"})
    with Executor(plan, max_failures=2) as executor:
        np.testing.assert_array_equal(executor.run({"x": X})["y"], Y)
        np.testing.assert_array_equal(executor.run({"x": X})["y"], Y)
        assert set(executor.placement.values()) == {"cpu"}
        kinds = [(event.kind, event.partition) for event in executor.events]
        assert kinds == [
            ("run-failed", "000-npu"),
            ("run-failed", "001-npu"),
            ("device-left-alone", "002-npu"),
            ("device-left-alone", "003-npu"),
        ]
        assert executor.events[-1].cause == "it failed 2 times; reset() tries it again"
        assert len(warnings_of()) == 3, "one for each failure, and one for the device"
        before = len(own_device.runs)
        executor.run({"x": X})
        assert len(own_device.runs) == before

        own_device.fails.clear()
        executor.reset()
        np.testing.assert_array_equal(executor.run({"x": X})["y"], Y)
        assert set(executor.placement.values()) == {"npu"}
        assert len(own_device.runs) == before + 4


def test_fewer_failures_move_only_what_failed(plan: Path, own_device: OwnDevice) -> None:
    own_device.fails["001"] = "once"
    with Executor(plan) as executor:
        for _ in range(4):
            np.testing.assert_array_equal(executor.run({"x": X})["y"], Y)
        assert list(executor.placement.values()) == ["npu", "cpu", "npu", "npu"]
        assert len(executor.events) == 1


def test_a_device_that_hangs_is_left_behind(
    plan: Path, own_device: OwnDevice, warnings_of: Callable[[], list[str]]
) -> None:
    own_device.hangs.add("001")
    with Executor(plan, timeout_s=0.3) as executor:
        start = time.monotonic()
        np.testing.assert_array_equal(executor.run({"x": X})["y"], Y)
        assert time.monotonic() - start < 30  # it would hang without end
        np.testing.assert_array_equal(executor.run({"x": X + 1})["y"], 2 * np.maximum(X + 1, 0))
        assert set(executor.placement.values()) == {"cpu"}
        assert executor.events[0].kind == "timed-out"
        assert executor.events[0].cause == "no answer within 0.3 s"
        assert {event.kind for event in executor.events[1:]} == {"device-left-alone"}
        results = [executor.run({"x": X + number})["y"] for number in range(3)]
        own_device.over.set()  # it answers at last, to nobody
        results += [executor.run({"x": X + number})["y"] for number in range(3, 6)]
    for number, result in enumerate(results):
        np.testing.assert_array_equal(result, 2 * np.maximum(X + number, 0))
    assert len(warnings_of()) == 2
    assert own_device.runs.count("001.onnx") == 1


def test_a_hanging_device_ends_no_other_run(plan: Path, own_device: OwnDevice) -> None:
    own_device.hangs.add("002")
    with Executor(plan, timeout_s=0.3) as executor:
        futures = [executor.run_async({"x": X + number}) for number in range(4)]
        for number, future in enumerate(futures):
            np.testing.assert_array_equal(future.result(timeout=60)["y"], 2 * np.maximum(X + number, 0))


def test_a_cpu_that_hangs_is_an_error(plan: Path, own_device: OwnDevice, plan_from_text: PlanFromText) -> None:
    own_device.hangs.add("000")
    cpu = PlanDevice("npu", "cpu", "a CPU of the test's own", BackendSpec("OwnBackend"))
    only = plan_from_text(RELU.replace(" a)", " y)").replace("{ a", "{ y"), devices=[cpu], path=plan.parent / "b.plan")
    message = r"device 'npu' did not end its run, no answer within 0\.2 s, and strict mode"
    with Executor(only, timeout_s=0.2, strict=True) as executor, pytest.raises(RunError, match=message):
        executor.run({"x": X})


def test_results_within_the_time_are_those_without_limit(plan: Path, own_device: OwnDevice) -> None:
    with Executor(plan, timeout_s=30) as executor:
        first = executor.run({"x": X})["y"]
        executor.run({"x": X + 9})
        assert executor.events == []
        assert set(executor.placement.values()) == {"npu"}
    np.testing.assert_array_equal(first, Y)


@pytest.mark.parametrize("option", [{"timeout_s": 0}, {"timeout_s": -1.0}, {"max_failures": 0}])
def test_options_out_of_range_are_refused(plan: Path, option: dict[str, Any]) -> None:
    with pytest.raises(RunError, match=r"(timeout_s|max_failures): must be"):
        Executor(plan, **option)


def test_a_device_that_refuses_at_load_is_no_failure_of_the_run(plan: Path, own_device: OwnDevice) -> None:
    own_device.refuses["002"] = "operator Add is not built"
    with Executor(plan) as executor:
        np.testing.assert_array_equal(executor.run({"x": X})["y"], Y)
        assert list(executor.placement.values()) == ["npu", "npu", "cpu", "npu"]
        (event,) = executor.events
        assert (event.kind, event.cause) == ("compile-failed", "operator Add is not built")


def test_a_device_that_goes_away_after_loading(plan: Path, own_device: OwnDevice) -> None:
    with Executor(plan) as executor:
        np.testing.assert_array_equal(executor.run({"x": X})["y"], Y)
        own_device.fails[""] = "the device was unplugged"
        for _ in range(3):
            np.testing.assert_array_equal(executor.run({"x": X})["y"], Y)
        assert set(executor.placement.values()) == {"cpu"}
        assert executor.events[0].cause == "the device was unplugged"


def test_a_device_that_is_not_registered_is_missing(plan_from_text: PlanFromText) -> None:
    with Executor(plan_from_text(*CHAIN, devices=[OWN])) as executor:
        np.testing.assert_array_equal(executor.run({"x": X})["y"], Y)
        assert {event.kind for event in executor.events} == {"device-missing"}
        assert "OwnBackend is not in this ONNX Runtime" in executor.events[0].cause


@pytest.mark.parametrize("name", ["CPUExecutionProvider", "QNNExecutionProvider", "PyTorch"])
def test_names_of_others_can_not_be_taken(name: str) -> None:
    with pytest.raises(RunError, match="is a name of ONNX Runtime's or Dovetail's own; give another"):
        register_backend(name, None)


def test_feeds_are_as_they_were_after_a_failure(plan: Path, own_device: OwnDevice) -> None:
    own_device.fails[""] = "always"
    x = X.copy()
    x.flags.writeable = False
    with Executor(plan, strict=True) as executor:
        with pytest.raises(RunError):
            executor.run({"x": x})
        np.testing.assert_array_equal(x, X)
    with Executor(plan) as executor:
        np.testing.assert_array_equal(executor.run({"x": x})["y"], Y)
    np.testing.assert_array_equal(x, X)


def test_threads_that_meet_a_failing_device_all_get_results(plan: Path, own_device: OwnDevice) -> None:
    wrong: list[object] = []

    def work(number: int) -> None:
        for step in range(30):
            x = X + number + step
            if number == 0 and step == 10:
                own_device.fails["001"] = "broken"
            if not np.array_equal(executor.run({"x": x})["y"], 2 * np.maximum(x, 0)):
                wrong.append(number)

    with Executor(plan) as executor:
        threads = [threading.Thread(target=work, args=(index,)) for index in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert executor.placement["001-npu"] == "cpu"
        assert len(executor.events) == 1
    assert wrong == []


def test_a_failure_within_bound_partitions_goes_on_with_their_memory(
    plan_from_text: PlanFromText, own_device: OwnDevice
) -> None:
    # partitions of the CPU before and after the one that fails are bound to memory of the run
    texts = [RELU.replace("npu:", "cpu:"), NEG.replace("npu:", "cpu:"), TWICE, ABS.replace("npu:", "cpu:")]
    own_device.fails["002"] = "broken"
    with Executor(plan_from_text(*texts, devices=[OWN])) as executor:
        for number in range(3):
            result = executor.run({"x": X + number})["y"]
            np.testing.assert_array_equal(result, 2 * np.maximum(X + number, 0))
        assert executor.placement["002-npu"] == "cpu"


def test_a_ladder_of_failing_devices_ends_at_the_cpu(plan_from_text: PlanFromText, own_device: OwnDevice) -> None:
    own_device.fails["001"] = "broken"
    second = replace(OWN, id="gpu", kind="gpu")
    with Executor(plan_from_text(*CHAIN, devices=[OWN, second])) as executor:
        np.testing.assert_array_equal(executor.run({"x": X})["y"], Y)
        assert [(event.device, event.moved_to) for event in executor.events] == [("npu", "gpu"), ("gpu", "cpu")]
