"""Verdicts: each device is asked about each operator, as the operator is in the graph."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import SAMPLE_MODELS
from tests.passes.conftest import graph_of

from dovetail.ir import Graph, load_model
from dovetail.passes import run_passes, run_to_fixpoint
from dovetail.passes.canonical import CANONICAL_PASSES
from dovetail.passes.legalize import LEGALIZE_PASSES
from dovetail.passes.tagging import AnnotateUnits, AnnotateVerdicts, BodyTag, UnitTag, VerdictTag
from dovetail.passes.tagging.views import operator_view
from dovetail.targets import Target, load_target

TARGETS = ("qualcomm-hexagon-htp", "arm-ethos-u85", "nvidia-orin-dla", "cpu-only")
DQ = "DequantizeLinear(%s, s, z)"
Q = "QuantizeLinear(%s, s, z)"

LoadTarget = Callable[[str], Target]


@pytest.fixture(scope="module")
def target() -> LoadTarget:
    loaded = {name: load_target(name) for name in TARGETS}
    return loaded.__getitem__


def tagged(graph: Graph, target: Target) -> Graph:
    assert not AnnotateUnits().run(graph)
    assert not AnnotateVerdicts(target).run(graph)
    return graph


def test_each_device_answers_in_the_targets_order(target: LoadTarget) -> None:
    orin = target("nvidia-orin-dla")
    graph = tagged(graph_of("g (float[1,2,4,4] x) => (float[1,2,4,4] y) { [a] y = Relu(x) }"), orin)
    assert [device for device, _ in graph.tag("a", VerdictTag).verdicts] == [device.id for device in orin.devices]
    assert graph.tag("a", VerdictTag).on("cpu").state == "supported"


def test_quantized_operator_is_judged_by_its_integers(target: LoadTarget) -> None:
    """Arm Ethos-U computes in integers only: the same Add is taken inside a group and refused outside."""
    head = "g (%s[1,4,4,8] %s) => (%s[1,4,4,8] y) <float s = {0.1}, int8 z = {3}>"
    group = (head % ("int8", "q", "int8")) + f"{{ [dq] a = {DQ % 'q'} [add] b = Add(a, a) [q] y = {Q % 'b'} }}"
    alone = (head % ("float", "x", "float")) + "{ [add] y = Add(x, x) }"
    ethos = target("arm-ethos-u85")
    inside, outside = (tagged(graph_of(text), ethos).tag("add", VerdictTag).on("npu") for text in (group, alone))
    assert inside.state == "supported"
    assert outside.state == "unsupported"
    assert any(reason.rule == "dtype" or "float32" in reason.got for reason in outside.reasons)


@pytest.mark.parametrize("name", ["arm-ethos-u85", "qualcomm-hexagon-htp"])
def test_activation_in_a_group_is_judged_by_its_integers(name: str, target: LoadTarget) -> None:
    text = f"""g (int8[1,4,4,8] q) => (int8[1,4,4,8] y) <float s = {{0.1}}, int8 z = {{3}}>
        {{ [dq] a = {DQ % "q"} [add] b = Add(a, a) [act] c = Relu(b) [q] y = {Q % "c"} }}"""
    graph = tagged(graph_of(text), target(name))
    assert [graph.tag(each, VerdictTag).on("npu").state for each in graph] == ["supported"] * 4


def test_group_goes_where_its_operator_goes(target: LoadTarget) -> None:
    text = f"""g (int8[1,4,4,8] q) => (int8[1,4,4,8] y) <float s = {{0.1}}, int8 z = {{3}}>
        {{ [dq] a = {DQ % "q"} [op] b = Tan(a) [q] y = {Q % "b"} }}"""
    graph = tagged(graph_of(text), target("arm-ethos-u85"))
    main = graph.tag("op", VerdictTag).on("npu")
    assert main.state != "supported"
    for name in ("dq", "q"):
        verdict = graph.tag(name, VerdictTag).on("npu")
        assert verdict.state == main.state
        (reason,) = verdict.reasons
        assert reason.rule == "unit"
        assert "'op'" in reason.message
        assert reason.got
        assert reason.allowed


def test_operators_in_bodies(target: LoadTarget) -> None:
    graph = graph_of(
        """g (float[2] x, bool c) => (float[2] y) {
            [if] y = If (c) <
                then_branch = then () => (float[2] t) { [a] u = Neg(x) [b] t = Exp(u) },
                else_branch = other () => (float[2] e) { [d] e = Relu(x) }
            >
        }"""
    )
    tagged(graph, target("cpu-only"))
    operators = graph.tag("if", BodyTag).operators
    assert [(name, op_type) for name, op_type, _, _ in operators] == [("a", "Neg"), ("b", "Exp"), ("d", "Relu")]
    assert all(verdicts.on("cpu").state == "supported" for _, _, _, verdicts in operators)


def test_a_body_is_where_its_operators_are_taken(target: LoadTarget) -> None:
    """The operators inside run where the If runs: one that is refused refuses it."""
    text = """g (float[2] x, bool c) => (float[2] y) {
        [if] y = If (c) <
            then_branch = then () => (float[2] t) { [a] u = Neg(x) [b] t = custom.What(u) },
            else_branch = other () => (float[2] e) { [d] e = Relu(x) }
        >
    }"""
    cpu = target("cpu-only")
    graph = tagged(graph_of('<ir_version: 8, opset_import: ["": 17, "custom": 1]>' + text), cpu)
    inner = next(verdicts for name, *_, verdicts in graph.tag("if", BodyTag).operators if name == "b").on("cpu")
    verdict = graph.tag("if", VerdictTag).on("cpu")
    assert inner.state == verdict.state != "supported"
    (reason,) = verdict.reasons
    assert reason.rule == "body"
    assert "'b' (What)" in reason.message
    assert inner.reasons[0].message in reason.message
    allowed = tagged(graph_of(text.replace("custom.What", "Exp")), cpu).tag("if", VerdictTag).on("cpu")
    assert (allowed.state, allowed.reasons) == ("supported", ())


def test_units_come_first(target: LoadTarget) -> None:
    graph = graph_of("g (float[2] x) => (float[2] y) { y = Relu(x) }")
    with pytest.raises(KeyError):
        AnnotateVerdicts(target("cpu-only")).run(graph)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("path", SAMPLE_MODELS, ids=lambda path: path.stem)
def test_every_operator_has_an_answer_with_its_reason(path: Path, name: str, target: LoadTarget) -> None:
    graph = load_model(path)
    run_to_fixpoint(graph, CANONICAL_PASSES)
    run_passes(graph, LEGALIZE_PASSES)
    tagged(graph, target(name))
    answers = [graph.tag(node, VerdictTag) for node in graph]
    answers += [tag for node in graph if graph.has_bodies(node) for *_, tag in graph.tag(node, BodyTag).operators]
    for answer in answers:
        assert [device for device, _ in answer.verdicts] == [device.id for device in target(name).devices]
        for _, verdict in answer.verdicts:
            assert verdict.state == "supported" or verdict.reasons
            for reason in verdict.reasons:
                assert reason.rule
                assert reason.got, reason
                assert reason.allowed, reason
                assert "\n" not in reason.message


@pytest.mark.parametrize("name", ["arm-ethos-u85", "qualcomm-hexagon-htp", "nvidia-orin-dla"])
@pytest.mark.parametrize("path", SAMPLE_MODELS, ids=lambda path: path.stem)
def test_operators_that_are_alike_get_the_answer_of_each_alone(path: Path, name: str, target: LoadTarget) -> None:
    graph = load_model(path)
    run_to_fixpoint(graph, CANONICAL_PASSES)
    described = target(name)
    tagged(graph, described)
    for node in graph.nodes():
        if graph.tag(str(node.name), UnitTag).quantized or graph.has_bodies(str(node.name)):
            continue
        view = operator_view(graph, node)
        expected = tuple((device.id, device.verdict(view)) for device in described.devices)
        assert graph.tag(str(node.name), VerdictTag).verdicts == expected


def test_an_operator_unlike_the_one_before_is_judged_itself(target: LoadTarget) -> None:
    """The second Relu differs by its shape alone, the third by its name, which is in the reason."""
    text = """g (float[1,2,4,4,4,4] x, float[2] y) => (float[1,2,4,4,4,4] c, float[2] b)
        { [a] a = Relu(x) [b] b = Relu(y) [c] c = Relu(a) }"""
    graph = tagged(graph_of(text), target("qualcomm-hexagon-htp"))
    first, second, third = (graph.tag(each, VerdictTag).on("npu") for each in "abc")
    assert [first.state, second.state, third.state] == ["unsupported", "supported", "unsupported"]
    assert "'a'" in first.reasons[0].message
    assert "'c'" in third.reasons[0].message
