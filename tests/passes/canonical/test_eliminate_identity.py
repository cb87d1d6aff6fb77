"""Identity nodes disappear, unless an output needs them."""

import pytest
from tests.passes.conftest import after, inside, leaves_alone, operators

from dovetail.passes.canonical import EliminateIdentity

PASS = EliminateIdentity()


def test_readers_read_the_source() -> None:
    graph = after(PASS, "g (float[2] x) => (float[2] y) { [a] u = Relu(x) [i] v = Identity(u) [b] y = Neg(v) }")
    assert list(graph) == ["a", "b"]
    assert graph.eliminated() == ("i",)


def test_chain_of_an_input() -> None:
    graph = after(PASS, "g (float[2] x) => (float[2] y) { u = Identity(x) v = Identity(u) [b] y = Add(v, u) }")
    assert list(graph) == ["b"]


def test_output_keeps_its_name() -> None:
    graph = after(PASS, "g (float[2] x) => (float[2] y) { [a] u = Relu(x) [i] y = Identity(u) }")
    assert list(graph) == ["a"]
    assert [value.name for value in graph.outputs] == ["y"]


def test_one_of_two_outputs_takes_the_place() -> None:
    graph = after(
        PASS, "g (float[2] x) => (float[2] y, float[2] z) { u = Relu(x) y = Identity(u) z = Identity(u) w = Neg(u) }"
    )
    assert sorted(operators(graph)) == ["Identity", "Neg", "Relu"]


def test_in_bodies() -> None:
    graph = after(
        PASS,
        """g (float[2] x, bool c) => (float[2] y) {
            [if] y = If (c) <
                then_branch = then () => (float[2] t) { [i1] a = Identity(x) [i2] t = Identity(a) },
                else_branch = other () => (float[2] e) { [r] b = Relu(x) [i3] d = Identity(b) [n] e = Add(d, d) }
            >
        }""",
    )
    # i2 stays: an output of a body must be made in the body
    assert inside(graph, "if") == {"i2": "Identity", "r": "Relu", "n": "Add"}
    assert graph.eliminated() == ("i1", "i3")


def test_captured_by_a_body() -> None:
    graph = after(
        PASS,
        """g (float[2] x, bool c) => (float[2] y) {
            [a] u = Relu(x)
            [i] v = Identity(u)
            [if] y = If (c) <
                then_branch = then () => (float[2] t) { t = Neg(v) },
                else_branch = other () => (float[2] e) { e = Exp(v) }
            >
        }""",
    )
    assert list(graph.nx.edges(keys=True)) == [("a", "if", "u")]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("g (float[2] x) => (float[2] y) { y = Identity(x) }", id="input"),
        pytest.param("g (float[2] x) => (float[2] y) <float[2] k = {1, 2}> { y = Identity(k) }", id="constant"),
        pytest.param("g (float[2] x) => (float[2] u, float[2] y) { u = Relu(x) y = Identity(u) }", id="output"),
        pytest.param(
            """g (float[2] x, bool c) => (float[2] y) {
                u = Relu(x)
                y = If (c) <
                    then_branch = then () => (float[2] t) { t = Identity(u) },
                    else_branch = other () => (float[2] e) { e = Neg(u) }
                >
            }""",
            id="outer graph",
        ),
        pytest.param(
            '<ir_version: 8, opset_import: ["": 17, "custom": 1]>'
            "g (float[2] x) => (float[2] y) { [a] u = custom.Identity(x) y = Neg(u) }",
            id="other domain",
        ),
    ],
)
def test_near_misses(text: str) -> None:
    assert leaves_alone(PASS, text)
