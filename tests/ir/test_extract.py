"""Pieces cut out of a graph run on their own, and together compute what the whole does."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnx_ir
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conftest import SAMPLE_MODELS, Array, assert_same_outputs, model_from_text, random_feeds, run_cpu

from dovetail.ir import Graph, border, extract, inline, is_constant, load_model, tensor_spec
from dovetail.plan.errors import ModelError

TEXT = """g (float[2] x, float[2] z) => (float[2] y, float[2] w) <float[2] k = {1, 2}, float[2] l = {3, 4}> {
    [a] u = Add(x, k)
    [b] v = Mul(u, z)
    [c] w = Sub(u, l)
    [d] y = Add(v, w)
}"""


def graph_of(text: str) -> Graph:
    return load_model(model_from_text(text))


def names(values: tuple[onnx_ir.Value, ...]) -> list[str | None]:
    return [value.name for value in values]


@pytest.mark.parametrize(
    ("nodes", "inputs", "outputs", "constants"),
    [
        ("a", ["x"], ["u"], ["k"]),
        ("ab", ["x", "z"], ["u", "v"], ["k"]),
        ("bc", ["u", "z"], ["v", "w"], ["l"]),
        ("bcd", ["u", "z"], ["w", "y"], ["l"]),
        ("abcd", ["x", "z"], ["w", "y"], ["k", "l"]),
    ],
)
def test_border(nodes: str, inputs: list[str], outputs: list[str], constants: list[str]) -> None:
    edge = border(graph_of(TEXT), list(nodes))
    assert (names(edge.inputs), names(edge.outputs), names(edge.constants)) == (inputs, outputs, constants)


def test_whole_has_the_inputs_and_outputs_of_the_model() -> None:
    model = extract(graph_of(TEXT.replace("float[2] z)", "float[2] z, float[2] unread)")))
    assert [value.name for value in model.graph.input] == ["x", "z", "unread"]
    assert [value.name for value in model.graph.output] == ["y", "w"]
    assert [node.name for node in model.graph.node] == ["a", "b", "c", "d"]
    assert {tensor.name for tensor in model.graph.initializer} == {"k", "l"}
    onnx.checker.check_model(model, full_check=True)


def test_output_that_is_an_input() -> None:
    model = extract(graph_of("g (float[2] x) => (float[2] x, float[2] y) { y = Relu(x) }"))
    got = run_cpu(model, {"x": np.array([-1, 1], np.float32)})
    assert {name: value.tolist() for name, value in got.items()} == {"x": [-1, 1], "y": [0, 1]}


def test_order_of_the_names_does_not_matter() -> None:
    graph = graph_of(TEXT)
    assert extract(graph, ["d", "b"]) == extract(graph, {"b", "d"})


def test_constants_in_another_form() -> None:
    seen: list[str] = []

    def serialize(value: onnx_ir.Value) -> onnx.TensorProto:
        seen.append(str(value.name))
        return inline(value)

    extract(graph_of(TEXT), ["a", "c"], serialize)
    assert seen == ["k", "l"]


def test_values_inside_keep_their_types() -> None:
    model = extract(graph_of(TEXT), ["a", "b", "c", "d"])
    assert {value.name for value in model.graph.value_info} == {"u", "v"}


def test_body_takes_the_constants_that_it_captures_along() -> None:
    graph = graph_of(
        """g (float[2] x, bool c) => (float[2] y) <float[2] k = {1, 2}> {
            [a] u = Relu(x)
            [if] y = If (c) <
                then_branch = then () => (float[2] t) { [in] t = Add(u, k) },
                else_branch = other () => (float[2] e) {
                    e = If (c) <
                        then_branch = deep () => (float[2] p) { p = Mul(k, u) },
                        else_branch = flat () => (float[2] q)
                            { l = Constant <value = float[2] {3, 4}> () q = Sub(u, l) }
                    >
                }
            >
        }"""
    )
    edge = border(graph, ["if"])
    assert names(edge.inputs) == ["c", "u"]
    assert names(edge.constants) == ["k", "l"]
    piece = extract(graph, ["if"])
    feeds = {"u": np.array([5, 6], np.float32), "c": np.array(False)}
    np.testing.assert_array_equal(run_cpu(piece, feeds)["y"], [2, 2])


def test_value_of_unknown_type_can_not_be_cut() -> None:
    graph = graph_of(
        '<ir_version: 8, opset_import: ["": 17, "custom": 1]>'
        "g (float[2] x) => (float[2] y) { [a] u = custom.Thing(x) [b] y = custom.Other(u) }"
    )
    extract(graph)
    with pytest.raises(ModelError, match=r"value 'u': its element type can't be inferred.*value_info"):
        extract(graph, ["a"])


def test_is_constant() -> None:
    graph = graph_of("g (float[2] x, float[2] w) => (float[2] y) <float[2] w = {1, 2}> { [a] y = Add(x, w) }")
    assert [value is not None and is_constant(value) for value in graph.node("a").inputs] == [False, True]
    assert not is_constant(graph.outputs[0])


# --- any cut of real graphs --------------------------------------------------------------------------------------


@cache
def loaded(path: Path) -> tuple[Graph, dict[str, Array], dict[str, Array]]:
    """A sample model, values for its inputs, and its outputs."""
    graph = load_model(path)
    model = extract(graph)
    feeds = random_feeds(model)
    return graph, feeds, run_cpu(model, feeds, optimize=False)


@pytest.mark.parametrize("path", SAMPLE_MODELS, ids=lambda path: path.stem)
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_intervals_compose_to_the_whole(path: Path, data: st.DataObject) -> None:
    """Cut at random places of a random topological order: bit for bit the same outputs."""
    graph, feeds, wanted = loaded(path)
    order = random_order(graph, data.draw(st.randoms(use_true_random=False)).random)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(order) - 1), min_size=1, max_size=3)))
    values: dict[str, Array] = dict(feeds)
    for start, stop in zip([0, *cuts], [*cuts, len(order)], strict=True):
        values.update(run_cpu(extract(graph, order[start:stop]), values, optimize=False))
    assert_same_outputs({name: values[name] for name in wanted}, wanted, rtol=0, atol=0)


def random_order(graph: Graph, draw: Callable[[], float]) -> list[str]:
    """A topological order of the nodes that is as good as any other."""
    waiting = {name: len(set(graph.nx.predecessors(name))) for name in graph}
    ready = [name for name, count in waiting.items() if not count]
    order = []
    while ready:
        name = ready.pop(int(draw() * len(ready)))
        order.append(name)
        for reader in dict.fromkeys(graph.nx.successors(name)):
            waiting[reader] -= 1
            if not waiting[reader]:
                ready.append(reader)
    return order


@pytest.mark.parametrize("path", SAMPLE_MODELS, ids=lambda path: path.stem)
def test_every_piece_is_valid_onnx(path: Path) -> None:
    graph, _, _ = loaded(path)
    order = list(graph)
    middle = extract(graph, order[len(order) // 3 : 2 * len(order) // 3])
    onnx.checker.check_model(middle)
    assert all(tensor_spec(value).dtype != "unknown" for value in border(graph, order).outputs)
