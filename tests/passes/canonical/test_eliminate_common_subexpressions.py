"""Two nodes that compute the same become one."""

import pytest
from tests.passes.conftest import after, leaves_alone, operators

from dovetail.passes.canonical import EliminateCommonSubexpressions, EliminateDeadNodes, EliminateIdentity

PASS = EliminateCommonSubexpressions()


def test_chains_of_equal_nodes() -> None:
    graph = after(
        PASS, "g (float[2] x) => (float[2] y) { [a] u = Relu(x) [b] v = Relu(x) s = Neg(u) t = Neg(v) y = Add(s, t) }"
    )
    assert sorted(operators(graph)) == ["Add", "Neg", "Relu"]


def test_outputs_stay_two() -> None:
    graph = after(PASS, "g (float[2] x) => (float[2] y, float[2] z) { [a] y = Relu(x) [b] z = Relu(x) }")
    assert [value.name for value in graph.outputs] == ["y", "z"]
    assert operators(graph).count("Relu") == 1


def test_equal_constants() -> None:
    graph = after(
        PASS, "g (float[2] x) => (float[2] y) <float[2] k = {1, 2}> { u = Add(x, k) v = Add(x, k) y = Mul(u, v) }"
    )
    assert sorted(operators(graph)) == ["Add", "Mul"]


def test_each_DequantizeLinear_keeps_its_name() -> None:  # noqa: N802
    graph = after(
        PASS,
        """g (uint8[2] x) => (float[2] y) <float s = {0.5}, uint8 z = {3}> {
            [left] a = DequantizeLinear(x, s, z) [right] b = DequantizeLinear(x, s, z)
            u = Neg(a) v = Neg(a) w = Mul(u, v) y = Add(w, b)
        }""",
    )
    assert {"left", "right"} <= set(graph)
    assert operators(graph).count("Neg") == 1
    assert not graph.node("left").attributes


def test_names_of_both_survive() -> None:
    text = "g (float[2] x) => (float[2] y) { [a] u = Relu(x) [b] v = Relu(x) [c] y = Add(u, v) }"
    graph = after(PASS, text)
    EliminateIdentity().run(graph)
    EliminateDeadNodes().run(graph)
    known = {origin for name in graph for origin in graph.origins(name)} | set(graph.eliminated())
    assert known == {"a", "b", "c"}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("g (float[2] x) => (float[2] y) { u = Relu(x) v = Abs(x) y = Add(u, v) }", id="operator"),
        pytest.param(
            """g (float[2] x) => (float[2] y) { u = LeakyRelu <alpha = 0.1> (x) v = LeakyRelu <alpha = 0.2> (x)
            y = Add(u, v) }""",
            id="attribute",
        ),
        pytest.param("g (float[2] x) => (float[2] y) { u = Relu(x) v = Relu(u) y = Add(u, v) }", id="input"),
        pytest.param(
            "g (float[2] x, float[2] z) => (float[2] y) { u = Sub(x, z) v = Sub(z, x) y = Mul(u, v) }", id="order"
        ),
        *(
            pytest.param(
                f"g (float[2] x) => (float[2] y) {{ u = {draw}(x) v = {draw}(x) y = Add(u, v) }}", id=draw.split()[0]
            )
            for draw in ("RandomNormalLike", "RandomUniformLike", "Bernoulli")
        ),
        pytest.param(
            """g () => (float[2] y) { u = RandomNormal <shape = [2]> () v = RandomNormal <shape = [2]> ()
            y = Add(u, v) }""",
            id="RandomNormal",
        ),
        pytest.param(
            """g (float[2] x, bool c) => (float[2] y) {
                w = RandomNormalLike(x)
                y = If (c) <
                    then_branch = then () => (float[2] t) { u = Relu(x) v = Relu(x) t = Add(u, v) },
                    else_branch = other () => (float[2] e) { e = Add(x, w) }
                >
            }""",
            id="in a model that draws",
        ),
    ],
)
def test_near_misses(text: str) -> None:
    assert leaves_alone(PASS, text)
