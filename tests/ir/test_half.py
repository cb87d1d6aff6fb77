"""Rounding to float16 is NumPy's, after every operator, and nowhere else."""

import numpy as np
import onnx
import pytest
from tests.conftest import Array, model_from_text, run_cpu

from dovetail.ir import extract, load_model, round_to_half

RNG = np.random.default_rng(0)


def model_of(text: str) -> onnx.ModelProto:
    return extract(load_model(model_from_text(text)))


def rounded(text: str, exact: tuple[str, ...] = ()) -> onnx.ModelProto:
    model = model_of(text)
    before = model.SerializeToString(deterministic=True)
    result = round_to_half(model, exact)
    assert model.SerializeToString(deterministic=True) == before, "the model itself is left as it was"
    assert result is not None
    onnx.checker.check_model(result, full_check=True)
    return result


def half(array: Array) -> Array:
    with np.errstate(over="ignore"):
        return array.astype(np.float16).astype(np.float32)


def test_every_float_is_rounded_on_its_way() -> None:
    x = (RNG.standard_normal(4) * 100).astype(np.float32)
    k = np.array([0.1, 3.3, 1e-4, 7.7], np.float32)
    model = rounded(
        """g (float[4] x) => (float[4] y) <float[4] k = {0.1, 3.3, 1e-4, 7.7}>
        { u = Mul(x, k) v = Add(u, x) y = Abs(v) }"""
    )
    product = half(half(x) * half(k))
    wanted = np.abs(half(product + half(x)))
    np.testing.assert_array_equal(run_cpu(model, {"x": x}, optimize=False)["y"], half(wanted))


def test_inputs_and_outputs_keep_their_names_and_types() -> None:
    model = rounded("g (float[2] x) => (float[2] y) { y = Relu(x) }")
    assert [value.name for value in model.graph.input] == ["x"]
    assert [value.name for value in model.graph.output] == ["y"]
    assert model.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT


def test_beyond_the_range() -> None:
    x = np.array([65504, 65520, -1e6, 1e-9], np.float32)
    got = run_cpu(rounded("g (float[4] x) => (float[4] y) { y = Identity(x) }"), {"x": x}, optimize=False)["y"]
    np.testing.assert_array_equal(got, [65504, np.inf, -np.inf, 0])


def test_exact_nodes() -> None:
    """What is computed in integers between Q and DQ is not rounded; what comes in from others is."""
    x = np.array([1.0001, 3.1415926], np.float32)
    text = "g (float[2] x) => (float[2] y, float[2] z) { [a] y = Add(x, x) [b] z = Neg(y) }"
    got = run_cpu(rounded(text, ("a",)), {"x": x}, optimize=False)
    np.testing.assert_array_equal(got["y"], half(x) + half(x))
    np.testing.assert_array_equal(got["z"], half(-(half(x) + half(x))))


def test_constants_of_exact_nodes() -> None:
    """They read them as they are, whoever else reads them rounded."""
    x, k = np.ones(2, np.float32), np.array([0.1, 3.3], np.float32)
    text = """g (float[2] x) => (float[2] y, float[2] z) <float[2] k = {0.1, 3.3}, float[2] only = {0.1, 3.3}>
        { [a] u = Mul(x, k) [b] y = Div(u, only) [c] z = Mul(x, k) }"""
    model = rounded(text, ("a", "b"))
    got = run_cpu(model, {"x": x}, optimize=False)
    np.testing.assert_array_equal(got["y"], x * k / k)
    np.testing.assert_array_equal(got["z"], half(k))
    assert sum("only" in node.input for node in model.graph.node) == 1


def test_what_an_exact_node_reads_is_rounded_for_all() -> None:
    """A QuantizeLinear does not bring back what is beyond the range of the float16 it reads."""
    text = """g (float[1] x) => (uint8[1] q, float[1] y) <float s = {1000.0}, uint8 z = {0}>
        { h = Exp(x) [q] q = QuantizeLinear(h, s, z) y = Abs(h) }"""
    got = run_cpu(rounded(text, ("q",)), {"x": np.array([11.5], np.float32)}, optimize=False)
    np.testing.assert_array_equal(got["q"], [255])
    np.testing.assert_array_equal(got["y"], [np.inf])


def test_names_like_those_of_rounded_tensors() -> None:
    model = model_of("g (float[2] x) => (float[2] y) { u = Neg(x) v = Abs(u) y = Exp(v) }")
    names = {"u": "x/rounded", "v": "y/exact"}
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in model.graph.value_info:
        value.name = names[value.name]
    result = round_to_half(model, ())
    assert result is not None
    onnx.checker.check_model(result, full_check=True)
    x = np.array([1.0001, 3.1415926], np.float32)
    got = run_cpu(result, {"x": x}, optimize=False)["y"]
    np.testing.assert_array_equal(got, half(np.exp(half(x))))


def test_other_types_pass() -> None:
    text = """g (float[2] x, int64[2] n, double[2] d) => (float[2] y, int64[2] m, double[2] e)
        { y = Neg(x) m = Add(n, n) e = Neg(d) }"""
    feeds = {"x": np.ones(2, np.float32), "n": np.array([2**40 + 1, 3]), "d": np.array([0.1, 0.2])}
    got = run_cpu(rounded(text), feeds, optimize=False)
    np.testing.assert_array_equal(got["m"], feeds["n"] * 2)
    np.testing.assert_array_equal(got["e"], -feeds["d"])


def test_nothing_to_round() -> None:
    assert round_to_half(model_of("g (int64[2] n) => (int64[2] m) { m = Add(n, n) }"), ()) is None


@pytest.mark.parametrize("condition", [True, False])
def test_bodies_read_rounded_tensors(condition: bool) -> None:
    model = rounded(
        """g (float[2] x, bool c) => (float[2] y) <float[2] k = {0.1, 3.3}> {
            y = If (c) <
                then_branch = then () => (float[2] t) { t = Add(x, k) },
                else_branch = other () => (float[2] e) { e = Mul(x, k) }
            >
        }"""
    )
    x, k = np.array([1.0001, 3.1415926], np.float32), np.array([0.1, 3.3], np.float32)
    got = run_cpu(model, {"x": x, "c": np.array(condition)}, optimize=False)["y"]
    np.testing.assert_array_equal(got, half(half(x) + half(k) if condition else half(x) * half(k)))


@pytest.mark.parametrize("condition", [True, False])
def test_bodies_are_rounded(condition: bool) -> None:
    model = rounded(
        """g (float[1] x, bool c) => (float[1] y) <float[1] big = {1000.0}, bool true = {1}> {
            y = If (c) <
                then_branch = then () => (float[1] o) { t = Mul(x, big) o = Div(t, big) },
                else_branch = other () => (float[1] o) {
                    o = If (true) <
                        then_branch = deep () => (float[1] o) { t = Mul(x, big) o = Div(t, big) },
                        else_branch = flat () => (float[1] e) { e = Neg(x) }
                    >
                }
            >
        }"""
    )
    got = run_cpu(model, {"x": np.array([100], np.float32), "c": np.array(condition)}, optimize=False)["y"]
    np.testing.assert_array_equal(got, [np.inf])


def test_names_in_bodies_hide_none_outside() -> None:
    text = """g (float[1] x, float[1] v, int64 n) => (float[1] y, float[1] z) <bool true = {1}> {
            y = Loop (n, true, x) <body = body (int64 i, bool b, float[1] v) => (bool o, float[1] w)
                { o = Identity(b) w = Add(v, v) }>
            z = Relu(v)
        }"""
    feeds = {"x": np.array([1], np.float32), "v": np.array([10], np.float32), "n": np.array(2)}
    got = run_cpu(rounded(text), feeds, optimize=False)
    np.testing.assert_array_equal([got["y"], got["z"]], [[4], [10]])
