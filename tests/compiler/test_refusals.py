"""What a device was found not to take goes before its target's rules."""

from pathlib import Path

import pytest
from tests.conftest import model_from_text

from dovetail.compiler import CompileOptions, compile_graph, prepare
from dovetail.compiler.driver import load_described, tag
from dovetail.compiler.refusals import refuse
from dovetail.ir import Graph
from dovetail.passes.tagging import VerdictTag
from dovetail.plan.schema import Reason
from dovetail.targets import Verdict

THREE = str(Path(__file__).parents[1] / "data" / "three-cpus.yaml")
OPTIONS = CompileOptions(solver="greedy")
MODEL = "g (float[2] x) => (float[2] y) { [first] a = Exp(x)  [second] b = Exp(a)  [third] y = Exp(b) }"
GROUP = """
g (float[1, 4] x) => (float[1, 4] y) <float s = {0.5}, uint8 z = {0}, int64[2] shape = {4, 1}>
{
    [quantize] q = QuantizeLinear(x, s, z)
    [dequantize] d = DequantizeLinear(q, s, z)
    [main] a = Sigmoid(d)
    [again] qa = QuantizeLinear(a, s, z)
    [back] y = DequantizeLinear(qa, s, z)
}
"""
WORDS = Reason("compile", "its compiler refuses it: no", "refused", "what it compiles", "fake 1.0")


def prepared(text: str) -> Graph:
    return prepare(model_from_text(text).SerializeToString(), OPTIONS)


def devices(graph: Graph, refused: dict[tuple[str, str], Reason], target: str = THREE) -> dict[str, str]:
    compiled = compile_graph(graph, load_described(target, OPTIONS), OPTIONS, refusals=refused)
    return {operator.name: operator.device for operator in compiled.plan.operators}


def test_a_refused_operator_goes_to_the_next_device_with_the_reason() -> None:
    graph = prepared(MODEL)
    target = load_described(THREE, OPTIONS)
    plan = compile_graph(graph, target, OPTIONS, refusals={("npu", "second"): WORDS}).plan
    assert {each.name: each.device for each in plan.operators} == {"first": "npu", "second": "gpu", "third": "npu"}
    (operator,) = [each for each in plan.operators if each.name == "second"]
    assert (operator.verdicts[0].state, operator.verdicts[0].reasons) == ("unsupported", (WORDS,))
    assert operator.verdicts[1].state == "supported"
    assert WORDS.message in operator.reason


def test_refusals_of_several_devices_add_up() -> None:
    refused = {("npu", "second"): WORDS, ("gpu", "second"): WORDS, ("gpu", "third"): WORDS}
    assert devices(prepared(MODEL), refused) == {"first": "npu", "second": "cpu", "third": "npu"}


def test_a_graph_forgets_what_it_was_refused_before() -> None:
    graph = prepared(MODEL)
    first = devices(graph, {("npu", "second"): WORDS})
    assert devices(graph, {}) == dict.fromkeys(first, "npu")
    assert devices(graph, {("npu", "second"): WORDS}) == first


def test_a_whole_group_is_refused_with_its_main_operator() -> None:
    graph = prepared(GROUP)
    plain = devices(graph, {}, "qualcomm-hexagon-htp")
    refused = devices(graph, {("npu", "main"): WORDS}, "qualcomm-hexagon-htp")
    assert plain["main"] == "npu"
    moved = {name for name in plain if plain[name] != refused[name]}
    assert {"dequantize", "main", "again"} <= moved


def test_no_other_node_than_the_main_one_stands_for_a_group() -> None:
    graph = prepared(GROUP)
    assert devices(graph, {("npu", "again"): WORDS}, "qualcomm-hexagon-htp") == devices(
        graph, {}, "qualcomm-hexagon-htp"
    )


def test_a_reason_of_the_targets_own_stays_behind_that_of_the_compiler() -> None:
    graph = prepared(MODEL)
    tag(graph, load_described(THREE, OPTIONS))
    own = Reason("op_list", "Exp is not in the list", "Exp", "Relu")
    for own_verdict, kept in ((Verdict("unsupported", (own,)), (own,)), (Verdict("soft", (own,)), ())):
        tagged = graph.tag("second", VerdictTag)
        graph.set_tag("second", VerdictTag((("npu", own_verdict), *tagged.verdicts[1:])))
        refuse(graph, {("npu", "second"): WORDS})
        assert dict(graph.tag("second", VerdictTag).verdicts)["npu"] == Verdict("unsupported", (WORDS, *kept))


@pytest.mark.parametrize("refused", [{}, {("dla", "second"): WORDS}, {("npu", "fourth"): WORDS}])
def test_what_is_not_there_refuses_nothing(refused: dict[tuple[str, str], Reason]) -> None:
    graph = prepared(MODEL)
    assert devices(graph, refused) == devices(graph, {})
