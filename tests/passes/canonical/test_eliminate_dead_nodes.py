"""What no output depends on disappears."""

import pytest
from tests.passes.conftest import after, inside, leaves_alone

from dovetail.passes.canonical import EliminateDeadNodes

PASS = EliminateDeadNodes()


def test_nodes_and_constants() -> None:
    graph = after(
        PASS,
        """g (float[2] x) => (float[2] y) <float[2] k = {1, 2}, float[2] used = {1, 1}>
        { [d1] u = Add(x, k) [d2] v = Relu(u) [a] y = Add(x, used) }""",
    )
    assert list(graph) == ["a"]
    assert list(graph.initializers) == ["used"]
    assert graph.eliminated() == ("d1", "d2")


def test_in_bodies() -> None:
    graph = after(
        PASS,
        """g (float[2] x, bool c) => (float[2] y) <float[2] k = {1, 2}> {
            [if] y = If (c) <
                then_branch = then () => (float[2] t) { [d] u = Add(x, k) [a] t = Neg(x) },
                else_branch = other () => (float[2] e) { [n] e = Exp(x) }
            >
        }""",
    )
    assert inside(graph, "if") == {"a": "Neg", "n": "Exp"}
    assert not graph.initializers


def test_what_only_a_dead_body_reads() -> None:
    graph = after(
        PASS,
        """g (float[2] x, bool c) => (float[2] y) <float[2] k = {1, 2}> {
            [d1] u = Add(x, k)
            [d2] v = If (c) <
                then_branch = then () => (float[2] t) { [d3] t = Neg(u) },
                else_branch = other () => (float[2] e) { [d4] e = Exp(u) }
            >
            [a] y = Relu(x)
        }""",
    )
    assert list(graph) == ["a"]
    assert graph.eliminated() == ("d1", "d2", "d3", "d4")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("g (float[2] x) => (float[2] y, float[2] z) { y = Relu(x) z = Neg(y) }", id="all outputs"),
        pytest.param("g (float[2] x, float[2] unused) => (float[2] y) { y = Relu(x) }", id="an input"),
        pytest.param(
            """g (float[2] x, bool c) => (float[2] y) {
                u = Relu(x)
                y = If (c) <
                    then_branch = then () => (float[2] t) { t = Neg(u) },
                    else_branch = other () => (float[2] e) { e = Exp(x) }
                >
            }""",
            id="read in a body",
        ),
        pytest.param(
            """g (float[2] x, int64 n, bool c) => (float[2] y) {
                y = Loop (n, c, x) <body = body (int64 i, bool before, float[2] a) => (bool again, float[2] b)
                    { again = Identity(before) b = Neg(a) }>
            }""",
            id="inputs of a body",
        ),
    ],
)
def test_near_misses(text: str) -> None:
    assert leaves_alone(PASS, text)
