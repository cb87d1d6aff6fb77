"""Tensors inside a model, unsplit on the CPU."""

from typing import Final

import numpy as np
import pytest
from tests.conftest import model_from_text, random_feeds, run_cpu

from dovetail.ir import Graph, border, load_model
from dovetail.lowering import reference_values
from dovetail.lowering.reference_values import ReferenceValues, run_piece
from dovetail.plan.errors import ModelError

MODEL: Final = """
g (float[2, 3] x, bool c, float[3] k) => (float[2, 3] y)
{
    [mul] a = Mul(x, k)
    [choice] b = If (c) <
        then_branch = t () => (float[2, 3] p) { p = Add(a, x) },
        else_branch = e () => (float[2, 3] q) { q = Neg(a) }
    >
    [split] s1, s2 = Split<axis = 0>(b)
    [index] i = ArgMax<axis = 1>(b)
    [sub] d = Sub(s1, s2)
    [last] y = Add(b, d)
}
"""
INNER: Final = ("a", "b", "s1", "s2", "i", "d", "y")


def graph_and_samples(count: int = 2) -> tuple[Graph, list[dict[str, np.ndarray]]]:
    model = model_from_text(MODEL)
    return load_model(model), [dict(random_feeds(model, seed)) for seed in range(count)]


def wanted(samples: list[dict[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
    """Every tensor in every sample, from a model whose outputs are all of them."""
    ends = ", ".join(f"{'int64' if name == 'i' else 'float'}[P{name}, Q{name}] {name}" for name in INNER)
    text = MODEL.replace("(float[2, 3] y)\n{", f"({ends})\n{{")
    return [dict(run_cpu(model_from_text(text), sample, optimize=False)) for sample in samples]


def test_tensors_are_those_of_the_whole_model_in_every_sample() -> None:
    graph, samples = graph_and_samples()
    found = ReferenceValues(graph, samples).of([*INNER, "x", "a"])
    assert list(found) == [*INNER, "x"]
    for number, (sample, run) in enumerate(zip(samples, wanted(samples), strict=True)):
        assert found["x"][number] is sample["x"]
        for name in INNER:
            np.testing.assert_allclose(found[name][number].tolist(), run[name].tolist(), rtol=1e-6)


def test_what_is_known_is_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, samples = graph_and_samples()
    values = ReferenceValues(graph, samples)
    first = values.of(["a", "d"])
    monkeypatch.setattr(reference_values, "run_reference", None)
    assert values.of(["d", "a"])["a"] is first["a"]
    with pytest.raises(TypeError):
        values.of(["b"])


def test_the_graph_is_left_alone() -> None:
    graph, samples = graph_and_samples(1)
    ReferenceValues(graph, samples).of(INNER)
    assert [value.name for value in graph.outputs] == ["y"]


def test_without_samples_there_are_no_values() -> None:
    graph, _ = graph_and_samples()
    assert ReferenceValues(graph, []).of(["a", "y", "x"]) == {"a": [], "y": [], "x": []}


def test_a_tensor_that_is_not_there_is_an_error() -> None:
    graph, samples = graph_and_samples(1)
    with pytest.raises(ModelError, match=r"ONNX Runtime can't run it unsplit: .*nowhere"):
        ReferenceValues(graph, samples).of(["nowhere"])


def test_some_nodes_run_on_what_they_are_given() -> None:
    graph, _ = graph_and_samples()
    b = np.arange(6, dtype=np.float32).reshape(2, 3)
    ((one, other),) = run_piece(graph, ["split", "sub"], [[b], [b * 2]])
    assert one.tolist() == [(b[0] - b[1]).tolist()]
    assert other.tolist() == [(2 * (b[0] - b[1])).tolist()]


def test_a_body_gets_what_it_reads_from_outside() -> None:
    graph, samples = graph_and_samples(1)
    values = ReferenceValues(graph, samples).of(["a", "b", "x", "c"])
    order = [value.name for value in border(graph, ["choice"]).inputs]
    assert set(order) == {"a", "x", "c"}
    ((got,),) = run_piece(graph, ["choice"], [[values[str(name)][0] for name in order]])
    np.testing.assert_array_equal(got, values["b"][0])
