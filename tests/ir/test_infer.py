"""Types and shapes are found everywhere, without the weights, and never made less precise."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.conftest import SAMPLE_MODELS, assert_same_outputs, model_from_text, random_feeds, run_cpu

from dovetail.ir import Graph, dtype_name, extract, infer, load_model, shape_of
from dovetail.ir.native import infer_shapes
from dovetail.plan.errors import ModelError


def graph_of(text: str, opset: int = 17) -> Graph:
    return load_model(model_from_text(text, opset))


def found(graph: Graph) -> dict[str, tuple[str | None, tuple[int | str | None, ...] | None]]:
    values = [value for node in graph.model.graph.all_nodes() for value in node.outputs]
    return {str(value.name): (dtype_name(value), shape_of(value)) for value in values}


def test_chain_with_symbols() -> None:
    graph = graph_of("g (float[N,3] x) => (float[N,3] y) { u = Relu(x) v = Cast <to = 1> (u) w = Shape(v) y = Neg(v) }")
    assert found(graph)["v"] == ("float32", ("N", 3))
    assert found(graph)["w"] == ("int64", (2,))


def test_values_of_shapes() -> None:
    graph = graph_of(
        "g (float[2,3,4] x, float[12,2] z) => (float[12,2] y) { s = Shape(z) u = Reshape(x, s) y = Add(u, z) }"
    )
    assert found(graph)["u"] == ("float32", (12, 2))


def test_bodies() -> None:
    """In a body, too, and with constants that stand outside of it."""
    graph = graph_of(
        """g (float[2,4] x, bool c) => (float[2,1] y) <int64[1] axes = {1}> {
            y = If (c) <
                then_branch = then () => (float[2,1] t) { u = ReduceSum(x, axes) t = Neg(u) },
                else_branch = other () => (float[2,1] e) {
                    a = Constant <value = int64[2] {2, 1}> () b = ReduceMax <axes = [1], keepdims = 0> (x)
                    e = Reshape(b, a)
                }
            >
        }"""
    )
    assert found(graph)["u"] == ("float32", (2, 1))
    assert found(graph)["b"] == ("float32", (2,))


def test_bodies_whose_values_have_the_same_names() -> None:
    graph = graph_of(
        """g (float[2,3] x, bool c) => (float[M,K] y) <int64[2] a = {2, 3}, int64[2] b = {3, 2}> {
            [if] y = If (c) <
                then_branch = then () => (float[P,Q] o) { [t1] t = Reshape(x, a) [t2] o = Neg(t) },
                else_branch = other () => (float[R,S] o) { [e1] t = Reshape(x, b) [e2] o = Neg(t) }
            >
        }"""
    )
    shapes = {str(node.name): shape_of(node.outputs[0]) for node in graph.nested("if")}
    assert shapes == {"t1": (2, 3), "t2": (2, 3), "e1": (3, 2), "e2": (3, 2)}


def test_loops_that_keep_their_shapes() -> None:
    graph = graph_of(
        """g (float[2,3] x, int64 n, bool c) => (float[M,K] y) {
            u = Loop (n, c, x) <body = body (int64 i, bool before, float[P,Q] a) => (bool again, float[R,S] b)
                { again = Identity(before) b = Neg(a) }>
            y = Relu(u)
        }"""
    )
    assert found(graph)["u"] == ("float32", (2, 3))


def growing_loop(count: int) -> onnx.ModelProto:
    """A loop whose first value grows, and each other one takes over the one before it: all of them grow in the end."""
    steps = "b0 = Concat <axis = 0> (a0, a0)" + "".join(f"b{i} = Relu(a{i - 1})" for i in range(1, count))
    entering, leaving = ("".join(f", float[{name}{i}] {name}{i}" for i in range(count)) for name in "ab")
    return model_from_text(
        f"""g (float[2] x, int64 n, bool c) => (float[M] y0, float[K] z) {{
            {", ".join(f"y{i}" for i in range(count))}, scanned = Loop (n, c{", x" * count})
            <body = body (int64 i, bool before{entering}) => (bool again{leaving}, float[S] s)
                {{ again = Identity(before) {steps} s = Identity(a0) }}>
            z = Flatten <axis = 0> (scanned)
        }}"""
    )


def test_assumptions_about_loops_are_given_up_after_a_few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["dovetail.ir.infer"]
    asked = 0
    real = module.infer_shapes

    def count(model: bytes, name: str) -> onnx.ModelProto:
        nonlocal asked
        asked += 1
        answer = real(model, name)
        assert isinstance(answer, onnx.ModelProto)
        return answer

    monkeypatch.setattr(module, "infer_shapes", count)
    shapes = found(load_model(growing_loop(30)))
    assert asked <= 6
    assert not any(isinstance(size, int) for i in range(30) for size in shapes[f"y{i}"][1] or ())


def test_what_followed_from_a_wrong_assumption_is_forgotten() -> None:
    shapes = found(load_model(growing_loop(1)))
    sizes = {size for name in ("b0", "s", "scanned", "y0") for size in shapes[name][1] or ()}
    assert not any(isinstance(size, int) for size in sizes)


def test_large_weights_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["dovetail.ir.infer"]
    sent: list[bytes] = []
    real = module.infer_shapes

    def spy(model: bytes, name: str) -> onnx.ModelProto:
        sent.append(model)
        answer = real(model, name)
        assert isinstance(answer, onnx.ModelProto)
        return answer

    monkeypatch.setattr(module, "infer_shapes", spy)
    model = model_from_text("g (float[1,1000] x) => (float[1,500] y) { u = MatMul(x, w) y = Reshape(u, s) }")
    model.graph.initializer.append(numpy_helper.from_array(np.ones((1000, 500), np.float32), "w"))
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 500]), "s"))
    assert found(load_model(model))["y"] == ("float32", (1, 500))
    assert max(map(len, sent)) < 5000


def test_declared_shapes_stay_where_inference_knows_less() -> None:
    model = model_from_text(
        '<ir_version: 8, opset_import: ["": 17, "custom": 1]> g (float[2] x) => (float[3] y)'
        "<float[3,4] u> { u = custom.Thing(x) y = ReduceSum <keepdims = 0> (u) }"
    )
    model.graph.value_info.append(helper.make_tensor_value_info("u", TensorProto.FLOAT, [3, 4]))
    graph = load_model(model)
    assert found(graph)["u"] == ("float32", (3, 4))
    assert not infer(graph.model, "again"), "nothing more to learn"


def test_declared_shapes_that_are_wrong_are_put_right() -> None:
    """ONNX Runtime takes the whole; what was cut out of it with wrong sizes, it would not."""
    model = model_from_text(
        """g (float[1,6,8,8] x, float[384,4] w) => (float[1,9] y) <float[1,6,7,7] a, int64[2] s = {1, -1}> {
            a = Relu(x) r = Reshape(a, s) y = MatMul(r, w)
        }"""
    )
    graph = load_model(model)
    shapes = {name: shape for name, (_, shape) in found(graph).items()}
    assert shapes == {"a": (1, 6, 8, 8), "r": (1, 384), "y": (1, 4)}
    feeds = random_feeds(model)
    assert_same_outputs(run_cpu(extract(graph), feeds), run_cpu(model, feeds))


def test_child_that_fails() -> None:
    with pytest.raises(ModelError, match=r"^model 'broken': shape inference failed: ") as refused:
        infer_shapes(b"not a model", "broken")
    assert "\n" not in str(refused.value)


def test_long_vectors_that_are_added() -> None:
    """Following the values of vectors would take 10 GB here."""
    steps = "".join(f"v{i + 1} = Add(v{i}, x)" for i in range(400))
    graph = graph_of(f"g (float[480000] x) => (float[480000] y) {{ v0 = Neg(x) {steps} y = Relu(v400) }}")
    assert found(graph)["v399"] == ("float32", (480000,))


@pytest.mark.parametrize("path", SAMPLE_MODELS, ids=lambda path: path.stem)
def test_every_value_of_sample_models_is_typed(path: Path) -> None:
    values = found(load_model(path))
    assert [name for name, (dtype, shape) in values.items() if dtype is None or shape is None] == []


def test_a_process_ends_quietly() -> None:
    """The child that infers goes with its parent, without a word."""
    program = "import onnx.parser, dovetail.ir as ir; ir.load_model(onnx.parser.parse_model(%r)); print('done')"
    text = '<ir_version: 8, opset_import: ["": 17]> g (float[2] x) => (float[2] y) { y = Relu(x) }'
    command = [sys.executable, "-W", "error", "-c", program % text]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("done\n", "")
