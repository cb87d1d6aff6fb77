"""Trained models from the field, on every shipped target, against ONNX Runtime with the whole model."""

import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import pytest

from dovetail.compiler import CompileOptions, compile_model
from dovetail.plan import Plan, read_plan
from dovetail.runtime import Executor

Array = npt.NDArray[Any]
Compile = Callable[[str, str, CompileOptions], Path]

HTP = "qualcomm-hexagon-htp"
NPU = {"npu", "npu (simulator)"}
TARGETS = (HTP, "arm-ethos-u85", "nvidia-orin-dla", "cpu-only")
ULTRAFACE = CompileOptions(solver="greedy")
WINDOW = 512
SILERO = {
    "silero_vad_16k_op15": CompileOptions(dims={"batch": 1, "sequence": WINDOW}, solver="greedy"),
    "silero_vad": CompileOptions(
        binds={"sr": "16000"}, shapes={"input": (1, WINDOW), "state": (2, 1, 128)}, solver="greedy"
    ),
}
MAGIKA = CompileOptions(shapes={"bytes": (1, 2048)}, solver="greedy")


def whole(model: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def tolerance(executor: Executor) -> float:
    """1e-5 where everything ran on the CPU, 1e-2 where the HTP simulator computed in float16."""
    return 1e-5 if set(executor.placement.values()) == {"cpu"} else 1e-2


# --- face detector -----------------------------------------------------------------------------------------------


def face_input() -> Array:
    """scikit-image's picture of Eileen Collins as the detector wants it: 320 x 240, RGB, (x - 127) / 128."""
    data = pytest.importorskip("skimage.data", reason="scikit-image carries the picture")
    transform = pytest.importorskip("skimage.transform")
    picture = transform.resize(data.astronaut(), (240, 320), preserve_range=True, anti_aliasing=True)
    return np.asarray(((picture - 127) / 128).transpose(2, 0, 1)[None], dtype=np.float32)


def best_box(outputs: dict[str, Array]) -> Array:
    scores = outputs["scores"][0, :, 1]
    assert scores.max() > 0.9
    return np.asarray(outputs["boxes"][0, scores.argmax()])


def overlap(a: Array, b: Array) -> float:
    """Intersection over union of two boxes (x1, y1, x2, y2)."""
    size = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
    areas = [np.prod(box[2:] - box[:2]) for box in (a, b)]
    return float(np.prod(size) / (sum(areas) - np.prod(size)))


@pytest.mark.npu
@pytest.mark.usefixtures("simulator")
def test_face_detector_is_one_npu_partition_and_right(models: Path, compiled: Compile) -> None:
    plan = compiled("ultraface_rfb_320", HTP, ULTRAFACE)
    with Executor(plan, strict=True) as executor:
        assert [(p.id, p.kind) for p in executor.plan.partitions] == [("000-npu", "npu")]
        assert set(executor.placement.values()) <= NPU
        got = executor.run({"input": face_input()})
    session = whole(models / "ultraface_rfb_320.onnx")
    wanted = dict(zip(got, session.run(list(got), {"input": face_input()}), strict=True))
    for name, array in wanted.items():
        np.testing.assert_allclose(got[name], array, atol=1e-2, rtol=0, err_msg=name)
    assert overlap(best_box(got), best_box(wanted)) >= 0.95


def test_face_detector_on_a_chip_without_fp16_is_all_cpu(models: Path, compiled: Compile) -> None:
    plan = compiled("ultraface_rfb_320", f"{HTP}:sm8350", ULTRAFACE)
    with Executor(plan, strict=True) as executor:
        assert {operator.device for operator in executor.plan.operators} == {"cpu"}
        assert all("v68 has no fp16" in operator.reason for operator in executor.plan.operators)
        got = executor.run({"input": face_input()})
    session = whole(models / "ultraface_rfb_320.onnx")
    for name, array in zip(got, session.run(list(got), {"input": face_input()}), strict=True):
        np.testing.assert_allclose(got[name], array, atol=1e-5, rtol=1e-5, err_msg=name)


# --- speech ------------------------------------------------------------------------------------------------------


def speech(models: Path, windows: int, context: int = 0) -> Array:
    """Windows of 512 samples, each led by the last `context` samples of the one before."""
    with wave.open(str(models / "silero_vad_speech.wav")) as file:
        samples = np.frombuffer(file.readframes(windows * WINDOW), np.int16) / np.float32(32768)
    padded = np.concatenate([np.zeros(context, np.float32), samples])
    return np.stack([padded[None, start : start + context + WINDOW] for start in range(0, windows * WINDOW, WINDOW)])


def listen(plan: Path, session: ort.InferenceSession, windows: Array) -> tuple[Array, Array]:
    """Speech probabilities by plan and by whole model, each carrying its own state."""
    rate = np.array(16000, dtype=np.int64)
    mine = theirs = np.zeros((2, 1, 128), dtype=np.float32)
    heard: list[tuple[float, float]] = []
    with Executor(plan) as executor:
        extra = {"sr": rate} if "sr" in {spec.name for spec in executor.plan.inputs} else {}
        for window in windows:
            got = executor.run({"input": window, "state": mine, **extra})
            wanted, theirs = session.run(["output", "stateN"], {"input": window, "state": theirs, "sr": rate})
            mine = got["stateN"]
            heard.append((float(got["output"][0, 0]), float(wanted[0, 0])))
    return np.array([pair[0] for pair in heard]), np.array([pair[1] for pair in heard])


@pytest.mark.parametrize("name", SILERO)
@pytest.mark.parametrize("target", TARGETS)
def test_speech_detector_over_time(models: Path, compiled: Compile, name: str, target: str) -> None:
    plan = compiled(name, target, SILERO[name])
    got, wanted = listen(plan, whole(models / f"{name}.onnx"), speech(models, 200))
    assert np.abs(got - wanted).max() < 0.02


@pytest.mark.parametrize("target", [HTP, "cpu-only"])
def test_speech_detector_as_its_authors_feed_it(models: Path, tmp_path: Path, target: str) -> None:
    """With 64 samples of context before each window; without them the model hears no speech at all.

    In float16 the state drifts, and where speech begins or ends the probability is steep: 0.07 at the worst window.
    """
    name = "silero_vad_16k_op15"
    options = CompileOptions(dims={"batch": 1, "sequence": WINDOW + 64}, solver="greedy")
    plan = compile_model(models / f"{name}.onnx", target, options).save(tmp_path / "vad.plan")
    got, wanted = listen(plan, whole(models / f"{name}.onnx"), speech(models, 200, context=64))
    assert wanted.max() > 0.9
    assert wanted.min() < 0.1
    difference = np.abs(got - wanted)
    assert difference.max() < 0.1
    assert difference.mean() < 0.01
    assert np.mean((got > 0.5) == (wanted > 0.5)) > 0.98


@pytest.mark.parametrize("name", SILERO)
@pytest.mark.parametrize("target", TARGETS)
def test_speech_detector_on_one_window(models: Path, compiled: Compile, name: str, target: str) -> None:
    feeds = {
        "input": speech(models, 40)[-1],
        "state": np.zeros((2, 1, 128), np.float32),
        "sr": np.array(16000, np.int64),
    }
    wanted = whole(models / f"{name}.onnx").run(["output", "stateN"], feeds)
    with Executor(compiled(name, target, SILERO[name])) as executor:
        given = {spec.name: feeds[spec.name] for spec in executor.plan.inputs}
        got = executor.run(given, ["output", "stateN"])
        for mine, theirs in zip(got.values(), wanted, strict=True):
            np.testing.assert_allclose(mine, theirs, atol=tolerance(executor), rtol=0)


# --- file types --------------------------------------------------------------------------------------------------


def file_bytes(path: Path) -> Array:
    """The first and last 1024 bytes, as magika reads a file; 256 stands for no byte."""
    data = np.frombuffer(path.read_bytes(), np.uint8).astype(np.int32)
    head, tail = data[:1024], data[-1024:]
    return np.concatenate([np.pad(part, (0, 1024 - len(part)), constant_values=256) for part in (head, tail)])[None]


@pytest.mark.parametrize("target", TARGETS)
def test_file_type_detector(models: Path, compiled: Compile, target: str) -> None:
    session = whole(models / "magika_standard_v3_3.onnx")
    root = Path(__file__).resolve().parents[2]
    with Executor(compiled("magika_standard_v3_3", target, MAGIKA)) as executor:
        for path in (root / "Makefile", root / "LICENSE", Path(__file__), models / "silero_vad_speech.wav"):
            feeds = {"bytes": file_bytes(path)}
            (wanted,) = session.run(["target_label"], feeds)
            got = executor.run(feeds)["target_label"]
            np.testing.assert_allclose(got, wanted, atol=tolerance(executor), rtol=0, err_msg=path.name)
            assert got.argmax() == wanted.argmax()


# --- verdicts ----------------------------------------------------------------------------------------------------


def check_verdicts(plan: Plan) -> None:
    """Every operator has a verdict for every device, and every refusal says rule, value and limit."""
    devices = [device.id for device in plan.devices]
    assert plan.operators
    for operator in plan.operators:
        assert [verdict.device for verdict in operator.verdicts] == devices
        for verdict in operator.verdicts:
            if verdict.state in ("unsupported", "unknown", "soft"):
                assert verdict.reasons, (operator.name, verdict)
            for reason in verdict.reasons:
                assert all((reason.rule, reason.message, reason.got, reason.allowed)), (operator.name, reason)
        if operator.device != devices[0] and not operator.inside:
            assert operator.reason, operator.name


@pytest.mark.parametrize("target", [*TARGETS, f"{HTP}:sm8350"])
@pytest.mark.parametrize("name", ["ultraface_rfb_320", *SILERO, "magika_standard_v3_3"])
def test_every_operator_has_a_verdict_with_reasons(compiled: Compile, name: str, target: str) -> None:
    options = {**SILERO, "magika_standard_v3_3": MAGIKA}.get(name, ULTRAFACE)
    check_verdicts(read_plan(compiled(name, target, options)))
