"""What happens when a device is missing, refuses, or fails: move, warn once, record; or raise."""

import importlib.util
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dovetail.plan import BackendSpec, PlanDevice, PlanError, RunError
from dovetail.runtime import Event, Executor
from dovetail.runtime.providers import check_backend
from dovetail.targets import load_target, target_names

PlanFromText = Callable[..., Path]
OwnDevice = Any

ABSENT = PlanDevice("npu", "npu", "an NPU that nothing runs", None, "fp16")
TEST = replace(ABSENT, name="a device of the test's own", backend=BackendSpec("OwnBackend"))
UNKNOWN = replace(ABSENT, backend=BackendSpec("RknpuExecutionProvider"))
NPU = {"npu", "npu (simulator)"}
HTP = replace(
    ABSENT,
    name="Hexagon HTP",
    backend=BackendSpec("QNNExecutionProvider", {"soc_model": "57", "enable_htp_fp16_precision": "1"}),
)

RELU = "npu: p (float[1,4] x) => (float[1,4] a) { a = Relu(x) }"
NEG = "npu: p (float[1,4] a) => (float[1,4] y) { y = Neg(a) }"
X = np.array([[-1, 0, 1, 2]], np.float32)
Y = -np.maximum(X, 0)

needs_qnn = [
    pytest.mark.npu,
    pytest.mark.skipif(importlib.util.find_spec("onnxruntime_qnn") is None, reason="onnxruntime-qnn is not installed"),
]


@pytest.fixture
def warnings_of(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.WARNING, logger="dovetail.runtime")
    return lambda: [record.getMessage() for record in caplog.records]


def test_missing_backend_is_one_warning_and_an_event_per_partition(
    plan_from_text: PlanFromText, warnings_of: Callable[[], list[str]]
) -> None:
    with Executor(plan_from_text(RELU, NEG, devices=[ABSENT])) as executor:
        np.testing.assert_array_equal(executor.run({"x": X})["y"], Y)
        assert executor.placement == {"000-npu": "cpu", "001-npu": "cpu"}
        assert executor.events == [
            Event("device-missing", partition, "npu", "cpu", "nothing on this machine runs it")
            for partition in ("000-npu", "001-npu")
        ]
    assert warnings_of() == ["device 'npu' is missing, nothing on this machine runs it; its partitions move to 'cpu'"]


def test_missing_provider_says_what_is_there(plan_from_text: PlanFromText) -> None:
    with Executor(plan_from_text(RELU, NEG, devices=[UNKNOWN])) as executor:
        assert "RknpuExecutionProvider is not in this ONNX Runtime, which has" in executor.events[0].cause
        assert "CPUExecutionProvider" in executor.events[0].cause


def test_missing_plugin_names_the_package(plan_from_text: PlanFromText, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime_qnn", None)  # what Python does where a module is not installed
    with Executor(plan_from_text(RELU, NEG, devices=[HTP])) as executor:
        np.testing.assert_array_equal(executor.run({"x": X})["y"], Y)
        assert (
            executor.events[0].cause == "QNNExecutionProvider needs the package onnxruntime-qnn, which is not installed"
        )


def test_missing_pytorch_names_the_extra(plan_from_text: PlanFromText, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dovetail.gpu", None)  # what Python does where a module is not installed
    torch = replace(ABSENT, backend=BackendSpec("PyTorch"))
    with Executor(plan_from_text(RELU, NEG, devices=[torch])) as executor:
        np.testing.assert_array_equal(executor.run({"x": X})["y"], Y)
        assert executor.events[0].kind == "device-missing"
        assert "PyTorch needs the extra gpu, which is not installed" in executor.events[0].cause


def test_strict_raises_for_a_missing_device(plan_from_text: PlanFromText) -> None:
    with pytest.raises(
        RunError, match=r"partition '000-npu': device 'npu' is missing, .*, and strict mode allows no other"
    ):
        Executor(plan_from_text(RELU, NEG, devices=[ABSENT]), strict=True)


def test_each_missing_device_of_a_ladder_is_recorded(plan_from_text: PlanFromText) -> None:
    gpu = PlanDevice("gpu", "gpu", "GPU", BackendSpec("NoSuchExecutionProvider"))
    with Executor(plan_from_text(RELU, NEG, devices=[ABSENT, gpu])) as executor:
        moves = [(event.device, event.moved_to) for event in executor.events if event.partition == "000-npu"]
        assert moves == [("npu", "gpu"), ("gpu", "cpu")]


def test_emulation_is_labelled_and_no_fallback(
    plan_from_text: PlanFromText, warnings_of: Callable[[], list[str]]
) -> None:
    rounded = "p (float[1,4] x) => (float[1,4] a) { h = Cast <to = 10> (x) f = Cast <to = 1> (h) a = Relu(f) }"
    plan = plan_from_text(RELU, NEG, devices=[ABSENT], emulated={0: rounded}, outputs=("a", "y"))
    x = np.full((1, 4), 1.0001, np.float32)
    with Executor(plan, emulate=True, strict=True) as executor:
        assert executor.placement == {"000-npu": "npu (emulated fp16)", "001-npu": "npu (emulated fp16)"}
        assert {event.kind for event in executor.events} == {"emulated"}
        outputs = executor.run({"x": x})
    np.testing.assert_array_equal(outputs["a"], x.astype(np.float16).astype(np.float32))
    assert warnings_of() == []


def test_a_device_that_fails_at_run_hands_over_once(
    plan_from_text: PlanFromText, own_device: OwnDevice, warnings_of: Callable[[], list[str]]
) -> None:
    own_device.fails["001"] = "the device was reset"
    plan = plan_from_text(RELU, NEG, devices=[TEST])
    with Executor(plan) as executor:
        for _ in range(2):
            np.testing.assert_array_equal(executor.run({"x": X})["y"], Y)
        assert executor.placement == {"000-npu": "npu", "001-npu": "cpu"}
        assert executor.events == [Event("run-failed", "001-npu", "npu", "cpu", "the device was reset")]
    assert len(warnings_of()) == 1
    with Executor(plan, strict=True) as executor, pytest.raises(RunError, match="failed while it ran, the device was"):
        executor.run({"x": X})


def test_an_error_of_the_operator_itself_ends_at_the_cpu(plan_from_text: PlanFromText) -> None:
    gather = "cpu: p (int64[1] x) => (float[1] y) <float[2] w = {1, 2}> { y = Gather(w, x) }"
    with Executor(plan_from_text(gather)) as executor:
        with pytest.raises(
            RunError, match=r"partition '000-cpu': device 'cpu' failed while it ran, .*, and no other device"
        ):
            executor.run({"x": np.array([7])})
        assert executor.run({"x": np.array([1])})["y"].tolist() == [2]


def test_inputs_on_which_every_device_fails_move_nothing(
    plan_from_text: PlanFromText, warnings_of: Callable[[], list[str]]
) -> None:
    pretender = replace(ABSENT, backend=BackendSpec("CPUExecutionProvider"))
    gather = "npu: p (int64[1] x) => (float[1] y) <float[2] w = {1, 2}> { y = Gather(w, x) }"
    with Executor(plan_from_text(gather, devices=[pretender])) as executor:
        with pytest.raises(RunError, match=r"device 'cpu' failed while it ran, .*, and no other device"):
            executor.run({"x": np.array([7])})
        assert set(executor.placement.values()) <= NPU
        assert executor.events == []
        assert executor.run({"x": np.array([1])})["y"].tolist() == [2]
    assert warnings_of() == []


@pytest.mark.parametrize(
    ("provider", "options", "config"),
    [
        ("QNN", {"backend_path": "evil"}, {}),
        ("QNN", {"op_packages": "Op:evil:Interface"}, {}),
        ("QNN", {"soc_model": "/tmp/evil"}, {}),
        ("QNN", {"soc_model": "evil.so"}, {}),
        ("QNN", {"soc_model": "1\n"}, {}),
        ("QNN", {"backend_type": "saver"}, {}),
        ("QNN", {"skel_library_dir": "x"}, {}),
        ("QNN", {}, {"ep.context_enable": "1"}),
        ("QNN", {}, {"session.model_external_initializers_file_folder_path": "x"}),
        ("CUDA", {"gpu_external_alloc": "140000"}, {}),
        ("CUDA", {"user_compute_stream": "140000"}, {}),
        ("CoreML", {"ModelCacheDirectory": "x"}, {}),
        ("OpenVINO", {"load_config": "evil.json"}, {}),
        ("Tensorrt", {"trt_onnx_bytestream": "140000"}, {}),
        ("MIGraphX", {"migraphx_load_model_name": "m"}, {}),
        ("VitisAI", {"xclbin": "a"}, {}),
    ],
)
def test_a_plan_names_no_library_file_or_address(
    plan_from_text: PlanFromText, provider: str, options: dict[str, str], config: dict[str, str]
) -> None:
    device = replace(ABSENT, backend=BackendSpec(f"{provider}ExecutionProvider", options, config))
    with pytest.raises(PlanError, match=r"device 'npu': option '.*' of .* (may not stand|must be a plain word)"):
        Executor(plan_from_text(RELU, NEG, devices=[device]))


@pytest.mark.parametrize("name", target_names())
def test_the_options_of_every_shipped_target_may_stand_in_a_plan(name: str) -> None:
    for variant in load_target(name).variants or ("",):
        for device in load_target(f"{name}:{variant}" if variant else name).devices:
            if device.backend is not None:
                check_backend(device.backend, device.id)


class TestQualcommHTP:
    pytestmark = needs_qnn

    def test_partitions_run_on_it(self, plan_from_text: PlanFromText) -> None:
        with Executor(plan_from_text(RELU, NEG, devices=[HTP]), strict=True) as executor:
            assert set(executor.placement.values()) <= NPU
            np.testing.assert_allclose(executor.run({"x": X})["y"], Y, atol=1e-3)

    def test_a_refused_partition_moves_with_its_words(
        self, plan_from_text: PlanFromText, warnings_of: Callable[[], list[str]]
    ) -> None:
        nonzero = "npu: p (float[1,4] a) => (int64[2,n] y) { y = NonZero(a) }"
        plan = plan_from_text(RELU, nonzero, devices=[HTP])
        with Executor(plan) as executor:
            assert executor.placement["000-npu"] in NPU
            assert executor.placement["001-npu"] == "cpu"
            (event,) = executor.events
            assert (event.kind, event.moved_to) == ("compile-failed", "cpu")
            assert "NonZero: NonZero output shape must be static" in event.cause
            np.testing.assert_array_equal(executor.run({"x": X})["y"], np.array(np.nonzero(np.maximum(X, 0))))
        assert len(warnings_of()) == 1
        with pytest.raises(RunError, match=r"refused it, .*must be static"):
            Executor(plan, strict=True)

    def test_a_device_that_does_not_exist_is_refused_with_its_words(self, plan_from_text: PlanFromText) -> None:
        impossible = replace(HTP, backend=BackendSpec("QNNExecutionProvider", {"soc_model": "999"}))
        with Executor(plan_from_text(RELU, NEG, devices=[impossible])) as executor:
            assert "Failed to create device" in executor.events[0].cause
            np.testing.assert_array_equal(executor.run({"x": X})["y"], Y)

    def test_vendor_libraries_print_nothing_on_stdout(self, plan_from_text: PlanFromText) -> None:
        plan = plan_from_text(RELU, "npu: p (float[1,4] a) => (int64[2,n] y) { y = NonZero(a) }", devices=[HTP])
        code = (
            "import json, sys, numpy as np; from dovetail.runtime import Executor;"
            "result = Executor(sys.argv[1]).run({'x': np.ones((1, 4), np.float32)});"
            "print(json.dumps(result['y'].tolist()))"
        )
        done = subprocess.run([sys.executable, "-c", code, str(plan)], capture_output=True, text=True, check=True)
        assert json.loads(done.stdout) == [[0, 0, 0, 0], [0, 1, 2, 3]]
        assert len(done.stderr.splitlines()) == 1, "the warning about the refused partition"
