"""Asking providers what they take: answers, crashes of one model, tools that are not here."""

from importlib.util import find_spec
from pathlib import Path

import onnx
import onnx.parser
import pytest

from dovetail.ir import Graph, load_model
from dovetail.lowering.probe import ask_provider, probe_model, tool_name, why_no_probe
from dovetail.plan.errors import LoweringError
from dovetail.plan.schema import BackendSpec
from dovetail.targets import load_target

CPU = BackendSpec("CPUExecutionProvider")
HEAD = '<ir_version: 10, opset_import: ["": 21, "custom": 1]> g '


def save(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.onnx"
    onnx.save(onnx.parser.parse_model(HEAD + text), path)
    return path


def relu(folder: Path, name: str = "relu") -> Path:
    return save(folder, name, "(float[1,4] x) => (float[1,4] y) { [n] y = Relu(x) }")


def test_a_provider_takes_what_it_has_and_fails_on_what_it_does_not(tmp_path: Path) -> None:
    good = relu(tmp_path)
    foreign = save(tmp_path, "foreign", "(float[1,4] x) => (float[1,4] y) { [n] y = custom.Twist(x) }")
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"no model")
    answers = ask_provider([good, foreign, damaged], CPU)

    assert answers[good].whole
    assert answers[good].taken == ("n",)
    for path in (foreign, damaged):
        assert answers[path].outcome == "failed"
        assert answers[path].words
        assert not answers[path].whole


def test_no_models_need_no_answers() -> None:
    assert ask_provider([], CPU) == {}


def test_a_device_without_a_tool_says_so(tmp_path: Path) -> None:
    assert why_no_probe(CPU) == ""
    absent = BackendSpec("NoSuchExecutionProvider")
    assert "NoSuchExecutionProvider" in why_no_probe(absent)
    with pytest.raises(LoweringError, match="NoSuchExecutionProvider"):
        ask_provider([relu(tmp_path)], absent)


@pytest.mark.parametrize("option", [{"backend_path": "x"}, {"library": "/tmp/x.so"}, {"library": "..\\x.dll"}])
def test_a_target_must_not_make_a_provider_load_a_file(option: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(LoweringError, match="names a file"):
        ask_provider([relu(tmp_path)], BackendSpec("CPUExecutionProvider", option))


def test_a_child_that_never_starts_is_an_error_and_no_answer(tmp_path: Path) -> None:
    with pytest.raises(LoweringError, match="took too long"):
        ask_provider([relu(tmp_path)], CPU, model_limit_s=0.001)


@pytest.mark.parametrize(
    "text",
    [
        "(float[4] x) => (uint8[4] y) <float s = {0.5}, uint8 z = {3}> { [n] y = QuantizeLinear(x, s, z) }",
        "(uint8[4] x) => (float[4] y) <float s = {0.5}, uint8 z = {3}> { [n] y = DequantizeLinear(x, s, z) }",
    ],
)
def test_a_lone_quantizer_is_asked_about_in_company(text: str, tmp_path: Path) -> None:
    graph = loaded(save(tmp_path, "lone", text))
    model = probe_model(graph, list(graph))

    onnx.checker.check_model(model, full_check=True)
    assert sorted(node.op_type for node in model.graph.node)[-1] == "Relu"
    assert len(model.graph.node) == 2


def test_any_other_unit_stands_alone(tmp_path: Path) -> None:
    graph = loaded(relu(tmp_path))

    assert [node.name for node in probe_model(graph, list(graph)).graph.node] == ["n"]


def loaded(path: Path) -> Graph:
    return load_model(path)


@pytest.mark.npu
@pytest.mark.skipif(find_spec("onnxruntime_qnn") is None, reason="needs the qnn extra")
def test_the_htp_answers_with_reasons_and_a_crash_costs_one_model(tmp_path: Path) -> None:
    backend = load_target("qualcomm-hexagon-htp").device("npu").backend
    assert backend is not None
    first, last = relu(tmp_path, "first"), relu(tmp_path, "last")
    refused = save(tmp_path, "acos", "(float[1,4] x) => (float[1,4] y) { [n] y = Acos(x) }")
    empty = (
        "(float[2,0,4] x) => (float[2,1,4] y) <int64[1] axes = {1}> { [n] y = ReduceMax<keepdims: int = 1>(x, axes) }"
    )
    crashing = save(tmp_path, "crashing", empty)
    answers = ask_provider([first, refused, crashing, last], backend)

    assert "onnxruntime-qnn" in tool_name(backend)
    assert answers[first].whole
    assert answers[last].whole
    assert not answers[refused].whole
    assert "Acos" in answers[refused].words
    assert answers[crashing].outcome == "failed"
    assert "crashed" in answers[crashing].words
