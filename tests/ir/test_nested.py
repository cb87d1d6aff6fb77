"""Bodies: what is in them at any depth, and what they read from outside."""

import onnx_ir
from tests.conftest import model_from_text

from dovetail.ir import Graph, bodies, captured_values, load_model, nested_graphs, nested_nodes, read_values
from dovetail.ir.nested import release_bodies

TEXT = """g (float[2] x, bool c, int64 n) => (float[2] y) <float[2] k = {1, 2}> {
    [a] u = Relu(x)
    [b] v = Exp(x)
    [if] y = If (c) <
        then_branch = then () => (float[2] t) {
            [own] w = Neg(u)
            [loop] t = Loop (n, c, w) <body = body (int64 i, bool before, float[2] s) => (bool again, float[2] r)
                { again = Identity(before) [deep] q = Add(s, v) r = Mul(q, k) }>
        },
        else_branch = other () => (float[2] e) { e = Identity(u) }
    >
}"""


def holder() -> tuple[Graph, onnx_ir.Node]:
    graph = load_model(model_from_text(TEXT))
    return graph, graph.node("if")


def names(values: list[onnx_ir.Value]) -> list[str | None]:
    return [value.name for value in values]


def test_bodies_with_the_names_of_their_attributes() -> None:
    graph, node = holder()
    assert {name: len(body) for name, body in bodies(node)} == {"then_branch": 2, "else_branch": 1}
    assert list(bodies(graph.node("a"))) == []


def test_at_any_depth() -> None:
    _, node = holder()
    assert len(nested_graphs(node)) == 3
    assert {str(inner.name) for inner in nested_nodes(node)} == {"own", "loop", "again", "deep", "r", "e"}


def test_captured_values_are_those_from_outside() -> None:
    graph, node = holder()
    assert sorted(map(str, names(captured_values(node)))) == ["c", "k", "n", "u", "v"]
    assert captured_values(graph.node("a")) == []


def test_read_values_are_each_once() -> None:
    _, node = holder()
    values = names(read_values(node))
    assert values[0] == "c"
    assert sorted(map(str, values)) == ["c", "k", "n", "u", "v"]


def test_output_of_a_body_that_is_an_outer_value() -> None:
    """ONNX forbids it, exporters do it: the value is captured all the same."""
    _, node = holder()
    body = dict(bodies(node))["else_branch"]
    outer = next(value for value in captured_values(node) if value.name == "v")
    body.outputs[0] = outer
    assert "v" in names(captured_values(node))


def test_release() -> None:
    graph, node = holder()
    assert not release_bodies([node]), "still in the graph"
    value = graph.node("b").outputs[0]
    assert value.uses()
    top = graph.model.graph
    top.outputs[0] = graph.node("a").outputs[0]
    top.remove(node, safe=True)
    assert release_bodies([node])
    assert not value.uses()
    assert not release_bodies([node])
