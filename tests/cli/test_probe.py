"""`targets probe`, and `--overlay` on the commands that take a model; the CPU provider is the tool here."""

from importlib.util import find_spec
from pathlib import Path

import onnx
import onnx.parser
import pytest
from tests.cli.calling import dovetail

from dovetail.lowering.vela import VARIABLE, find_vela

TARGET = """
schema: 1
name: mistaken
vendor: nobody
devices:
- id: npu
  kind: npu
  name: an NPU whose compiler is ONNX Runtime's CPU provider
  backend: {provider: CPUExecutionProvider}
  data_quality: low
  ops:
    Relu: {supported: false, notes: the file is mistaken}
    Sigmoid: {}
- id: cpu
  kind: cpu
  name: the host
  backend: {provider: CPUExecutionProvider}
  data_quality: high
  any_operator: {domains: [''], refusal: custom operator}
"""
MODEL = """
<ir_version: 10, opset_import: ["": 21]>
g (float[1,4] x) => (float[1,4] y) {
    [first] a = Relu(x)
    [second] b = Relu(a)
    [third] y = Sigmoid(b)
}
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    target, model = tmp_path / "mistaken.yaml", tmp_path / "model.onnx"
    target.write_text(TARGET, encoding="utf-8")
    onnx.save(onnx.parser.parse_model(MODEL), model)
    return target, model


def test_disagreements_are_shown_and_learnt(files: tuple[Path, Path], tmp_path: Path) -> None:
    target, model = files
    overlay = tmp_path / "overlay.yaml"
    probed = dovetail("targets", "probe", target, model, "-o", overlay)

    assert probed.exit_code == 1
    assert all(name in probed.stdout for name in ("first", "second", "unsupported", "takes it"))
    assert "third" not in probed.stdout
    assert overlay.read_text(encoding="utf-8").count("signature:") == 1
    plain = dovetail("inspect", model, "-t", target, "--format", "json")
    learnt = dovetail("inspect", model, "-t", target, "--overlay", overlay, "--format", "json")
    assert learnt.exit_code == 0
    assert plain.stdout.count('"unsupported"') == 2
    assert '"unsupported"' not in learnt.stdout


def test_a_file_that_agrees_exits_with_zero(files: tuple[Path, Path], tmp_path: Path) -> None:
    target, model = files
    target.write_text(TARGET.replace("{supported: false, notes: the file is mistaken}", "{}"), encoding="utf-8")
    probed = dovetail("targets", "probe", target, model)

    assert probed.exit_code == 0
    assert "the file agrees" in " ".join(probed.stdout.split())


def test_compile_and_explain_take_overlays(files: tuple[Path, Path], tmp_path: Path) -> None:
    target, model = files
    overlay = tmp_path / "overlay.yaml"
    dovetail("targets", "probe", target, model, "-o", overlay)
    explained = dovetail("explain", model, "first", "-t", target, "--overlay", overlay)
    compiled = dovetail("compile", model, "-t", target, "--overlay", overlay, "-o", tmp_path / "made.plan")

    assert (explained.exit_code, compiled.exit_code) == (0, 0)
    assert "on npu: supported" in explained.stdout
    assert "on npu: supported" not in dovetail("explain", model, "first", "-t", target).stdout


@pytest.mark.parametrize(
    ("target", "words"),
    [("arm-ethos-u85", "pip install ethos-u-vela"), ("google-edge-tpu", "no tool for it is known")],
)
def test_a_target_without_a_tool_says_so_in_one_line(
    target: str, words: str, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("PATH", "")
    result = dovetail("targets", "probe", target, files[1])

    assert result.exit_code == 2
    assert "can't be asked" in result.stderr
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


QUANTIZED = """
<ir_version: 10, opset_import: ["": 21]>
g (int8[1,4] x) => (int8[1,4] y)
<float s = {0.5}, int8 z = {0}>
{
    a = DequantizeLinear(x, s, z)
    [taken] b = Abs(a)
    c = QuantizeLinear(b, s, z)
    d = DequantizeLinear(c, s, z)
    [refused] e = Erf(d)
    f = QuantizeLinear(e, s, z)
    g = DequantizeLinear(f, s, z)
    [mistaken] h = Sin(g)
    y = QuantizeLinear(h, s, z)
}
"""


@pytest.mark.npu
@pytest.mark.skipif(find_vela()[0] is None, reason="needs Vela, on PATH or named by DOVETAIL_VELA")
def test_vela_is_asked_about_an_ethos_target(tmp_path: Path) -> None:
    target, model, overlay = tmp_path / "board.yaml", tmp_path / "model.onnx", tmp_path / "overlay.yaml"
    target.write_text("name: board\nextends: arm-ethos-u85\ndevices: {npu: {ops: {Sin: {}}}}\n", encoding="utf-8")
    onnx.save(onnx.parser.parse_model(QUANTIZED), model)
    probed = dovetail("targets", "probe", target, model, "-o", overlay)
    words = " ".join(probed.stdout.split())

    assert probed.exit_code == 1
    assert "takes 1 of 2 operators" in words
    assert "not asked about Erf: no TFLite form of it is written" in words
    assert "1 was not asked about; the file disagrees on 1" in words
    assert "source: ethos-u-vela" in overlay.read_text(encoding="utf-8")
    learnt = dovetail("explain", model, "mistaken", "-t", target, "--overlay", overlay)
    assert "refused by the vendor's compiler" in " ".join(learnt.stdout.split())


def test_an_overlay_of_another_target_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    target, model = files
    overlay = tmp_path / "overlay.yaml"
    dovetail("targets", "probe", target, model, "-o", overlay)
    result = dovetail("inspect", model, "-t", "cpu-only", "--overlay", overlay)

    assert result.exit_code == 2
    assert "overlay for mistaken" in result.stderr


@pytest.mark.npu
@pytest.mark.skipif(find_spec("onnxruntime_qnn") is None, reason="needs the qnn extra")
def test_the_htp_agrees_with_its_file(files: tuple[Path, Path]) -> None:
    probed = dovetail("targets", "probe", "qualcomm-hexagon-htp", files[1])

    assert probed.exit_code == 0
    assert "takes 3 of 3 operators" in " ".join(probed.stdout.split())
