"""Neutral names: what differs in names alone is one model, and computes the same."""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper
from tests.conftest import model_from_text, random_feeds, run_cpu

from dovetail.lowering.canonical import content_key, named_nodes, neutral_names, rename_ends, with_names

PLAIN: Final = """
g (float[2, 3] x, float[3] k) => (float[2, 3] y, float[2, 3] z) <float[3] w = {1, 2, 3}>
{ [one] a = Mul(x, w)  [two] b = Add(a, k)  [three] y = LeakyRelu<alpha = 0.25>(b)  [four] z = Neg(b) }
"""
NESTED: Final = """
g (bool c, int64 times, float[2] x) => (float[2] y, float[2] last) <float[2] w = {0.5, 2}>
{
    [before] a = Mul(x, w)
    [choice] y = If (c) <
        then_branch = g1 () => (float[2] t) { [inner] s = Add(a, w)  t = Mul(s, x) },
        else_branch = g2 () => (float[2] e) {
            e = If (c) <
                then_branch = g3 () => (float[2] ee) { ee = Neg(a) },
                else_branch = g4 () => (float[2] ef) { ef = Abs(a) }
            >
        }
    >
    [loop] last = Loop (times, c, a) <
        body = g5 (int64 i, bool go, float[2] v) => (bool more, float[2] u) { more = Identity(c)  u = Add(v, y) }
    >
}
"""


def key(text: str) -> str:
    return content_key(neutral_names(model_from_text(text)))


def renamed(text: str, names: Sequence[str]) -> str:
    """The text with other names for its values and nodes."""
    for name in names:
        text = re.sub(rf"\b{name}\b", f"other_{name}", text)
    return text


@pytest.mark.parametrize(
    "text",
    [
        renamed(PLAIN, ["x", "k", "y", "z", "w", "a", "b", "g"]),
        renamed(PLAIN, ["one", "two", "three", "four"]),
        PLAIN.replace("[one] ", "").replace("[three] ", ""),
        PLAIN.replace("(b)", "(x0)").replace("b =", "x0 ="),
    ],
    ids=["values and graph", "nodes", "no names", "one value"],
)
def test_names_are_no_part_of_the_key(text: str) -> None:
    assert text != PLAIN
    assert key(text) == key(PLAIN)


def test_documentation_is_no_part_of_the_key() -> None:
    model = model_from_text(PLAIN)
    model.doc_string = model.graph.doc_string = model.graph.node[0].doc_string = "words"
    model.graph.input[0].doc_string = model.graph.initializer[0].doc_string = "words"
    model.graph.node[1].metadata_props.add(key="from", value="layer")
    assert content_key(neutral_names(model)) == key(PLAIN)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{1, 2, 3}", "{1, 2, 3.5}"),
        ("alpha = 0.25", "alpha = 0.5"),
        ("<alpha = 0.25>", ""),
        ("[2, 3]", "[4, 3]"),
        ("float[3] k", "float[1] k"),
        ("Neg", "Abs"),
        ("Add(a, k)", "Add(k, a)"),
        ("Neg(b)", "Neg(a)"),
        ("float[2, 3] x, float[3] k", "float[3] k, float[2, 3] x"),
        ("float[2, 3] y, float[2, 3] z", "float[2, 3] z, float[2, 3] y"),
        (
            "[three] y = LeakyRelu<alpha = 0.25>(b)  [four] z = Neg(b)",
            "[four] z = Neg(b)  [three] y = LeakyRelu<alpha = 0.25>(b)",
        ),
    ],
)
def test_everything_else_is_part_of_it(old: str, new: str) -> None:
    text = PLAIN.replace(old, new)
    assert text != PLAIN
    assert key(text) != key(PLAIN)


def test_the_opset_is_part_of_the_key() -> None:
    keys = {content_key(neutral_names(model_from_text(PLAIN, opset))) for opset in (16, 17)}
    assert len(keys) == 2


def test_what_it_is_compiled_for_is_part_of_the_key() -> None:
    model = neutral_names(model_from_text(PLAIN))
    keys = {content_key(model, *settings) for settings in ([], ["a"], ["b"], ["a", "b"], ["ab"], ["a", "b", ""])}
    assert len(keys) == 6


def test_the_model_itself_is_left_alone() -> None:
    model = model_from_text(PLAIN)
    neutral_names(model)
    assert model == model_from_text(PLAIN)


def test_neutral_names_of_neutral_names_are_the_same() -> None:
    once = neutral_names(model_from_text(NESTED))
    assert neutral_names(once) == once


def assert_computes_the_same(model: ModelProto) -> None:
    """Whole and neutral agree in every output, by position, in two runs."""
    neutral = neutral_names(model)
    onnx.checker.check_model(neutral, full_check=True)
    for seed in range(2):
        feeds = random_feeds(model, seed)
        given = dict(zip([value.name for value in neutral.graph.input], feeds.values(), strict=True))
        wanted, got = run_cpu(model, feeds, optimize=False), run_cpu(neutral, given, optimize=False)
        for one, other in zip(got.values(), wanted.values(), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("text", [PLAIN, NESTED], ids=["plain", "nested"])
def test_under_neutral_names_a_model_computes_the_same(text: str) -> None:
    assert_computes_the_same(model_from_text(text))


def test_bodies_are_part_of_the_key() -> None:
    assert key(renamed(NESTED, ["a", "w", "x", "y", "last", "c", "times"])) == key(NESTED)
    assert key(NESTED.replace("Neg(a)", "Neg(x)")) != key(NESTED)
    assert key(NESTED.replace("Neg(a)", "Exp(a)")) != key(NESTED)


@st.composite
def graphs(draw: st.DrawFn, outer: tuple[str, ...] = ("x", "c"), depth: int = 2) -> list[NodeProto]:
    """Nodes that read the float vectors they see, with bodies that read what stands outside of them."""
    nodes: list[NodeProto] = []
    seen = [name for name in outer if name != "c"]
    for number in range(draw(st.integers(1, 4))):
        name = f"{'b' * (3 - depth)}{len(outer)}_{number}"
        kind = draw(st.sampled_from(["Add", "Neg", "If", "Loop"] if depth else ["Add", "Neg"]))
        read = [draw(st.sampled_from(seen)) for _ in range(2)]
        if kind == "If":
            ways = {
                branch: body(draw(graphs((*seen, "c"), depth - 1)), f"{name}{branch[0]}")
                for branch in ("then_branch", "else_branch")
            }
            nodes.append(helper.make_node("If", ["c"], [name], f"node {name}", **ways))
        elif kind == "Loop":
            inside = draw(graphs((*seen, f"{name}_v", "c"), depth - 1))
            nodes.append(helper.make_node("Loop", ["n", "", read[0]], [name], body=loop_body(inside, name)))
        else:
            nodes.append(helper.make_node(kind, read if kind == "Add" else read[:1], [name], f"node {name}"))
        seen.append(name)
    return nodes


def vector(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [3])


def freshened(nodes: list[NodeProto], prefix: str) -> tuple[list[NodeProto], str]:
    """Nodes of a body with names that no other body has; and the last value."""
    made = {name: f"{prefix}/{name}" for node in nodes for name in node.output}
    last = made[nodes[-1].output[0]]
    for node in walk(nodes):
        for fields in (node.input, node.output):
            fields[:] = [made.get(name, name) for name in fields]
    return nodes, last


def walk(nodes: Sequence[NodeProto]) -> list[NodeProto]:
    inner = [each for node in nodes for attribute in node.attribute for each in walk(attribute.g.node)]
    return [*nodes, *inner]


def body(nodes: list[NodeProto], prefix: str) -> GraphProto:
    nodes, last = freshened(nodes, prefix)
    return helper.make_graph(nodes, prefix, [], [vector(last)])


def loop_body(nodes: list[NodeProto], name: str) -> GraphProto:
    nodes, last = freshened(nodes, name)
    scalars = [helper.make_tensor_value_info(f"{name}_{each}", kind, []) for each, kind in (("i", 7), ("go", 9))]
    keep = helper.make_node("Identity", [f"{name}_go"], [f"{name}_more"])
    more = helper.make_tensor_value_info(f"{name}_more", TensorProto.BOOL, [])
    return helper.make_graph([keep, *nodes], name, [*scalars, vector(f"{name}_v")], [more, vector(last)])


@given(graphs())
def test_random_models_with_bodies_compute_the_same(nodes: list[NodeProto]) -> None:
    inputs = [vector("x"), helper.make_tensor_value_info("c", TensorProto.BOOL, [])]
    times = numpy_helper.from_array(np.array(2, np.int64), "n")
    outputs = [vector(node.output[0]) for node in nodes]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [times])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    assert_computes_the_same(model)


def test_words_about_neutral_names_are_given_back_in_the_models_own() -> None:
    nodes = ["conv_1", "block/relu"]
    words = "op '_dv/1' after _dv/0: no kernel for _dv/1; _dv/12 and _dv3 are not its"
    assert with_names(words, nodes) == (
        "op 'block/relu' after conv_1: no kernel for block/relu; _dv/12 and _dv3 are not its"
    )
    assert named_nodes(words, nodes) == {"conv_1", "block/relu"}
    assert named_nodes("nothing", nodes) == set()


def test_neutral_nodes_are_numbered_in_the_models_order() -> None:
    neutral = neutral_names(model_from_text(PLAIN))
    own = ["one", "two", "three", "four"]
    assert [with_names(node.name, own) for node in neutral.graph.node] == own


@pytest.mark.parametrize("text", [PLAIN, NESTED], ids=["plain", "nested"])
def test_ends_get_other_names_and_nothing_else_changes(text: str) -> None:
    model, other = model_from_text(text), model_from_text(text)
    inputs = [f"in:{value.name}" for value in model.graph.input]
    outputs = [f"out:{value.name}" for value in model.graph.output]
    rename_ends(other, inputs, outputs)
    assert [value.name for value in other.graph.input] == inputs
    assert [value.name for value in other.graph.output] == outputs
    assert content_key(neutral_names(other)) == content_key(neutral_names(model))
    feeds = random_feeds(model)
    wanted = run_cpu(model, feeds)
    got = run_cpu(other, {f"in:{name}": array for name, array in feeds.items()})
    for name, array in wanted.items():
        np.testing.assert_array_equal(got[f"out:{name}"], array)


def test_ends_may_swap_their_names() -> None:
    model = model_from_text("g (float[1] a, float[1] b) => (float[1] c) { c = Sub(a, b) }")
    rename_ends(model, ["b", "a"], ["c"])
    assert list(model.graph.node[0].input) == ["b", "a"]


def test_a_model_with_other_ends_is_not_the_one_that_was_meant() -> None:
    with pytest.raises(ValueError, match="zip"):
        rename_ends(model_from_text(PLAIN), ["p"], ["q", "r"])
