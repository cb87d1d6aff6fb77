"""The user's names survive rewrites: merged, copied, moved and removed nodes are all accounted for."""

from collections.abc import Callable

import onnx_ir
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import model_from_text

from dovetail.ir import COPY_OF, Graph, load_model
from dovetail.passes import run_passes
from dovetail.passes.canonical import CANONICAL_PASSES

CHAIN = "g (float[2] x) => (float[2] y) { [a] u = Relu(x) [b] v = Neg(u) [c] y = Exp(v) }"
BRANCHES = """g (float[2] x, bool c) => (float[2] y) {
    [if] y = If (c) <
        then_branch = then () => (float[2] o) { [t1] u = Relu(x) [t2] o = Neg(u) },
        else_branch = other () => (float[2] o2) { [e1] u = Exp(x) [e2] o2 = Abs(u) }
    >
}"""


def graph_of(text: str) -> Graph:
    return load_model(model_from_text(text))


def merge(first: str, second: str, op_type: str) -> Callable[[onnx_ir.Model], bool]:
    """Replace two nodes by one that makes the value of the second."""

    def change(model: onnx_ir.Model) -> bool:
        nodes = {str(node.name): node for node in model.graph.all_nodes()}
        before, after = nodes[first], nodes[second]
        merged = onnx_ir.node(op_type, inputs=list(before.inputs))
        merged.outputs[0].name = after.outputs[0].name
        assert isinstance(after.graph, onnx_ir.Graph)
        onnx_ir.convenience.replace_nodes_and_values(
            after.graph, after, [before, after], [merged], after.outputs, merged.outputs
        )
        return True

    return change


def test_untouched() -> None:
    graph = graph_of(CHAIN)
    assert [graph.origins(name) for name in graph] == [("a",), ("b",), ("c",)]
    assert graph.eliminated() == ()


def test_merged_under_the_name_of_its_kind() -> None:
    graph = graph_of(CHAIN)
    graph.rewrite("merge", merge("a", "b", "Neg"))
    assert list(graph) == ["b", "c"]
    assert graph.origins("b") == ("a", "b")
    assert graph.eliminated() == ()


def test_merged_under_the_first_name_where_the_kind_is_new() -> None:
    graph = graph_of(CHAIN)
    graph.rewrite("merge", merge("b", "c", "Sigmoid"))
    assert list(graph) == ["a", "b"]
    assert graph.origins("b") == ("b", "c")


def test_merged_twice() -> None:
    graph = graph_of(CHAIN)
    graph.rewrite("merge", merge("b", "c", "Sigmoid"))
    graph.rewrite("merge", merge("a", "b", "Tanh"))
    (name,) = graph
    assert graph.origins(name) == ("a", "b", "c")
    assert graph.eliminated() == ()


def test_in_one_of_two_branches_with_the_same_names_of_values() -> None:
    graph = graph_of(BRANCHES)
    graph.rewrite("merge", merge("t1", "t2", "Tanh"))
    names = {str(node.name): node.op_type for node in graph.nested("if")}
    assert names == {"t1": "Tanh", "e1": "Exp", "e2": "Abs"}
    assert graph.origins("t1") == ("t1", "t2")
    assert graph.origins("e1") == ("e1",)
    assert graph.eliminated() == ()


def test_removed() -> None:
    def change(model: onnx_ir.Model) -> bool:
        node = next(node for node in model.graph if node.name == "b")
        source = node.inputs[0]
        assert source is not None
        node.outputs[0].replace_all_uses_with(source)
        model.graph.remove(node, safe=True)
        return True

    graph = graph_of(CHAIN)
    graph.rewrite("remove", change)
    assert list(graph) == ["a", "c"]
    assert graph.eliminated() == ("b",)


def test_twins() -> None:
    """A kept node stands for the one that was the same, in a chain of them each for its own."""
    graph = graph_of(
        """g (float[2] x) => (float[2] y) {
            [a] u = Relu(x) [b] v = Relu(x) [c] s = Neg(u) [d] t = Neg(v) [e] y = Add(s, t)
        }"""
    )
    run_passes(graph, CANONICAL_PASSES)
    assert {name: graph.origins(name) for name in graph} == {"a": ("a", "b"), "c": ("c", "d"), "e": ("e",)}
    assert graph.eliminated() == ()


def test_twin_that_takes_over_an_output() -> None:
    graph = graph_of("g (float[2] x) => (float[2] y, float[2] z) { [a] u = Relu(x) z = Neg(u) [b] y = Relu(x) }")
    run_passes(graph, CANONICAL_PASSES)
    assert graph.origins("a") == ("a", "b")


def test_copied() -> None:
    def change(model: onnx_ir.Model) -> bool:
        node = next(node for node in model.graph if node.name == "a")
        copy = onnx_ir.node("Relu", inputs=list(node.inputs))
        copy.meta[COPY_OF] = "a"
        model.graph.insert_after(node, copy)
        return True

    graph = graph_of(CHAIN)
    graph.rewrite("copy", change)
    assert graph.origins("a#2") == ("a",)


def test_new_out_of_nothing() -> None:
    def change(model: onnx_ir.Model) -> bool:
        node = onnx_ir.node("Neg", inputs=[model.graph.inputs[0]], name="b")
        model.graph.append(node)
        return True

    graph = graph_of(CHAIN)
    graph.rewrite("insert", change)
    assert graph.origins("b#2") == ("b#2",), "it is nobody's, whatever it calls itself"


def test_renamed_by_a_library() -> None:
    def change(model: onnx_ir.Model) -> bool:
        for node in model.graph:
            node.name = "node"
        return True

    graph = graph_of(CHAIN)
    graph.rewrite("rename", change)
    assert list(graph) == ["a", "b", "c"]


OPERATORS = ("Relu", "Identity", "Neg", "Dropout", "Abs")


@settings(max_examples=30, deadline=None)
@given(
    steps=st.lists(st.tuples(st.sampled_from(OPERATORS), st.integers(0, 30), st.booleans()), min_size=1, max_size=12),
    constant=st.booleans(),
)
def test_every_name_is_accounted_for(steps: list[tuple[str, int, bool]], constant: bool) -> None:
    """After all canonical passes each of the user's nodes is an origin of some node, or is listed as eliminated."""
    values = ["k" if constant else "x"]
    lines = []
    for number, (op_type, source, unnamed) in enumerate(steps):
        label = "" if unnamed else f"[n{number}] "
        lines.append(f"{label}v{number} = {op_type}({values[source % len(values)]})")
        values.append(f"v{number}")
    lines.append(f"[last] y = Add(x, {values[-1]})")
    graph = graph_of(f"g (float[2] x) => (float[2] y) <float[2] k = {{1, 2}}> {{ {' '.join(lines)} }}")
    names = set(graph)
    run_passes(graph, CANONICAL_PASSES)
    run_passes(graph, CANONICAL_PASSES)
    alive = {origin for name in graph for origin in graph.origins(name)}
    assert alive.isdisjoint(graph.eliminated())
    assert alive | set(graph.eliminated()) == names
