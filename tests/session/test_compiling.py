"""A model is compiled on first use, and again when anything changes that its plan depends on."""

import importlib.util
import logging
import os
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from dovetail.plan import RunError, TargetError
from dovetail.session import InferenceSession
from dovetail.session.providers import _KNOWN, Choice, choose_target
from dovetail.targets.load import load_target

CPU = ["CPUExecutionProvider"]
FEEDS = {"x": np.array([[-1, 0, 1, 2]], np.float32), "k": np.array([7])}


@pytest.fixture
def plans(cache: Path) -> Callable[[], list[str]]:
    return lambda: sorted(path.name for path in cache.glob("*")) if cache.exists() else []


def test_compiled_once_per_model_target_and_options(model: Path, plans: Callable[[], list[str]]) -> None:
    InferenceSession(model, providers=CPU)
    first = plans()
    assert len(first) == 1
    InferenceSession(model, providers=CPU)
    assert plans() == first
    session = InferenceSession(model, providers=CPU, dims={"n": 1})
    assert session.get_inputs()[0].shape == [1, 4]
    assert len(plans()) == 2
    InferenceSession(model, provider_options=[{"target": "qualcomm-hexagon-htp:sm8350"}, {}], emulate=True)
    assert len(plans()) == 3
    onnx.save(parser.parse_model(onnx.printer.to_text(onnx.load(model)).replace("Relu", "Neg")), model)
    InferenceSession(model, providers=CPU)
    assert len(plans()) == 4


def test_bytes_and_path_give_the_same_results(model: Path) -> None:
    for source in (model, str(model), model.read_bytes()):
        assert InferenceSession(source, providers=CPU).run(["y"], FEEDS)[0].tolist() == [[0, 0, 1, 2]]


def test_a_changed_weight_file_is_seen(tmp_path: Path, plans: Callable[[], list[str]]) -> None:
    proto = parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> m (float[2] x) => (float[2] y) { y = Mul(x, w) }'
    )
    path = tmp_path / "scaled.onnx"
    for factor in (2, 3):
        del proto.graph.initializer[:]
        proto.graph.initializer.append(numpy_helper.from_array(np.full(2, factor, np.float32), "w"))
        weights = tmp_path / ("w" * 150 + ".bin")
        weights.unlink(missing_ok=True)
        onnx.save(proto, path, save_as_external_data=True, location=weights.name, size_threshold=0)
        os.utime(weights, (factor, factor))
        session = InferenceSession(path, providers=CPU)
        assert session.run(None, {"x": np.ones(2, np.float32)})[0].tolist() == [factor, factor]
    assert len(plans()) == 2


def test_a_changed_target_file_or_base_is_seen(
    model: Path, tmp_path: Path, plans: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "base.yaml": "extends: cpu-only\nname: base\nsummary: {}\n",
        "middle base.yaml": "extends: base.yaml  # and no more\nname: middle\nnotes: [{}]\n",
        "mine.yaml": '{{"extends": "middle base.yaml", "name": "mine", "vendor": "{}"}}\n',
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text.format("old"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOVETAIL_TARGET", "mine.yaml:host")
    for count, name in enumerate(("mine.yaml", *files), 1):
        (tmp_path / name).write_text(files[name].format(f"new {count}"))
        for _ in range(2):
            InferenceSession(model)
        assert len(plans()) == count


def test_a_damaged_plan_of_the_cache_is_made_again(model: Path, cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    InferenceSession(model, providers=CPU)
    (file,) = cache.glob("*.plan/partitions/*.onnx")
    good = file.read_bytes()
    file.write_bytes(good[:-1])
    assert InferenceSession(model, providers=CPU).run(["y"], FEEDS)[0].tolist() == [[0, 0, 1, 2]]
    assert file.read_bytes() == good
    assert "is changed or truncated" in caplog.text


def test_without_a_cache_it_compiles_to_a_temporary_folder(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a file").touch()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("DOVETAIL_CACHE", str(tmp_path / "a file"))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    session = InferenceSession(model, providers=CPU)
    assert len(list(temporary.glob("dovetail-*"))) == 1
    assert session.run(["y"], FEEDS)[0].tolist() == [[0, 0, 1, 2]]
    del session
    assert list(temporary.iterdir()) == []
    assert "cache: can't be written" in caplog.text


def test_the_cache_is_private_and_where_the_user_wants_it(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOVETAIL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    InferenceSession(model, providers=CPU)
    plans = tmp_path / "xdg" / "dovetail" / "plans"
    assert len(list(plans.iterdir())) == 1
    if os.name != "nt":
        assert stat.S_IMODE(plans.stat().st_mode) == 0o700
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    InferenceSession(model, providers=CPU)
    assert (tmp_path / "home" / ".cache" / "dovetail" / "plans").is_dir()


def test_the_target_is_looked_for_in_order(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    both = ["NPUExecutionProvider", "CPUExecutionProvider"]
    named = ("NPUExecutionProvider", {"target": "d"})
    assert choose_target(CPU, None) == Choice("cpu-only", None)
    assert choose_target([named, *CPU], None) == Choice("d", "npu")
    assert choose_target(both, [{"target": "a"}, {}]) == Choice("a", "npu")
    monkeypatch.setenv("DOVETAIL_TARGET", "b:c")
    assert choose_target(both, None) == Choice("b:c", "npu")
    assert choose_target(None, None) == Choice("b:c", "npu")
    monkeypatch.delenv("DOVETAIL_TARGET")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert choose_target(both, None) == Choice("qualcomm-hexagon-htp", "npu")
    assert choose_target(["GPUExecutionProvider", *CPU], None) == Choice("nvidia-h200:pytorch", "gpu")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for name in ("NPUExecutionProvider", "GPUExecutionProvider"):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert choose_target([name, *CPU], None).target == "cpu-only"
        assert f"{name}: no target is named" in caplog.text
        assert "everything runs on the CPU" in caplog.text


@pytest.mark.parametrize("name", sorted(set(_KNOWN) - {"NPUExecutionProvider", "GPUExecutionProvider"}))
def test_a_provider_of_onnxruntime_stands_for_a_shipped_target(name: str) -> None:
    target = load_target(choose_target([name], None).target)
    known = _KNOWN[name]
    assert any(
        device.kind == known.kind and device.backend is not None and device.backend.provider == name
        for device in target.devices
    )


def test_a_program_for_onnxruntime_need_not_change_its_providers(model: Path) -> None:
    session = InferenceSession(model, providers=[("CUDAExecutionProvider", {}), "CPUExecutionProvider"])
    np.testing.assert_array_equal(session.run(["y"], FEEDS)[0], [[0, 0, 1, 2]])
    assert session.get_providers() == ["CPUExecutionProvider"]
    assert {event.kind for event in session.events} == {"device-missing"}


@pytest.mark.parametrize(
    ("providers", "options", "message"),
    [
        (["TPUExecutionProvider"], None, "'TPUExecutionProvider': is unknown; did you mean 'NPUExecutionProvider'"),
        ([("NPUExecutionProvider", {"soc": "1"})], None, "has no option 'soc', there are target"),
        ([("CPUExecutionProvider", {"target": "x"})], None, "has no option 'target', there are none"),
        (["CPUExecutionProvider"], [{}, {}], "must have an entry for each of the 1 providers, got 2"),
    ],
)
def test_wrong_providers(model: Path, providers: list[str], options: list[dict[str, str]], message: str) -> None:
    with pytest.raises(RunError, match=message):
        InferenceSession(model, providers=providers, provider_options=options)


def test_an_unknown_target(model: Path) -> None:
    with pytest.raises(TargetError, match="no-such-target"):
        InferenceSession(model, provider_options=[{"target": "no-such-target"}, {}])


def test_without_the_compiler_it_says_what_to_install(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dovetail.compiler", None)  # what Python does where a module is not installed
    with pytest.raises(RunError, match="only dovetail-runtime is installed; install dovetail, or give a plan folder"):
        InferenceSession(model, providers=CPU)


@pytest.mark.npu
@pytest.mark.skipif(importlib.util.find_spec("onnxruntime_qnn") is None, reason="onnxruntime-qnn is not installed")
def test_npu_by_the_installed_plugin(model: Path) -> None:
    session = InferenceSession(model, providers=["NPUExecutionProvider", "CPUExecutionProvider"], dims={"n": 1})
    assert session.get_providers() == ["NPUExecutionProvider", "CPUExecutionProvider"]
    np.testing.assert_allclose(session.run(["y"], FEEDS)[0], [[0, 0, 1, 2]], atol=1e-3)


def test_an_emulated_npu_is_no_npu(model: Path) -> None:
    options = [{"target": "qualcomm-hexagon-htp"}, {}]
    session = InferenceSession(model, provider_options=options, emulate=True, dims={"n": 1})
    assert session.get_providers() == ["CPUExecutionProvider"]
    assert "emulated" in {event.kind for event in session.events}
