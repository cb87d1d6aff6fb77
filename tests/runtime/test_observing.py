"""An observer is told what really ran, where and when; and what it does wrong is not the device's fault."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dovetail.plan import BackendSpec, PlanDevice, RunError
from dovetail.runtime import Executor, Span

PlanFromText = Callable[..., Path]
OwnDevice = Any

OWN = PlanDevice("npu", "npu", "a device of the test's own", BackendSpec("OwnBackend"))
ABSENT = PlanDevice("npu", "npu", "an NPU that nothing runs", None, "fp16")
TWICE = "npu: p (float[2] x) => (float[2] a) { a = Add(x, x) }"
NEGATIVE = "cpu: p (float[2] x) => (float[2] b) { b = Neg(x) }"
PRODUCT = "cpu: p (float[2] a, float[2] b) => (float[2] y) { y = Mul(a, b) }"
LAST = "cpu: p (float[2] a) => (float[2] y) { y = Neg(a) }"
X = {"x": np.array([1, -2], np.float32)}


def test_every_partition_of_every_run_is_told_in_order(plan_from_text: PlanFromText, own_device: OwnDevice) -> None:
    spans: list[Span] = []
    own_device.latency_s = 0.01
    with Executor(plan_from_text(TWICE, LAST, devices=[OWN]), observer=spans.append) as executor:
        before = time.perf_counter_ns()
        for _ in range(2):
            executor.run(X)
        after = time.perf_counter_ns()

    assert [(span.partition, span.device) for span in spans] == [("000-npu", "npu"), ("001-cpu", "cpu")] * 2
    times = [at for span in spans for at in (span.start_ns, span.end_ns)]
    assert [before, *times, after] == sorted([before, *times, after])
    assert all(span.end_ns - span.start_ns >= 10_000_000 for span in spans if span.device == "npu")


def test_partitions_that_overlap_are_told_each_once(plan_from_text: PlanFromText, own_device: OwnDevice) -> None:
    spans: list[Span] = []
    own_device.latency_s = 0.05
    plan = plan_from_text(TWICE, NEGATIVE, PRODUCT, devices=[OWN], concurrent=[(0, 1)])
    with Executor(plan, observer=spans.append) as executor:
        executor.run(X)

    ran = {span.partition: span for span in spans}
    assert sorted(ran) == ["000-npu", "001-cpu", "002-cpu"] == sorted(span.partition for span in spans)
    assert ran["001-cpu"].end_ns < ran["000-npu"].end_ns <= ran["002-cpu"].start_ns


def test_a_device_that_fails_is_told_as_the_one_that_took_over(
    plan_from_text: PlanFromText, own_device: OwnDevice
) -> None:
    spans: list[Span] = []
    own_device.fails["000"] = "out of memory"
    with Executor(plan_from_text(TWICE, LAST, devices=[OWN]), observer=spans.append) as executor:
        got = executor.run(X)

    np.testing.assert_array_equal(got["y"], -2 * X["x"])
    assert [(span.partition, span.device) for span in spans] == [("000-npu", "cpu"), ("001-cpu", "cpu")]


def test_an_emulated_device_is_told_with_its_label(plan_from_text: PlanFromText) -> None:
    spans: list[Span] = []
    plan = plan_from_text(TWICE, LAST, devices=[ABSENT], emulated={0: TWICE.removeprefix("npu: ")})
    with Executor(plan, emulate=True, observer=spans.append) as executor:
        executor.run(X)

    assert [(span.device, span.label) for span in spans] == [("npu", "npu (emulated fp16)"), ("cpu", "cpu")]


def test_the_observers_own_error_moves_nothing(plan_from_text: PlanFromText, own_device: OwnDevice) -> None:
    def broken(span: Span) -> None:
        raise ValueError(f"no room for {span.partition}")

    with Executor(plan_from_text(TWICE, LAST, devices=[OWN]), observer=broken) as executor:
        with pytest.raises(RunError, match=r"observer: raised no room for 000-npu; make one"):
            executor.run(X)
        assert (executor.events, executor.placement["000-npu"]) == ([], "npu")
