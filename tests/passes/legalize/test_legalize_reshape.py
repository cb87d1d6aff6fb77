"""Reshape said in the one way that every device reads."""

import numpy as np
import pytest
from tests.conftest import assert_same_outputs, model_from_text, random_feeds, run_cpu
from tests.passes.conftest import after, leaves_alone

from dovetail.ir import extract
from dovetail.passes.legalize import LegalizeReshape

PASS = LegalizeReshape()


def reshape(shape: str, attribute: str = "", dims: str = "2,3,4") -> str:
    length = shape.count(",") + 1
    return f"""g (float[{dims}] x) => (float[] y) <int64[{length}] s = {{{shape}}}>
        {{ [r] y = Reshape{attribute}(x, s) }}"""


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (reshape("6,4", "<allowzero = 1>"), [6, 4]),
        (reshape("0,-1"), [2, -1]),
        (reshape("-1,0"), [-1, 3]),
        (reshape("0,0,2,2"), [2, 3, 2, 2]),
    ],
)
def test_it_is_said_without_zeros(text: str, wanted: list[int]) -> None:
    graph = after(PASS, text)
    node = graph.node("r")
    shape = node.inputs[1]
    assert shape is not None
    assert shape.const_value is not None
    assert shape.const_value.numpy().tolist() == wanted
    assert "allowzero" not in node.attributes
    model = model_from_text(text)
    feeds = random_feeds(model)
    assert_same_outputs(run_cpu(extract(graph), feeds), run_cpu(model, feeds), rtol=0, atol=0)


@pytest.mark.parametrize(
    "text",
    [
        reshape("6,4"),
        reshape("0,4", "<allowzero = 1>", dims="0,3"),  # an empty result, and meant so
        reshape("0,-1", dims="N,3,4"),
        "g (float[2,3] x, int64[2] s) => (float[] y) { y = Reshape<allowzero = 1>(x, s) }",
    ],
)
def test_it_does_not_fire(text: str) -> None:
    assert leaves_alone(PASS, text)


def test_a_shared_shape_serves_others_as_it_was() -> None:
    text = """g (float[2,3,4] x, float[5,4] z) => (float[] y, float[] w) <int64[2] s = {0,-1}>
        { [a] y = Reshape(x, s) [b] w = Reshape(z, s) }"""
    graph = after(PASS, text)
    feeds = {"x": np.ones((2, 3, 4), np.float32), "z": np.ones((5, 4), np.float32)}
    got = run_cpu(extract(graph), feeds)
    assert [got["y"].shape, got["w"].shape] == [(2, 12), (5, 4)]
