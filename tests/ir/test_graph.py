"""The networkx side says what the ONNX file says, and changes only together with it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import onnx
import onnx_ir
import pytest
from tests.conftest import SAMPLE_MODELS, model_from_text

from dovetail.ir import Graph, load_model
from dovetail.plan.errors import ModelError, PassError

Edge = tuple[tuple[str, ...], tuple[str, ...], str]
"""Outputs of the producer, outputs of the consumer, name of the value."""
REAL_MODELS = ("silero_vad.onnx", "silero_vad_16k_op15.onnx", "magika_standard_v3_3.onnx", "ultraface_rfb_320.onnx")


def graph_of(text: str) -> Graph:
    return load_model(model_from_text(text))


def reads(node: onnx.NodeProto) -> Iterator[str]:
    """Names that a node reads from the graph around it, found in the protobuf alone."""
    yield from node.input
    for attribute in node.attribute:
        if attribute.HasField("g"):
            body = attribute.g
            own = {value.name for value in body.input} | {tensor.name for tensor in body.initializer}
            own.update(name for inner in body.node for name in inner.output)
            yield from ({name for inner in body.node for name in reads(inner)} | {o.name for o in body.output}) - own


def edges_of_file(model: onnx.ModelProto) -> set[Edge]:
    nodes = [node for node in model.graph.node if node.op_type != "Constant"]
    maker = {name: tuple(node.output) for node in nodes for name in node.output if name}
    return {(maker[name], tuple(node.output), name) for node in nodes for name in reads(node) if name in maker}


def edges_of_graph(graph: Graph) -> set[Edge]:
    made = {name: tuple(value.name or "" for value in graph.node(name).outputs) for name in graph}
    return {(made[before], made[after], value) for before, after, value in graph.nx.edges(keys=True)}


@pytest.mark.parametrize("path", SAMPLE_MODELS, ids=lambda path: path.stem)
def test_structure_of_sample_models(path: Path) -> None:
    assert edges_of_graph(load_model(path)) == edges_of_file(onnx.load(path))


@pytest.mark.parametrize("name", REAL_MODELS)
def test_structure_of_real_models(name: str, shared_models: Callable[[str], Path]) -> None:
    path = shared_models(name)
    graph, model = load_model(path), onnx.load(path)
    assert edges_of_graph(graph) == edges_of_file(model)
    assert [node.op_type for node in graph.nodes()] == [n.op_type for n in model.graph.node if n.op_type != "Constant"]
    assert {node.name for node in model.graph.node if node.op_type != "Constant" and node.name} <= set(graph)


def test_edges_are_values() -> None:
    graph = graph_of(
        """g (float[4] x) => (float[2] y) {
            [split] a, b = Split(x)
            [sum] c = Add(a, b)
            [twice] d = Mul(c, c)
            [end] y = Sub(d, a)
        }"""
    )
    assert set(graph.nx.edges(keys=True)) == {
        ("split", "sum", "a"),
        ("split", "sum", "b"),
        ("sum", "twice", "c"),
        ("twice", "end", "d"),
        ("split", "end", "a"),
    }
    assert [value.name for value in graph.inputs] == ["x"]
    assert [value.name for value in graph.outputs] == ["y"]


def test_captures_make_edges() -> None:
    graph = graph_of(
        """g (float[2] x, bool c) => (float[2] y) {
            [a] u = Relu(x)
            [b] v = Exp(x)
            [if] y = If (c) <
                then_branch = then () => (float[2] t) {
                    [inner] t = If (c) <
                        then_branch = deep () => (float[2] p) { [deep] p = Neg(u) },
                        else_branch = flat () => (float[2] q) { q = Identity(x) }
                    >
                },
                else_branch = other () => (float[2] e) { e = Add(v, v) }
            >
        }"""
    )
    assert set(graph.nx.edges(keys=True)) == {("a", "if", "u"), ("b", "if", "v")}
    assert graph.has_bodies("if")
    assert not graph.has_bodies("a")
    assert {str(node.name) for node in graph.nested("if")} == {"inner", "deep", "q", "e"}


def test_order_is_topological_and_stable() -> None:
    text = "g (float[2] x) => (float[2] y) { [b] u = Relu(x) [a] v = Neg(x) [c] y = Add(u, v) }"
    assert list(graph_of(text)) == list(graph_of(text)) == ["b", "a", "c"]
    assert len(graph_of(text)) == 3


def test_nodes_that_come_before_what_they_read() -> None:
    """ONNX forbids it, but the order can be found."""
    model = model_from_text("g (float[2] x) => (float[2] y) { [a] u = Relu(x) [b] y = Neg(u) }")
    nodes = [model.graph.node[1], model.graph.node[0]]
    shuffled = onnx.ModelProto()
    shuffled.CopyFrom(model)
    del shuffled.graph.node[:]
    shuffled.graph.node.extend(nodes)
    assert list(load_model(shuffled)) == ["a", "b"]


def test_cycle() -> None:
    model = model_from_text("g (float[2] x) => (float[2] y) { [a] u = Add(x, v) [b] v = Neg(u) y = Relu(v) }")
    with pytest.raises(ModelError) as refused:
        load_model(model)
    assert "\n" not in str(refused.value)


# --- names -------------------------------------------------------------------------------------------------------


def test_every_node_has_a_name_of_its_own() -> None:
    model = model_from_text(
        """g (float[2] x, bool c) => (float[2] y) {
            [same] u = Relu(x)
            [same] v = Neg(u)
            w = Exp(v)
            [w] k = Abs(w)
            y = If (c) <
                then_branch = then () => (float[2] t) { [same] t = Neg(k) },
                else_branch = other () => (float[2] e) { e = Exp(k) }
            >
        }"""
    )
    graph = load_model(model)
    names = [*graph, *(str(node.name) for node in graph.nested("y"))]
    assert names == ["same", "same#2", "w#2", "w", "y", "same#3", "e"], "the nameless take no name that is given"


def test_names_like_numbered_ones() -> None:
    graph = graph_of('g (float[2] x) => (float[2] y) { ["a#2"] u = Relu(x) [a] v = Neg(u) [a] y = Exp(v) }')
    assert sorted(graph) == ["a", "a#2", "a#3"]


# --- inputs, outputs, constants ------------------------------------------------------------------------------------


def test_initializer_that_is_listed_as_input_is_a_constant() -> None:
    model = model_from_text("g (float[2] x, float[2] w) => (float[2] y) <float[2] w = {1, 2}> { [a] y = Add(x, w) }")
    assert [value.name for value in model.graph.input] == ["x", "w"]
    graph = load_model(model)
    assert [value.name for value in graph.inputs] == ["x"]
    assert list(graph.initializers) == ["w"]


def test_outputs_that_are_constants_or_inputs() -> None:
    graph = graph_of(
        "g (float[2] x) => (float[2] x, float[2] k, float[2] y) <float[2] k = {1, 2}> { [a] y = Add(x, k) }"
    )
    assert [value.name for value in graph.outputs] == ["x", "k", "y"]
    assert {node.op_type for node in graph.nodes()} == {"Add", "Identity"}, "a node delivers the constant"
    assert list(graph.initializers) == ["k_constant"]
    assert list(graph) == ["a", "k"]


def test_constant_output_whose_new_name_is_taken() -> None:
    graph = graph_of(
        "g (float[2] x) => (float[2] k, float[2] k_constant) <float[2] k = {1, 2}> { k_constant = Add(x, k) }"
    )
    assert [value.name for value in graph.outputs] == ["k", "k_constant"]
    assert list(graph.initializers) == ["k_constant#2"]


def test_constant_that_is_two_outputs() -> None:
    text = "g (float[2] x) => (float[2] k, float[2] y, float[2] k) <float[2] k = {1, 2}> { y = Add(x, k) }"
    graph = graph_of(text)
    assert [value.name for value in graph.outputs] == ["k", "y", "k"]
    assert list(graph.initializers) == ["k_constant"]
    assert len(graph) == 2


def test_values_in_sibling_bodies_get_names_of_their_own() -> None:
    graph = graph_of(
        """g (float[2,3] x, bool c) => (float[M] y) {
            u = Neg(x)
            [if] y = If (c) <
                then_branch = then () => (float[P] o) { t = Relu(x) w = Neg(t) o = Flatten(w) },
                else_branch = other () => (float[Q] o) { t = Shape(u) w = Neg(t) o = Cast <to = 1> (w) }
            >
        }"""
    )
    values = [str(value.name) for node in graph.model.graph.all_nodes() for value in node.outputs]
    assert sorted(values) == ["o", "o#2", "t", "t#2", "u", "w", "w#2", "y"]


def test_many_nodes_of_one_name() -> None:
    """Numbering each from 2 on would take minutes."""
    count = 20_000
    nodes = [onnx.helper.make_node("Relu", [f"v{i}"], [f"v{i + 1}"], name="same") for i in range(count)]
    model = model_from_text(f"g (float[2] v0) => (float[2] v{count}) {{ v{count} = Relu(v0) }}")
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    assert list(load_model(model))[-1] == f"same#{count}"


# --- tags ----------------------------------------------------------------------------------------------------------


def test_tags() -> None:
    graph = graph_of("g (float[2] x) => (float[2] y) { [a] u = Relu(x) [b] y = Neg(u) }")
    graph.set_tag("a", 1)
    graph.set_tag("a", "text")
    graph.set_tag("a", 2)
    assert (graph.tag("a", int), graph.tag("a", str)) == (2, "text")
    with pytest.raises(KeyError):
        graph.tag("a", float)
    with pytest.raises(KeyError):
        graph.tag("b", int)
    assert graph.rewrite("nothing", lambda model: True)
    with pytest.raises(KeyError):
        graph.tag("a", int)


# --- rewriting -------------------------------------------------------------------------------------------------------


def append_negation(model: onnx_ir.Model) -> bool:
    graph = model.graph
    source = graph.outputs[0]
    node = onnx_ir.node("Neg", inputs=[source])
    graph.append(node)
    graph.outputs[0] = node.outputs[0]
    return True


def test_rewrite_keeps_both_sides_in_step() -> None:
    graph = graph_of("g (float[2] x) => (float[2] y) { [a] y = Relu(x) }")
    assert graph.rewrite("append", append_negation)
    (before, after) = graph
    assert graph.nx.has_edge(before, after, key="y")
    assert graph.node(after) is graph.outputs[0].producer()
    assert not graph.rewrite("nothing", lambda model: False)


def test_rewrite_without_a_change_keeps_the_tags() -> None:
    graph = graph_of("g (float[2] x) => (float[2] y) { [a] y = Relu(x) }")
    graph.set_tag("a", 1)
    assert not graph.rewrite("nothing", lambda model: False)
    assert graph.tag("a", int) == 1


def test_failing_rewrite_closes_the_graph() -> None:
    def fail(model: onnx_ir.Model) -> bool:
        append_negation(model)
        raise ValueError("half\nway")

    graph = graph_of("g (float[2] x) => (float[2] y) { [a] y = Relu(x) }")
    with pytest.raises(PassError, match=r"^pass 'first': ValueError: half way$") as failed:
        graph.rewrite("first", fail)
    assert isinstance(failed.value.__cause__, ValueError)
    for change in (append_negation, lambda model: False):
        with pytest.raises(PassError, match=r"pass 'second'.*half-changed by 'first'"):
            graph.rewrite("second", change)


def test_rewrite_that_makes_a_cycle() -> None:
    def tie(model: onnx_ir.Model) -> bool:
        first, last = model.graph[0], model.graph[1]
        first.replace_input_with(0, last.outputs[0])
        return True

    graph = graph_of("g (float[2] x) => (float[2] y) { [a] u = Relu(x) [b] y = Neg(u) }")
    with pytest.raises(ModelError, match="cycle"):
        graph.rewrite("tie", tie)
    with pytest.raises(PassError, match="half-changed by 'tie'"):
        graph.rewrite("again", append_negation)


def test_unknown_node() -> None:
    graph = graph_of("g (float[2] x) => (float[2] y) { [a] y = Relu(x) }")
    assert "a" in graph
    assert "b" not in graph
    with pytest.raises(KeyError):
        graph.node("b")
