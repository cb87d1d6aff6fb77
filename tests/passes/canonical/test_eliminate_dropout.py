"""Dropout disappears where it does nothing."""

import pytest
from tests.passes.conftest import after, inside, leaves_alone

from dovetail.passes.canonical import EliminateDropout

PASS = EliminateDropout()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("g (float[2] x) => (float[2] y) { [d] u = Dropout(x) [b] y = Neg(u) }", id="alone"),
        pytest.param("g (float[2] x) => (float[2] y) { [d] u, mask = Dropout(x) [b] y = Neg(u) }", id="unread mask"),
        pytest.param(
            """g (float[2] x) => (float[2] y) <float ratio = {0.5}, bool training = {0}>
            { [d] u = Dropout(x, ratio, training) [b] y = Neg(u) }""",
            id="not training",
        ),
    ],
)
def test_does_nothing_at_inference(text: str) -> None:
    graph = after(PASS, text)
    assert list(graph) == ["b"]
    assert graph.eliminated() == ("d",)


def test_old_opset() -> None:
    graph = after(PASS, "g (float[2] x) => (float[2] y) { [d] u = Dropout <ratio = 0.3> (x) [b] y = Neg(u) }", opset=10)
    assert list(graph) == ["b"]


def test_in_bodies() -> None:
    graph = after(
        PASS,
        """g (float[2] x, bool c) => (float[2] y) {
            [if] y = If (c) <
                then_branch = then () => (float[2] t) { [a] u = Relu(x) [d] v = Dropout(u) [b] t = Neg(v) },
                else_branch = other () => (float[2] e) { [n] e = Neg(x) }
            >
        }""",
    )
    assert inside(graph, "if") == {"a": "Relu", "b": "Neg", "n": "Neg"}


@pytest.mark.parametrize(
    ("opset", "text"),
    [
        pytest.param(
            17, "g (float[2] x) => (float[2] y, bool[2] m) { u, m = Dropout(x) y = Neg(u) }", id="mask is an output"
        ),
        pytest.param(
            17,
            "g (float[2] x) => (float[2] y, bool[2] z) { u, m = Dropout(x) y = Neg(u) z = Not(m) }",
            id="mask is read",
        ),
        pytest.param(
            17,
            """g (float[2] x) => (float[2] y) <float ratio = {0.5}, bool training = {1}>
            { u = Dropout(x, ratio, training) y = Neg(u) }""",
            id="training",
        ),
        pytest.param(
            17,
            """g (float[2] x, bool training) => (float[2] y) <float ratio = {0.5}>
            { u = Dropout(x, ratio, training) y = Neg(u) }""",
            id="not known",
        ),
        pytest.param(
            6, "g (float[2] x) => (float[2] y) { u = Dropout <is_test = 0> (x) y = Neg(u) }", id="trains in opset 6"
        ),
        pytest.param(6, "g (float[2] x) => (float[2] y) { u = Dropout(x) y = Neg(u) }", id="trains by default there"),
        pytest.param(17, "g (float[2] x) => (float[2] y) { y = Dropout(x) }", id="output of an input"),
    ],
)
def test_near_misses(opset: int, text: str) -> None:
    assert leaves_alone(PASS, text, opset)
