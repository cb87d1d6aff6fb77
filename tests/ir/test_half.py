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
    """What is computed in integers between Q and DQ is not rounded, nor is what goes in and out of it."""
    x = np.array([1.0001, 3.1415926], np.float32)
    text = "g (float[2] x) => (float[2] y, float[2] z) { [a] y = Add(x, x) [b] z = Neg(y) }"
    got = run_cpu(rounded(text, ("a",)), {"x": x}, optimize=False)
    np.testing.assert_array_equal(got["y"], x + x)
    np.testing.assert_array_equal(got["z"], half(-(x + x)))


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
