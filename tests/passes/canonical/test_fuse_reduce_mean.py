"""A sum divided by its count becomes a mean."""

import pytest
from tests.passes.conftest import after, inside, leaves_alone, operators

from dovetail.passes.canonical import FuseReduceMean

PASS = FuseReduceMean()
MUL = """g (float[2,4] x) => (float[2,1] y) <int64[1] axes = {1}, float factor = {0.25}>
    { [sum] u = ReduceSum(x, axes) [scale] y = Mul(u, factor) }"""
DIV = MUL.replace("Mul", "Div").replace("0.25", "4")


@pytest.mark.parametrize(
    ("opset", "text"),
    [
        pytest.param(17, MUL, id="mul"),
        pytest.param(17, DIV, id="div"),
        pytest.param(18, MUL, id="axes as input"),
        pytest.param(11, MUL.replace("(x, axes)", " <axes = [1]> (x)"), id="axes as attribute"),
        pytest.param(17, MUL.replace("(u, factor)", "(factor, u)"), id="factor first"),
        pytest.param(17, MUL.replace("{1}", "{-1}"), id="negative axis"),
        pytest.param(
            17, MUL.replace("(x, axes)", "(x)").replace("0.25", "0.125").replace("[2,1]", "[1,1]"), id="all axes"
        ),
        pytest.param(
            17, MUL.replace("ReduceSum(", "ReduceSum <keepdims = 0> (").replace("[2,1]", "[2]"), id="without dimension"
        ),
        pytest.param(17, MUL.replace("float factor", "float[1,1] factor"), id="factor with dimensions"),
    ],
)
def test_fuses(opset: int, text: str) -> None:
    graph = after(PASS, text, opset)
    assert operators(graph) == ["ReduceMean"]
    assert graph.origins(next(iter(graph))) == ("sum", "scale")
    assert graph.eliminated() == ()


def test_in_bodies() -> None:
    graph = after(
        PASS,
        """g (float[2,4] x, bool c) => (float[2,1] y) <int64[1] axes = {1}, float factor = {0.25}> {
            [if] y = If (c) <
                then_branch = then () => (float[2,1] t) { [sum] u = ReduceSum(x, axes) [scale] t = Mul(u, factor) },
                else_branch = other () => (float[2,1] e) { [n] e = ReduceMax <axes = [1]> (x) }
            >
        }""",
    )
    assert sorted(inside(graph, "if").values()) == ["ReduceMax", "ReduceMean"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(MUL.replace("[2,4]", "[2,N]"), id="1: unknown count"),
        pytest.param(MUL.replace("0.25", "0.2501"), id="1: another factor"),
        pytest.param(DIV.replace("{4}", "{5}"), id="1: another divisor"),
        pytest.param(DIV.replace("(u, factor)", "(factor, u)"), id="1: divided the other way"),
        pytest.param(MUL.replace("y)", "y, float[2,1] u)", 1), id="2: is an output"),
        pytest.param(MUL.replace("y)", "y, float[2,1] z)", 1).replace("[scale]", "z = Relu(u) [scale]"), id="2: read"),
        pytest.param(MUL.replace("factor)", "u)"), id="2: squared"),
        pytest.param(MUL.replace("x)", "x, int64[1] a)", 1).replace("(x, axes)", "(x, a)"), id="3: axes"),
        pytest.param(MUL.replace("x)", "x, float f)", 1).replace("(u, factor)", "(u, f)"), id="3: factor"),
        pytest.param(MUL.replace("float", "int32").replace("0.25", "4").replace("Mul", "Div"), id="3: integers"),
        pytest.param(
            MUL.replace("float factor", "float[1,1,1] factor").replace("=> (float[2,1]", "=> (float[1,2,1]"), id="grows"
        ),
        pytest.param(MUL.replace("(x, axes)", " <noop_with_empty_axes = 1> (x)").replace("[2,1]", "[2,4]"), id="no-op"),
    ],
)
def test_near_misses(text: str) -> None:
    assert leaves_alone(PASS, text)
