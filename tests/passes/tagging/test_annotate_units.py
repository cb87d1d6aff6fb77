"""Units: Q/DQ groups stay whole, and so does what hands sequences on; everything else stands alone."""

import networkx as nx
import pytest
from tests.conftest import SAMPLE_MODELS
from tests.passes.conftest import graph_of

from dovetail.ir import Graph, extract, load_model
from dovetail.passes import run_passes, run_to_fixpoint
from dovetail.passes.canonical import CANONICAL_PASSES
from dovetail.passes.legalize import LEGALIZE_PASSES
from dovetail.passes.tagging import AnnotateUnits, FusionTag, UnitTag

PASS = AnnotateUnits()
Q = "QuantizeLinear(%s, s, z)"
DQ = "DequantizeLinear(%s, s, z)"
SCALE = "<float s = {0.1}, uint8 z = {3}>"


def quantized(middle: str, outputs: str = "uint8[4] y", inputs: str = "uint8[4] q") -> Graph:
    return graph_of(f"g ({inputs}) => ({outputs}) {SCALE} {{ [dq] a = {DQ % 'q'} {middle} }}")


def units(graph: Graph) -> list[list[str]]:
    """The members of each unit, in the order of the units."""
    before = extract(graph).SerializeToString(deterministic=True)
    assert not PASS.run(graph)
    assert extract(graph).SerializeToString(deterministic=True) == before, "tagging changes nothing"
    found: dict[int, list[str]] = {}
    for name in graph:
        found.setdefault(graph.tag(name, UnitTag).index, []).append(name)
    assert list(found) == list(range(len(found))), "numbered in topological order"
    return list(found.values())


def test_alone() -> None:
    graph = graph_of("g (float[2] x) => (float[2] y) { [a] u = Relu(x) [b] y = Neg(u) }")
    assert units(graph) == [["a"], ["b"]]
    assert graph.tag("b", UnitTag) == UnitTag(1, "b", quantized=False)


def test_group() -> None:
    graph = quantized(f"[op] b = Exp(a) [q] y = {Q % 'b'}")
    assert units(graph) == [["dq", "op", "q"]]
    assert graph.tag("q", UnitTag) == UnitTag(0, "op", quantized=True)


def test_group_with_activation() -> None:
    graph = quantized(f"[op] b = Add(a, a) [act] c = Relu(b) [q] y = {Q % 'c'}")
    assert units(graph) == [["dq", "op", "act", "q"]]
    assert graph.tag("act", UnitTag).main == "op"


@pytest.mark.parametrize(
    ("domain", "expected"),
    [("com.microsoft", [["dq", "op", "q"]]), ("custom", [["dq"], ["op"], ["q"]])],
)
def test_group_of_other_domains(domain: str, expected: list[list[str]]) -> None:
    text = f"g (uint8[4] q) => (uint8[4] y) {SCALE} {{ [dq] a = {DQ % 'q'} [op] b = Exp(a) [q] y = {Q % 'b'} }}"
    for op_type in ("DequantizeLinear", "QuantizeLinear"):
        text = text.replace(f"= {op_type}", f"= {domain}.{op_type}")
    graph = graph_of(f'<ir_version: 8, opset_import: ["": 17, "{domain}": 1]>{text}')
    assert units(graph) == expected


def test_groups_follow_each_other() -> None:
    graph = quantized(f"[op] b = Exp(a) [q] c = {Q % 'b'} [dq2] d = {DQ % 'c'} [op2] e = Neg(d) [q2] y = {Q % 'e'}")
    assert units(graph) == [["dq", "op", "q"], ["dq2", "op2", "q2"]]


def test_activation_with_its_own_source() -> None:
    graph = quantized(
        f"[op] b = Add(a, a) [slope] r2 = {DQ % 'r'} [act] c = PRelu(b, r2) [q] y = {Q % 'c'}",
        inputs="uint8[4] q, uint8[4] r",
    )
    assert sorted(units(graph)[0]) == sorted(graph)


@pytest.mark.parametrize(
    "middle",
    [
        pytest.param(f"[op] b = Add(a, f) [q] y = {Q % 'b'}", id="operator"),
        pytest.param(f"[op] b = Add(a, a) [act] c = PRelu(b, f) [q] y = {Q % 'c'}", id="activation"),
        pytest.param("[op] y = Less(a, f)", id="comparison"),
    ],
)
def test_floats_past_the_dequantizers(middle: str) -> None:
    """In a group the device would compute in integers, with an operand that is none."""
    outputs = "bool[4] y" if "Less" in middle else "uint8[4] y"
    graph = quantized(middle, outputs, "uint8[4] q, float[4] f")
    assert units(graph) == [[name] for name in graph]


def test_other_operands_need_no_dequantizer() -> None:
    graph = quantized(f"[op] b = Gather(a, i) [act] c = PRelu(b, s) [q] y = {Q % 'c'}", inputs="uint8[4] q, int64[4] i")
    assert units(graph) == [["dq", "op", "act", "q"]], "indices, and constants"


def test_two_quantizers_and_two_sources() -> None:
    graph = quantized(
        f"[dq2] a2 = {DQ % 'r'} [op] b = Mul(a, a2) [q] y = {Q % 'b'} [q2] y2 = {Q % 'b'}",
        "uint8[4] y, uint8[4] y2",
        "uint8[4] q, uint8[4] r",
    )
    assert units(graph) == [["dq", "dq2", "op", "q", "q2"]]


def test_result_that_is_not_of_floats() -> None:
    assert units(quantized("[op] y = ArgMax(a)", "int64[1] y")) == [["dq", "op"]]


@pytest.mark.parametrize(
    ("middle", "outputs", "expected"),
    [
        pytest.param("[op] y = Exp(a)", "float[4] y", [["dq"], ["op"]], id="no quantizer behind"),
        pytest.param(f"[op] b = Exp(a) [q] y = {Q % 'b'}", "uint8[4] y, float[4] b", None, id="result is an output"),
        pytest.param(
            f"[op] b = Exp(a) [n] w = Neg(b) [q] y = {Q % 'b'}", "uint8[4] y, float[4] w", None, id="read too"
        ),
        pytest.param(f"[op] b = Exp(a) [q] y = {Q % 'b'} [n] w = Neg(a)", "uint8[4] y, float[4] w", None, id="shared"),
        pytest.param(f"[op] b = Exp(a) [q] y = {Q % 'b'}", "uint8[4] y, float[4] a", None, id="dequantized output"),
        pytest.param(
            "[op] b = Exp(a) [m] t = ReduceMax <keepdims = 0> (b) [q] y = QuantizeLinear(b, t, z)",
            "uint8[4] y",
            None,
            id="scale that depends on the result",
        ),
        pytest.param(
            f"[op] b = Exp(a) [n] c = Neg(b) [q] y = {Q % 'c'}", "uint8[4] y", None, id="no activation in between"
        ),
    ],
)
def test_not_a_group(middle: str, outputs: str, expected: list[list[str]] | None) -> None:
    graph = quantized(middle, outputs)
    assert units(graph) == (expected or [[name] for name in graph])
    assert not any(graph.tag(name, UnitTag).quantized for name in graph)


def test_body_that_reads_a_dequantized_value() -> None:
    graph = quantized(
        f"""[if] b = If (c) <
            then_branch = then () => (float[4] t) {{ t = Neg(a) }},
            else_branch = other () => (float[4] e) {{ e = Exp(a) }}
        > [q] y = {Q % "b"}""",
        inputs="uint8[4] q, bool c",
    )
    assert units(graph) == [["dq"], ["if"], ["q"]]


def test_sequences_stay_together() -> None:
    graph = graph_of(
        """g (float[2] x, int64 p) => (float[2] y, float[2] w)
        { [r] u = Relu(x) [make] s = SequenceConstruct(x, u) [at] t = SequenceAt(s, p) [b] y = Neg(t)
        [c] w = Exp(u) }"""
    )
    assert units(graph) == [["r"], ["make", "at"], ["b"], ["c"]]


def test_sequences_take_in_what_lies_between() -> None:
    """A tensor leaves the sequence and comes back: without `mid` the units would wait for each other."""
    graph = graph_of(
        """g (float[2] x, int64 p) => (float[N] y, float[2] w) {
            [make] s = SequenceConstruct(x, x) [at] t = SequenceAt(s, p) [mid] u = Exp(t) [out] w = Neg(u)
            [in] s2 = SequenceInsert(s, u) [join] y = ConcatFromSequence <axis = 0> (s2)
        }"""
    )
    assert sorted(map(sorted, units(graph))) == [["at", "in", "join", "make", "mid"], ["out"]]


def test_optionals_stay_together() -> None:
    graph = graph_of(
        "g (float[2] x) => (float[2] y) { [a] o = Optional(x) [b] u = OptionalGetElement(o) [c] y = Neg(u) }"
    )
    assert units(graph) == [["a", "b"], ["c"]]


def test_fusions() -> None:
    graph = graph_of(
        """g (float[2] x) => (float[2] y, float[2] z, float[2] v) {
            [add] a = Add(x, x) [relu] b = Relu(a)
            [mul] c = Mul(b, b) [tanh] y = Tanh(c) [neg] z = Neg(c)
            [exp] d = Exp(b) [clip] v = Clip(d)
        }"""
    )
    PASS.run(graph)
    assert graph.tag("relu", FusionTag) == FusionTag("add")
    for name in ("tanh", "clip", "neg"):  # c is read twice, Exp fuses nothing, Neg is no activation
        with pytest.raises(KeyError):
            graph.tag(name, FusionTag)


@pytest.mark.parametrize("path", SAMPLE_MODELS, ids=lambda path: path.stem)
def test_units_of_sample_models_do_not_wait_for_each_other(path: str) -> None:
    graph = load_model(path)
    run_to_fixpoint(graph, CANONICAL_PASSES)
    run_passes(graph, LEGALIZE_PASSES)
    found = units(graph)
    assert sorted(name for unit in found for name in unit) == sorted(graph)
    index = {name: graph.tag(name, UnitTag).index for name in graph}
    quotient = nx.DiGraph((index[a], index[b]) for a, b in graph.nx.edges() if index[a] != index[b])
    assert nx.is_directed_acyclic_graph(quotient)
    for unit in found:
        assert {graph.tag(name, UnitTag).main for name in unit} <= set(unit)


def test_every_operator_of_a_quantized_network_is_in_a_group() -> None:
    graph = load_model(next(path for path in SAMPLE_MODELS if path.stem == "mobilenet_v2_qdq"))
    run_passes(graph, LEGALIZE_PASSES)
    PASS.run(graph)
    alone = [
        graph.node(unit[0]).op_type
        for unit in units(graph)
        if len(unit) == 1 and graph.node(unit[0]).op_type not in ("QuantizeLinear", "DequantizeLinear")
    ]
    assert alone == []
