"""One DequantizeLinear for each reader."""

import pytest
from tests.passes.conftest import after, graph_of, leaves_alone, operators

from dovetail.passes.legalize import LegalizeSharedDequantize

PASS = LegalizeSharedDequantize()
SHARED = """g (uint8[4] q) => (float[4] a, float[4] b) <float s = {0.1}, uint8 z = {3}>
    { [dq] d = DequantizeLinear(q, s, z) [r] a = Relu(d) [n] b = Neg(d) }"""


def readers(graph_text: str) -> dict[str, list[str]]:
    """DequantizeLinear node -> the nodes that read it, after the pass."""
    graph = after(PASS, graph_text)
    return {n: sorted(graph.nx.successors(n)) for n in graph if graph.node(n).op_type == "DequantizeLinear"}


def test_one_each() -> None:
    assert readers(SHARED) == {"dq": ["r"], "dq#2": ["n"]}


def test_copies_are_the_users_node() -> None:
    graph = after(PASS, SHARED)
    assert graph.origins("dq#2") == ("dq",)


def test_copies_are_behind_each_other_and_typed() -> None:
    graph = after(PASS, SHARED.replace("b)", "b, float[4] c)", 1).replace("[n]", "[e] c = Exp(d) [n]"))
    assert [name for name in graph if name.startswith("dq")] == ["dq", "dq#2", "dq#3"]
    assert {str(graph.node(name).outputs[0].shape) for name in ("dq", "dq#2", "dq#3")} == {"[4]"}


def test_reader_that_reads_twice_counts_once() -> None:
    assert readers(SHARED.replace("Neg(d)", "Add(d, d)")) == {"dq": ["r"], "dq#2": ["n"]}


@pytest.mark.parametrize(("domain", "count"), [("com.microsoft", 2), ("custom", 1)])
def test_other_domains(domain: str, count: int) -> None:
    """ONNX Runtime's own operator is the same one; another's of this name may be anything."""
    header = f'<ir_version: 8, opset_import: ["": 17, "{domain}": 1]>'
    graph = graph_of(header + SHARED.replace("Dequantize", f"{domain}.Dequantize"))
    assert PASS.run(graph) == (count > 1)
    assert operators(graph).count("DequantizeLinear") == count


def test_an_output_keeps_the_original() -> None:
    assert readers(SHARED.replace("b)", "b, float[4] d)", 1)) == {"dq": [], "dq#2": ["r"], "dq#3": ["n"]}


def test_a_body_keeps_the_original() -> None:
    text = """g (uint8[4] q, bool c) => (float[4] a, float[4] b) <float s = {0.1}, uint8 z = {3}> {
        [dq] d = DequantizeLinear(q, s, z)
        [r] a = Relu(d)
        [if] b = If (c) <
            then_branch = then () => (float[4] t) { t = Neg(d) },
            else_branch = other () => (float[4] e) { e = Exp(d) }
        >
    }"""
    assert readers(text) == {"dq": ["if"], "dq#2": ["r"]}


def test_names_that_are_taken() -> None:
    text = SHARED.replace("[n] b", "[n] e = Exp(d) b").replace("b = Neg(d)", "b = Neg(e)")
    graph = after(PASS, text.replace(" e ", ' "d#2" ').replace("(e)", '("d#2")'))
    values = [value.name for node in graph.nodes() for value in node.outputs]
    assert len(set(values)) == len(values)


def test_weights() -> None:
    graph = after(
        PASS,
        """g (float[2,2] x) => (float[2,2] a, float[2,2] b)
        <uint8[2,2] w = {1, 2, 3, 4}, float s = {0.1}, uint8 z = {3}>
        { [dq] d = DequantizeLinear(w, s, z) a = MatMul(x, d) b = Add(x, d) }""",
    )
    assert operators(graph).count("DequantizeLinear") == 2
    assert list(graph.initializers) == ["w", "s", "z"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(SHARED.replace("Neg(d)", "Neg(a)"), id="one reader"),
        pytest.param(SHARED.replace("Relu(d)", "Add(d, d)").replace("Neg(d)", "Neg(a)"), id="one that reads twice"),
        pytest.param("g (float[2] x) => (float[2] a, float[2] b) { u = Exp(x) a = Relu(u) b = Neg(u) }", id="another"),
    ],
)
def test_near_misses(text: str) -> None:
    assert leaves_alone(PASS, text)
