"""What the user fixes on loading: shapes, symbolic dimensions and whole inputs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tests.conftest import Array, assert_same_outputs, model_from_text, random_feeds, run_cpu

from dovetail.ir import Bindings, Graph, extract, load_model, shape_of
from dovetail.passes import run_to_fixpoint
from dovetail.passes.canonical import CANONICAL_PASSES
from dovetail.plan.errors import ModelError

TEXT = """g (float[batch,3,N] x, float[batch] z, int64 sr, bool flag, float16[2] h, string word)
    => (float[batch,3,N] y, float[batch] z2, int64 sr2, bool flag2, float16[2] h2, string word2)
    { [a] y = Relu(x) [b] z2 = Neg(z) sr2 = Neg(sr) flag2 = Not(flag) h2 = Neg(h) word2 = Identity(word) }"""


def load(bindings: Bindings) -> Graph:
    return load_model(model_from_text(TEXT), bindings)


def shapes(graph: Graph) -> dict[str, tuple[int | str | None, ...] | None]:
    values = [*graph.inputs, *(value for node in graph.nodes() for value in node.outputs)]
    return {str(value.name): shape_of(value) for value in values}


def test_nothing() -> None:
    assert not Bindings()
    assert load(Bindings()).bindings == {}


def test_dimension() -> None:
    found = shapes(load(Bindings(dims={"batch": 4})))
    assert found["x"] == found["y"] == (4, 3, "N")
    assert found["z"] == found["z2"] == (4,)


def test_shape_fixes_its_symbols_everywhere() -> None:
    found = shapes(load(Bindings(shapes={"x": (4, 3, 8)})))
    assert found["x"] == found["y"] == (4, 3, 8)
    assert found["z"] == found["z2"] == (4,)


def test_what_was_bound_is_kept_as_text() -> None:
    graph = load(Bindings(shapes={"x": (4, 3, 8)}, dims={"batch": 4}, binds={"sr": "16000"}))
    assert graph.bindings == {"shape x": "4,3,8", "dim batch": "4", "bind sr": "16000"}


def test_shape_of_unknown_rank() -> None:
    model = model_from_text("g (float[2] x) => (float[2] y) { y = Relu(x) }")
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.ClearField("shape")
    assert shapes(load_model(model, Bindings(shapes={"x": (5, 6)}))) == {"x": (5, 6), "y": (5, 6)}


def test_sizes_are_checked_where_none_is_declared() -> None:
    model = model_from_text("g (float[2] x) => (float[2] y) { y = Relu(x) }")
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.ClearField("shape")
    with pytest.raises(ModelError, match=r"--shape x=-5,0: a size must be in \[1, 2147483647\], got -5"):
        load_model(model, Bindings(shapes={"x": (-5, 0)}))


@pytest.mark.parametrize("unranked", [True, False])
@pytest.mark.parametrize("text", ["1", "1,2,3,4"])
def test_constant_of_a_shape_that_only_the_user_knows(unranked: bool, text: str) -> None:
    model = model_from_text("g (float[?] x) => (float[?] y) { y = Relu(x) }")
    if unranked:
        model.graph.input[0].type.tensor_type.ClearField("shape")
    graph = load_model(model, Bindings(shapes={"x": (4,)}, binds={"x": text}))
    tensor = graph.initializers["x"].const_value
    assert tensor is not None
    np.testing.assert_array_equal(tensor.numpy(), [1, 2, 3, 4] if "," in text else [1, 1, 1, 1])


def test_old_shapes_are_forgotten() -> None:
    model = model_from_text("g (float[N] x) => (float[M] y) { u = Concat <axis = 0> (x, x) y = Relu(u) }")
    assert shapes(load_model(model, Bindings(dims={"N": 3})))["u"] == (6,)


def test_old_sizes_are_forgotten() -> None:
    """What was declared for a batch of one no longer holds; what only a custom operator's maker knows does."""
    model = model_from_text(
        '<ir_version: 8, opset_import: ["": 17, "custom": 1]>'
        "g (float[N,3] x) => (float[1,3] y, float[1] s, float[7] z)"
        "{ h = Relu(x) y = Neg(h) s = ReduceSum <keepdims = 0> (y) z = custom.Thing(x) }"
    )
    model.graph.value_info.append(helper.make_tensor_value_info("h", TensorProto.FLOAT, [1, 3]))
    found = shapes(load_model(model, Bindings(dims={"N": 8})))
    assert found == {"x": (8, 3), "h": (8, 3), "y": (8, 3), "s": (), "z": (7,)}


def test_old_sizes_in_bodies_are_forgotten() -> None:
    model = model_from_text(
        """g (float[N,3] x, int64 n, bool c) => (float[1,3] y) {
            [loop] y = Loop (n, c, x) <body = body (int64 i, bool before, float[1,3] a) => (bool again, float[1,3] b)
                { again = Identity(before) b = Neg(a) }>
        }"""
    )
    graph = load_model(model, Bindings(dims={"N": 8}))
    assert shapes(graph)["y"] == (8, 3)
    assert [shape_of(node.outputs[0]) for node in graph.nested("loop")] == [(), (8, 3)]


def test_steps_are_no_batch() -> None:
    """Of a recurrent model the batch stands second; of a picture of any height, it is the one before the channels."""
    steps = model_from_text("g (float[40,batch,8] x) => (float[40,batch,8] y) { y = Relu(x) }")
    with pytest.raises(ModelError, match=r"--batch 16: .* fixed, got 40, and batch is open; .* give --dim batch=16"):
        load_model(steps, Bindings(batch=16))
    picture = model_from_text("g (float[1,3,height,8] x) => (float[1,3,height,8] y) { y = Relu(x) }")
    assert shapes(load_model(picture, Bindings(batch=16)))["y"] == (16, 3, "height", 8)


def test_symbols_in_bodies() -> None:
    model = model_from_text(
        """g (float[N] x, bool c) => (float[N] y) {
            [if] y = If (c) <
                then_branch = then () => (float[N] t) { [a] u = Neg(x) t = Relu(u) },
                else_branch = other () => (float[N] e) { e = Exp(x) }
            >
        }"""
    )
    graph = load_model(model, Bindings(dims={"N": 7}))
    assert {shape_of(node.outputs[0]) for node in graph.nested("if")} == {(7,)}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("sr", "16000", np.int64(16000)),
        ("sr", " -5 ", np.int64(-5)),
        ("flag", "true", np.True_),
        ("flag", "0", np.False_),
        ("h", "0.5", np.array([0.5, 0.5], np.float16)),
        ("h", "0.5,-1e3", np.array([0.5, -1000], np.float16)),
    ],
)
def test_constant(name: str, text: str, expected: Array) -> None:
    graph = load(Bindings(binds={name: text}))
    assert name not in [value.name for value in graph.inputs]
    tensor = graph.initializers[name].const_value
    assert tensor is not None
    assert tensor.numpy().dtype == expected.dtype
    np.testing.assert_array_equal(tensor.numpy(), expected)


def test_constant_of_a_shape_that_is_fixed_with_it() -> None:
    graph = load(Bindings(dims={"batch": 3}, binds={"z": "1,2,3"}))
    tensor = graph.initializers["z"].const_value
    assert tensor is not None
    np.testing.assert_array_equal(tensor.numpy(), [1, 2, 3])


@pytest.mark.parametrize(
    "options", [Bindings(), Bindings(dims={"batch": 2, "N": 5}, binds={"sr": "3", "flag": "true"})]
)
def test_outputs_are_those_of_the_model_with_that_input(options: Bindings) -> None:
    model = model_from_text(
        TEXT.replace(", string word)", ")").replace(", string word2)", ")").replace("word2 = Identity(word)", "")
    )
    feeds = random_feeds(extract(load_model(model, Bindings(dims={"batch": 2, "N": 5}))))
    feeds["sr"], feeds["flag"] = np.array(3), np.array(True)
    assert_same_outputs(run_cpu(extract(load_model(model, options)), feeds), run_cpu(model, feeds))


@pytest.mark.parametrize(
    ("bindings", "words"),
    [
        (Bindings(shapes={"w": (1,)}), "--shape w: the model has no such input; choose one of 'x', 'z'"),
        (Bindings(binds={"w": "1"}), "--bind w: the model has no such input"),
        (Bindings(dims={"M": 1}), "--dim M: .* such symbolic dimension; choose one of 'N', 'batch'"),
        (Bindings(dims={"N": 0}), r"--dim N: a size must be in \[1, 2147483647\], got 0"),
        (Bindings(dims={"N": 2**31}), "got 2147483648"),
        (Bindings(shapes={"x": (4, 3, -1)}), "got -1"),
        (Bindings(shapes={"x": (4, 3)}), "--shape x=4,3: the input has 3 dimensions"),
        (Bindings(shapes={"x": (4, 5, 8)}), "--shape x=4,5,8: dimension 1 is 3, got 5"),
        (Bindings(shapes={"x": (4, 3, 8), "z": (5,)}), r"--shape z=5: dimension 0 \('batch'\) is 4, got 5"),
        (Bindings(shapes={"x": (4, 3, 8)}, dims={"N": 9}), r"dimension 2 \('N'\) is 9, got 8"),
        (Bindings(binds={"sr": "fast"}), "--bind sr=fast: 'fast' is not a int64 number"),
        (Bindings(binds={"sr": "1.5"}), "'1.5' is not a int64 number"),
        (Bindings(binds={"sr": "1,2"}), "the input has 1 elements, got 2 numbers"),
        (Bindings(binds={"sr": str(2**63)}), "does not fit int64"),
        (Bindings(binds={"sr": ""}), "'' is not a int64 number"),
        (Bindings(binds={"flag": "2"}), "'2' is not a bool number"),
        (Bindings(binds={"h": "1,2,3"}), "the input has 2 elements, got 3 numbers"),
        (Bindings(binds={"z": "1"}), r"shape \['batch'\] is not fixed; add --shape or --dim"),
        (Bindings(binds={"word": "a"}), "only an input of numbers can be fixed, this one holds string"),
    ],
)
def test_errors(bindings: Bindings, words: str) -> None:
    with pytest.raises(ModelError, match=words) as refused:
        load(bindings)
    assert "\n" not in str(refused.value)


def test_model_without_symbols() -> None:
    model = model_from_text("g (float[2] x) => (float[2] y) { y = Relu(x) }")
    with pytest.raises(ModelError, match=r"--dim N: .*; leave it out, there are none"):
        load_model(model, Bindings(dims={"N": 1}))


def test_silero_loses_its_branch(shared_models: Callable[[str], Path]) -> None:
    """The sampling rate decides between two networks; once it is fixed, one is left."""
    path = shared_models("silero_vad.onnx")
    graph = load_model(path, Bindings(shapes={"input": (1, 512), "state": (2, 1, 128)}, binds={"sr": "16000"}))
    before = len(list(graph.nested(next(name for name in graph if graph.has_bodies(name)))))
    assert run_to_fixpoint(graph, CANONICAL_PASSES)
    assert before > 50
    assert not any(graph.has_bodies(name) for name in graph)
    feeds = random_feeds(extract(graph))
    wanted = run_cpu(onnx.load(path), feeds | {"sr": np.array(16000)})
    assert_same_outputs(run_cpu(extract(graph), feeds), wanted, rtol=1e-4, atol=1e-5)


def test_text_gives_the_bindings_back() -> None:
    bindings = Bindings({"x": (1, 3), "scalar": ()}, {"batch": 4}, {"a b": "1,2"})
    assert Bindings.from_text(bindings.as_text()) == bindings


@pytest.mark.parametrize("text", [{"place x": "cpu"}, {"shape x": "1,two"}, {"dim n": ""}])
def test_text_that_no_bindings_gave(text: dict[str, str]) -> None:
    with pytest.raises(ModelError, match=r"is no loading option|a size must be a whole number"):
        Bindings.from_text(text)
