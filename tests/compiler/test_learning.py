"""What verification learnt of operators, as a file for other models."""

import sys
from pathlib import Path
from typing import Final

import pytest
from tests.conftest import model_from_text

from dovetail.compiler import CompileOptions, compile_graph, prepare
from dovetail.compiler.driver import load_described
from dovetail.compiler.learning import learnt_overlay, merged
from dovetail.compiler.verifying import Verifier
from dovetail.ir import Graph
from dovetail.lowering.reference_values import ReferenceValues
from dovetail.lowering.vendor import VendorCompiler
from dovetail.plan import BackendSpec
from dovetail.plan.schema import Reason
from dovetail.targets.overlay import AnswerPart, OverlayPart, write_overlay

THREE: Final = str(Path(__file__).parents[1] / "data" / "three-cpus.yaml")
OPTIONS: Final = CompileOptions(solver="greedy")
MODEL: Final = """
g (float[2] x) => (float[2] y, float[2] w)
{ [first] a = Exp(x)  [second] b = Exp(a)  [third] y = Neg(b)  [fourth] w = Abs(b) }
"""
QUANTIZED: Final = """
g (float[1, 4] x) => (float[1, 4] y) <float s = {0.5}, uint8 z = {0}>
{
    q = QuantizeLinear(x, s, z)  d = DequantizeLinear(q, s, z)
    [main] a = Sigmoid(d)
    qa = QuantizeLinear(a, s, z)  y = DequantizeLinear(qa, s, z)
}
"""


def reason(words: str) -> Reason:
    return Reason("compile", f"its compiler refuses it: {words}", "refused", "what it compiles", "fake 1.0")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOVETAIL_CACHE", str(tmp_path / "cache"))


def prepared(text: str) -> Graph:
    return prepare(model_from_text(text).SerializeToString(), OPTIONS)


class Learnt:
    """A graph that was placed, and a verifier whose compilers nobody asks."""

    def __init__(self, text: str, target: str, kinds: tuple[str, ...] = ("npu",)) -> None:
        self.graph = prepared(text)
        self.target = load_described(target, OPTIONS)
        compile_graph(self.graph, self.target, OPTIONS)
        compilers = {
            kind: VendorCompiler(BackendSpec("None"), "npu", command=[sys.executable], tool=f"fake {kind}")
            for kind in kinds
        }
        self.verifier = Verifier(self.graph, compilers, ReferenceValues(self.graph, []))

    def refuse(self, device: str, name: str, words: str = "no", alone: bool = True) -> None:
        self.verifier.refused[device, name] = reason(words)
        if alone:
            self.verifier.alone.add((device, name))

    def overlay(self) -> tuple[OverlayPart, ...]:
        return learnt_overlay(self.graph, self.target, self.verifier)


def states(text: str, target: str, overlay: OverlayPart, folder: Path) -> dict[str, str]:
    """Operator -> verdict of the NPU, where an overlay is known."""
    write_overlay(overlay, folder / "learnt.yaml")
    options = CompileOptions(solver="greedy", overlays=(folder / "learnt.yaml",))
    plan = compile_graph(prepared(text), load_described(target, options), options).plan
    return {operator.name: operator.verdicts[0].state for operator in plan.operators}


def test_other_models_are_told_of_operators_that_were_refused_alone(tmp_path: Path) -> None:
    learnt = Learnt(MODEL, THREE)
    learnt.refuse("npu", "first", "no exponents")
    (overlay,) = learnt.overlay()
    assert (overlay.target, overlay.device, overlay.source) == (learnt.target.ref, "npu", "fake npu")
    (answer,) = overlay.answers
    assert (answer.taken, answer.words) == (False, "no exponents")
    other = """h (float[2] p, float[3] t) => (float[2] r, float[3] u)
        { [same] q = Exp(p)  [another] r = Neg(q)  [bigger] u = Exp(t) }"""
    assert states(other, THREE, overlay, tmp_path) == {
        "same": "unsupported",
        "another": "supported",
        "bigger": "supported",
    }


def test_what_failed_together_or_was_wrong_is_not_told() -> None:
    learnt = Learnt(MODEL, THREE)
    learnt.refuse("npu", "first", alone=False)
    assert learnt.overlay() == ()


def test_two_operators_of_one_kind_are_one_answer() -> None:
    learnt = Learnt(MODEL, THREE)
    for name in ("first", "second", "third"):
        learnt.refuse("npu", name)
    (overlay,) = learnt.overlay()
    assert [answer.signature.partition("(")[0] for answer in overlay.answers] == ["ai.onnx:Exp-17", "ai.onnx:Neg-17"]


def test_each_device_has_an_overlay_of_its_own() -> None:
    learnt = Learnt(MODEL, THREE, ("npu", "gpu"))
    learnt.refuse("npu", "first")
    learnt.refuse("gpu", "third")
    found = {(part.device, part.source): len(part.answers) for part in learnt.overlay()}
    assert found == {("npu", "fake npu"): 1, ("gpu", "fake gpu"): 1}


def test_a_group_is_told_of_as_the_integers_that_the_device_saw(tmp_path: Path) -> None:
    target = "qualcomm-hexagon-htp"
    learnt = Learnt(QUANTIZED, target)
    learnt.refuse("npu", "main")
    (overlay,) = learnt.overlay()
    assert "in Q/DQ" in overlay.answers[0].signature
    in_floats = "g (float[1, 4] x) => (float[1, 4] y) { [main] y = Sigmoid(x) }"
    assert states(QUANTIZED, target, overlay, tmp_path)["main"] == "unsupported"
    assert states(in_floats, target, overlay, tmp_path)["main"] == "supported"


def part(device: str, **answers: str) -> OverlayPart:
    parts = tuple(AnswerPart(signature=name, taken=False, words=words) for name, words in answers.items())
    return OverlayPart.model_validate(
        {"overlay": 1, "target": "t:v", "device": device, "source": "fake 1.0", "answers": parts}
    )


def test_overlays_of_several_compilations_are_merged_by_device() -> None:
    npu, gpu = merged([part("npu", a="1", b="2"), part("gpu", a="3"), part("npu", b="4", c="5")])
    assert npu == part("npu", a="1", b="4", c="5")
    assert gpu == part("gpu", a="3")
    assert merged([]) == ()
