"""A power of two becomes a product."""

import pytest
from tests.passes.conftest import after, inside, leaves_alone, operators

from dovetail.passes.canonical import DecomposeSquare

PASS = DecomposeSquare()
SQUARE = "g (float[2,3] x) => (float[2,3] y) <float two = {2}> { [p] y = Pow(x, two) }"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(SQUARE, id="scalar"),
        pytest.param(SQUARE.replace("float two", "float[1] two"), id="vector"),
        pytest.param(SQUARE.replace("float two", "int64 two"), id="integer exponent"),
        pytest.param(SQUARE.replace("float[", "double["), id="double"),
    ],
)
def test_multiplies(text: str) -> None:
    graph = after(PASS, text)
    assert operators(graph) == ["Mul"]
    assert {origin for name in graph for origin in graph.origins(name)} == {"p"}


def test_in_bodies() -> None:
    graph = after(
        PASS,
        """g (float[2] x, bool c) => (float[2] y) <float two = {2}> {
            [if] y = If (c) <
                then_branch = then () => (float[2] t) { [p] t = Pow(x, two) },
                else_branch = other () => (float[2] e) { [n] e = Neg(x) }
            >
        }""",
    )
    assert sorted(inside(graph, "if").values()) == ["Mul", "Neg"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(SQUARE.replace("{2}", "{3}"), id="1: cube"),
        pytest.param(SQUARE.replace("{2}", "{2.0001}"), id="1: nearly"),
        pytest.param(SQUARE.replace("x)", "x, float e)", 1).replace("(x, two)", "(x, e)"), id="1: not a constant"),
        pytest.param(
            SQUARE.replace("float two", "float[1,1,1] two").replace("=> (float[2,3]", "=> (float[1,2,3]"), id="1: grows"
        ),
        pytest.param(SQUARE.replace("float two = {2}", "float[2,1] two = {2, 2}"), id="1: many"),
        pytest.param(SQUARE.replace("float[", "int32["), id="2: integers"),
    ],
)
def test_near_misses(text: str) -> None:
    assert leaves_alone(PASS, text)
