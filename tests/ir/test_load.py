"""Loading brings what ONNX lets be said in several ways into one form."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx_ir
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.conftest import SAMPLE_MODELS, Feeds, assert_same_outputs, model_from_text, random_feeds, run_cpu

from dovetail.ir import Graph, extract, load_model


def same_as_onnxruntime(model: onnx.ModelProto, *feeds: Feeds) -> Graph:
    """The loaded graph, after its outputs were compared with those of the file as it is."""
    graph = load_model(model)
    for each in feeds or (random_feeds(model),):
        assert_same_outputs(run_cpu(extract(graph), each, optimize=False), run_cpu(model, each, optimize=False))
    return graph


def test_path_bytes_and_proto_are_the_same(tmp_path: Path) -> None:
    model = model_from_text("g (float[2] x) => (float[2] y) <float[2] k = {1, 2}> { [a] y = Add(x, k) }")
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    graphs = [load_model(source) for source in (path, str(path), path.read_bytes(), model)]
    extracted = []
    for graph in graphs:
        proto = extract(graph)
        proto.graph.name = ""
        extracted.append(proto.SerializeToString(deterministic=True))
    assert len(set(extracted)) == 1
    assert len({graph.sha256 for graph in graphs[:3]}) == 1
    assert graphs[0].name == "model"


@pytest.mark.parametrize("path", SAMPLE_MODELS, ids=lambda path: path.stem)
def test_sample_models_compute_the_same(path: Path) -> None:
    same_as_onnxruntime(onnx.load(path))


def test_local_functions_are_inlined_under_names_of_their_own() -> None:
    graph = same_as_onnxruntime(
        model_from_text(
            """<ir_version: 8, opset_import: ["": 17, "local": 1]>
            g (float[2] x) => (float[2] y) { [one] a = local.F(x) [two] b = local.F(a) y = local.G(b) }
            <domain: "local", opset_import: ["": 17]> F (p) => (q) { [inner] t = Relu(p) [neg] q = Neg(t) }
            <domain: "local", opset_import: ["": 17, "local": 1]> G (p) => (q) { [call] t = local.F(p) q = Exp(t) }"""
        )
    )
    assert [node.op_type for node in graph.nodes()] == ["Relu", "Neg"] * 3 + ["Exp"]
    assert list(graph) == ["one/inner", "one/neg", "two/inner", "two/neg", "y/call/inner", "y/call/neg", "y/q"]
    assert not graph.model.functions


def test_local_functions_with_bodies() -> None:
    graph = same_as_onnxruntime(
        model_from_text(
            """<ir_version: 8, opset_import: ["": 17, "local": 1]>
            g (float[2] x, bool c) => (float[2] y) {
                [if] y = If (c) <
                    then_branch = then () => (float[2] t) { [call] t = local.F(x, c) },
                    else_branch = other () => (float[2] e) { [inner] e = Neg(x) }
                >
            }
            <domain: "local", opset_import: ["": 17]> F (p, c) => (q) {
                [choice] q = If (c) <
                    then_branch = then () => (float[2] t) { [inner] t = Neg(p) },
                    else_branch = other () => (float[2] e) { e = Exp(p) }
                >
            }"""
        )
    )
    names = {str(node.name) for node in graph.nested("if")}
    assert names == {"call/choice", "call/inner", "call/e", "inner"}
    assert not any(node.metadata_props for node in graph.nested("if")), "no notes stay"


def test_function_with_an_attribute() -> None:
    graph = same_as_onnxruntime(
        model_from_text(
            """<ir_version: 8, opset_import: ["": 17, "local": 1]>
            g (float[2] x) => (float[2] y) { a = local.F <slope = 0.5> (x) y = local.F(a) }
            <domain: "local", opset_import: ["": 17]>
            F <slope: float = 0.25> (p) => (q) { q = LeakyRelu <alpha: float = @slope> (p) }"""
        )
    )
    assert [node.attributes["alpha"].as_float() for node in graph.nodes()] == [0.5, 0.25]


def test_every_form_of_Constant_becomes_an_initializer() -> None:  # noqa: N802
    model = model_from_text(
        """g (float[2] x, int64[2] n) => (float[2] y, int64[2] m) {
            a = Constant <value_float = 1.5> ()
            b = Constant <value_floats = [1.0, 2.0]> ()
            c = Constant <value = float[2] {3, 4}> ()
            d = Constant <value_int = 7> ()
            e = Constant <value_ints = [1, 2]> ()
            p = Add(x, a) q = Add(p, b) y = Add(q, c)
            r = Add(n, d) m = Add(r, e)
        }"""
    )
    graph = same_as_onnxruntime(model)
    assert {node.op_type for node in graph.nodes()} == {"Add"}
    assert set(graph.initializers) == {"a", "b", "c", "d", "e"}


def test_strings() -> None:
    model = model_from_text(
        'g (string[2] x) => (bool[2] y) { k = Constant <value_strings = ["a", "bc"]> () y = Equal(x, k) }', 19
    )
    model.graph.initializer.add(name="k2", data_type=TensorProto.STRING, dims=[1], string_data=["ü".encode()])
    model.graph.node.append(helper.make_node("Equal", ["x", "k2"], ["z"]))
    model.graph.output.append(helper.make_tensor_value_info("z", TensorProto.BOOL, [2]))
    same_as_onnxruntime(model, {"x": np.array(["ü", "bc"], dtype=object)})


def test_constants_of_one_branch_keep_clear_of_names_in_the_other() -> None:
    model = model_from_text(
        """g (float[2] x, bool c) => (float[2] y) {
            y = If (c) <
                then_branch = then () => (float[2] o) { t = Constant <value = float[2] {1, 2}> () o = Add(x, t) },
                else_branch = other () => (float[2] e) { t = Neg(x) e = Mul(t, x) }
            >
        }"""
    )
    feeds = random_feeds(model)
    same_as_onnxruntime(model, feeds | {"c": np.array(True)}, feeds | {"c": np.array(False)})


def test_nested_If() -> None:  # noqa: N802
    node = helper.make_node("Relu", ["x"], ["r"], name="deepest")
    for level in range(5):
        body = helper.make_graph([node], f"b{level}", [], [helper.make_tensor_value_info("r", TensorProto.FLOAT, [2])])
        negate = helper.make_node("Neg", ["x"], ["r"], name=f"neg{level}")
        other = helper.make_graph(
            [negate], f"e{level}", [], [helper.make_tensor_value_info("r", TensorProto.FLOAT, [2])]
        )
        node = helper.make_node("If", [f"c{level % 2}"], ["r"], f"if{level}", then_branch=body, else_branch=other)
    node.output[0] = "y"
    inputs = [helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("c0", "c1")]
    inputs.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, [2]))
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])]
    model = helper.make_model(
        helper.make_graph([node], "g", inputs, outputs), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    x = np.array([-1, 1], np.float32)
    cases = [{"x": x, "c0": np.array(a), "c1": np.array(b)} for a in (True, False) for b in (True, False)]
    graph = same_as_onnxruntime(model, *cases)
    assert list(graph) == ["if4"]
    assert {str(inner.name) for inner in graph.nested("if4")} == {
        "deepest", *(f"if{level}" for level in range(4)), *(f"neg{level}" for level in range(5)),
    }  # fmt: skip


def test_loop_and_scan() -> None:
    model = model_from_text(
        """g (float[2] x, int64 n, bool c, float[3,2] rows) => (float[2] y, float[N,2] s, float[2] z, float[3,2] sums)
        <float[2] one = {1, 1}> {
            y, s = Loop (n, c, x) <body = body (int64 i, bool before, float[2] a)
                => (bool again, float[2] b, float[2] r) { again = Identity(before) b = Add(a, one) r = Mul(a, x) }>
            z, sums = Scan <num_scan_inputs = 1, body = step (float[2] sum, float[2] row)
                => (float[2] total, float[2] out) { total = Add(sum, row) out = Identity(total) }> (x, rows)
        }"""
    )
    graph = same_as_onnxruntime(model, random_feeds(model) | {"n": np.array(3), "c": np.array(True)})
    assert [node.op_type for node in graph.nodes()] == ["Loop", "Scan"]


def test_old_opset_with_initializers_as_inputs() -> None:
    model = model_from_text(
        """<ir_version: 3, opset_import: ["": 9]>
        g (float[2] x, float[2] w) => (float[2] y) <float[2] w = {1, 2}> { y = Add(x, w) }"""
    )
    graph = load_model(model)
    np.testing.assert_allclose(run_cpu(extract(graph), {"x": np.ones(2, np.float32)})["y"], [2, 3])


# --- external data -----------------------------------------------------------------------------------------------

RSS = """
import json, sys
from dovetail.ir import Bindings, load_model
from dovetail.passes import run_to_fixpoint
from dovetail.passes.canonical import CANONICAL_PASSES

def peak():
    with open("/proc/self/status") as status:
        return 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

before = peak()
graph = load_model(sys.argv[1])
run_to_fixpoint(graph, CANONICAL_PASSES)
kinds = sorted({type(value.const_value).__name__ for value in graph.initializers.values()})
print(json.dumps([peak() - before, kinds, len(graph)]))
"""


def external_model(folder: Path, rows: int, columns: int) -> Path:
    """y = x W, with W in a sparse file."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["u"]), helper.make_node("Identity", ["u"], ["y"])]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, rows])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, columns])
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[rows, columns])
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="weights.bin")
    model = helper.make_model(
        helper.make_graph(nodes, "g", [x], [y], [weights]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    with (folder / "weights.bin").open("wb") as file:
        file.truncate(rows * columns * 4)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return folder / "model.onnx"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs the memory figures of Linux")
def test_external_data_stays_outside(tmp_path: Path) -> None:
    """1.5 GB of weights in a sparse file: loading and simplifying the model does not touch them."""
    path = external_model(tmp_path, 1 << 14, 24 << 10)
    assert (tmp_path / "weights.bin").stat().st_size > 1.5e9
    done = subprocess.run([sys.executable, "-c", RSS, str(path)], capture_output=True, text=True, check=True)
    used, kinds, nodes = json.loads(done.stdout)
    assert used < 50 << 20
    assert kinds == ["ExternalTensor"]
    assert nodes == 1


def test_external_values(tmp_path: Path) -> None:
    path = external_model(tmp_path, 3, 2)
    values = np.arange(6, dtype=np.float32).reshape(3, 2)
    (tmp_path / "weights.bin").write_bytes(values.tobytes())
    graph = load_model(path)
    tensor = graph.initializers["w"].const_value
    assert isinstance(tensor, onnx_ir.ExternalTensor)
    feeds = {"x": np.ones((1, 3), np.float32)}
    np.testing.assert_allclose(run_cpu(extract(graph), feeds)["y"], values.sum(0, keepdims=True))
    (written,) = extract(graph).graph.initializer
    assert written.data_location == TensorProto.DEFAULT
    np.testing.assert_array_equal(numpy_helper.to_array(written), values)
