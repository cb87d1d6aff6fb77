"""BatchNormalization goes into the linear operator before it."""

import numpy as np
import pytest
from tests.passes.conftest import after, constant, inside, leaves_alone

from dovetail.passes.canonical import FuseBatchNorm

PASS = FuseBatchNorm()
STATISTICS = "float[2] s = {2, -3}, float[2] b = {1, 0.5}, float[2] m = {0.5, -0.5}, float[2] v = {1, 4}"
HEAD = f"g (float[1,2,4,4] x) => (float[1,2,4,4] y) <float[2,2,1,1] w = {{1, 2, 3, 4}}, {STATISTICS}>"
CONV = f"{HEAD} {{ [conv] u = Conv(x, w) [bn] y = BatchNormalization(u, s, b, m, v) }}"
TOLERANCE = 1e-5


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(CONV, id="conv"),
        pytest.param(CONV.replace("Conv(x, w)", "Conv(x, w, m)"), id="with bias"),
        pytest.param(CONV.replace("Conv(x, w)", 'Conv(x, w, "")'), id="absent bias"),
        pytest.param(CONV.replace("Conv(x, w)", 'ConvTranspose(x, w, "")'), id="absent bias of the transpose"),
        pytest.param(CONV.replace("(u, s", " <epsilon = 0.5> (u, s"), id="epsilon"),
        pytest.param(CONV.replace("Conv(", "ConvTranspose("), id="transpose"),
        pytest.param(CONV.replace("[2,2,1,1]", "[2,1,2,1]").replace("Conv(", "Conv <group = 2> ("), id="depthwise"),
        pytest.param(
            CONV.replace("[2,2,1,1]", "[2,1,2,1]").replace("Conv(", "ConvTranspose <group = 2> ("),
            id="grouped transpose",
        ),
        pytest.param(
            f"g (float[3,2] x) => (float[3,2] y) <float[2,2] w = {{1, 2, 3, 4}}, {STATISTICS}>"
            "{ [conv] u = Gemm(x, w) [bn] y = BatchNormalization(u, s, b, m, v) }",
            id="gemm",
        ),
        pytest.param(
            f"g (float[3,2] x) => (float[3,2] y) <float[2,2] w = {{1, 2, 3, 4}}, {STATISTICS}>"
            '{ [conv] u = Gemm(x, w, "") [bn] y = BatchNormalization(u, s, b, m, v) }',
            id="absent bias of gemm",
        ),
        pytest.param(
            f"g (float[3,2] x) => (float[3,2] y) <float[2,2] w = {{1, 2, 3, 4}}, {STATISTICS}>"
            "{ [conv] u = Gemm <transB = 1, alpha = 2.0, beta = 3.0> (x, w, m)"
            "[bn] y = BatchNormalization(u, s, b, m, v) }",
            id="scaled gemm",
        ),
    ],
)
def test_fuses(text: str) -> None:
    graph = after(PASS, text.replace("[1,2,4,4] y", "[] y") if "Transpose" in text else text, rtol=TOLERANCE)
    assert list(graph) == ["conv"]
    assert graph.origins("conv") == ("conv", "bn")
    assert graph.eliminated() == ()


def test_new_weights_are_the_scaled_ones() -> None:
    graph = after(PASS, CONV)
    scale = np.array([2.0, -3.0]) / np.sqrt(np.array([1.0, 4.0]) + 1e-5)
    weights = graph.node("conv").inputs[1]
    assert weights is not None
    wanted = np.array([[1, 2], [3, 4]]) * scale[:, None]
    np.testing.assert_allclose(constant(graph, str(weights.name)).numpy().reshape(2, 2), wanted, rtol=1e-6)


def test_in_bodies() -> None:
    graph = after(
        PASS,
        HEAD.replace("x)", "x, bool c)")
        + """{
            [if] y = If (c) <
                then_branch = then () => (float[1,2,4,4] t)
                    { [conv] u = Conv(x, w) [bn] t = BatchNormalization(u, s, b, m, v) },
                else_branch = other () => (float[1,2,4,4] e) { [n] e = Neg(x) }
            >
        }""",
    )
    assert inside(graph, "if") == {"conv": "Conv", "n": "Neg"}
    assert graph.origins("conv") == ("conv", "bn")


@pytest.mark.parametrize(
    ("opset", "text"),
    [
        pytest.param(17, CONV.replace("y)", "y, float[1,2,4,4] u)", 1), id="1: is an output"),
        pytest.param(
            17, CONV.replace("[bn]", "z = Relu(u) [bn]").replace("y)", "y, float[1,2,4,4] z)", 1), id="1: read"
        ),
        pytest.param(17, CONV.replace("x)", "x, float[2,2,1,1] w2)", 1).replace("(x, w)", "(x, w2)"), id="2: weights"),
        pytest.param(17, CONV.replace("x)", "x, float[2] s2)", 1).replace("u, s", "u, s2"), id="2: statistics"),
        pytest.param(17, CONV.replace("x)", "x, float[2] c)", 1).replace("(x, w)", "(x, w, c)"), id="2: bias"),
        pytest.param(
            17,
            CONV.replace("[bn]", "[other] z = Conv(x, w) [bn]").replace("y)", "y, float[1,2,4,4] z)", 1),
            id="2: shared weights",
        ),
        pytest.param(
            17,
            CONV.replace("] y = Batch", "] y, mean, var = Batch").replace("(u, s", " <training_mode = 1> (u, s"),
            id="3",
        ),
        pytest.param(8, CONV.replace("(u, s", " <spatial = 0> (u, s"), id="3: per element"),
        pytest.param(
            17,
            f"{HEAD} {{ [conv] u = Relu(x) [bn] y = BatchNormalization(u, s, b, m, v) }}",
            id="not linear",
        ),
    ],
)
def test_near_misses(opset: int, text: str) -> None:
    assert leaves_alone(PASS, text, opset)


def test_mixed_types_are_left_alone() -> None:
    text = CONV.replace("float[1,2,4,4]", "float16[1,2,4,4]").replace("float[2,2,1,1]", "float16[2,2,1,1]")
    assert leaves_alone(PASS, text)
