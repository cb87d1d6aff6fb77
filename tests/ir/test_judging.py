"""Nodes that ONNX rules out are refused, and nothing else is: with ONNX Runtime as the judge."""

import onnxruntime
import pytest
from tests.conftest import model_from_text, random_feeds, run_cpu

from dovetail.ir import load_model
from dovetail.plan.errors import ModelError

IMPOSSIBLE = {
    "sizes": (
        "g (float[2,3] a, float[4,5] b) => (float[2,5] y) { [n] y = MatMul(a, b) }",
        "node 'n' (MatMul): ONNX does not allow it (Incompatible dimensions for matrix multiplication), "
        "got 'a' float32[2, 3], 'b' float32[4, 5]; correct the model, or the shapes given to it",
    ),
    "sizes behind others": (
        "g (float[2,3] a, float[N,4] b) => (float[2,4] y) { h = Relu(a) [n] y = Add(h, b) z = Neg(y) }",
        "node 'n' (Add): ONNX does not allow it (Incompatible dimensions), got 'h' float32[2, 3], 'b' float32[N, 4]",
    ),
    "a constant": (
        "g (float[2,3] a) => (float[2,3] y) <float[4] k = {1, 2, 3, 4}> { [n] y = Mul(a, k) }",
        "got 'a' float32[2, 3], 'k' float32[4]",
    ),
    "a type": ("g (float[2] a, float[2] b) => (bool[2] y) { [n] y = And(a, b) }", "node 'n' (And): ONNX does not"),
    "two types": ("g (float[2] a, int64[2] b) => (float[2] y) { [n] y = Add(a, b) }", "B has inconsistent type"),
    "an attribute": ("g (float[2,3] a) => (float[3,2] y) { [n] y = Transpose<perm = [0, 1, 2]>(a) }", "perm {0, 1, 2}"),
    "a node without a name": ("g (float[2] a, float[3] b) => (float[3] y) { y = Add(a, b) }", "node 'y' (Add): "),
    "the first of several": (
        "g (float[2] a, float[3] b) => (float[3] y, float[3] z) { [n] y = Add(a, b) [m] z = Sub(a, b) }",
        "node 'n' (Add): ",
    ),
    "behind a body that declares nonsense": (
        """g (float[2,3] a, float[4,5] b, bool c) => (float[2,5] y) {
            h = If (c) <
                then_branch = then () => (float[2,3] t) <float[9] q> { q = Relu(a) t = Neg(q) },
                else_branch = other () => (float[2,3] e) { e = Neg(a) }
            >
            [n] y = MatMul(h, b)
        }""",
        "node 'n' (MatMul): ",
    ),
}
"""Models, and a part of the message."""

POSSIBLE = {
    "an output that is declared otherwise": "g (float[2,3] a, float[3,5] b) => (float[2,7] y) { y = MatMul(a, b) }",
    "a value that is declared otherwise": (
        "g (float[2,3] a, float[3,5] b) => (float[2,5] y) <float[2,9] h> { h = Relu(a) y = MatMul(h, b) }"
    ),
    "a value of another rank": (
        "g (float[2,3] a, float[3,5] b) => (float[2,5] y) <float[9] h> { h = Relu(a) y = MatMul(h, b) }"
    ),
    "symbols of two names": "g (float[N,3] a, float[M,3] b) => (float[K,3] y) { y = Add(a, b) }",
    "a body that declares nonsense": """
        g (float[2,3] a, bool c) => (float[2,3] y) {
            y = If (c) <
                then_branch = then () => (float[2,3] t) <float[9] q> { q = Relu(a) t = Neg(q) },
                else_branch = other () => (float[2,3] e) { e = Neg(a) }
            >
        }""",
}


def session_of(text: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    data = model_from_text(text).SerializeToString()
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_no_runtime_takes_is_refused(name: str) -> None:
    text, words = IMPOSSIBLE[name]
    with pytest.raises(ModelError) as refused:
        load_model(model_from_text(text))
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    with pytest.raises(Exception, match=r"ONNXRuntimeError.*(FAIL|INVALID_GRAPH)"):
        session_of(text)


def test_a_declaration_makes_nothing_possible() -> None:
    """ONNX Runtime doubts what contradicts itself, and finds out when it runs."""
    text = "g (float[2,3] a, float[4,5] b) => (float[2,5] y) <float[2,4] h> { h = Relu(a) [n] y = MatMul(h, b) }"
    with pytest.raises(ModelError, match=r"node 'n' \(MatMul\): "):
        load_model(model_from_text(text))
    with pytest.raises(Exception, match="MatMul dimension mismatch"):
        run_cpu(model_from_text(text), random_feeds(model_from_text(text)))


@pytest.mark.parametrize("name", POSSIBLE)
def test_what_is_only_declared_wrong_passes(name: str) -> None:
    load_model(model_from_text(POSSIBLE[name]))
    session_of(POSSIBLE[name])


def test_a_branch_may_never_run() -> None:
    load_model(
        model_from_text(
            """g (float[2,3] a, bool c) => (float[3] y) <int64[1] first = {0}> {
                y = If (c) <
                    then_branch = then () => (float[3] t) { t = Squeeze(a, first) },
                    else_branch = other () => (float[3] e) { e = ReduceMax<axes = [0], keepdims = 0>(a) }
                >
            }"""
        )
    )


def test_backends_may_take_types_that_onnx_does_not_list() -> None:
    text = "g (bfloat16[2,3] a, bfloat16[3,2] b) => (bfloat16[2,2] y) { y = Einsum<equation = 'ij,jk->ik'>(a, b) }"
    load_model(model_from_text(text.replace("'", '"')))


def test_inputs_of_unknown_type_say_nothing() -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "own": 1]>
        g (float[2,3] a) => (float[2] y) { h = own.Thing(a) k = Relu(h) y = MatMul(a, k) }"""
    load_model(model_from_text(text))
