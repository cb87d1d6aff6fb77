"""The unsplit model as the reference, in a child process."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from dovetail.ir import Bindings, bound_arrays
from dovetail.lowering import run_reference
from dovetail.plan import ModelError


def save(path: Path, nodes: list[onnx.NodeProto], inputs: dict[str, int], outputs: dict[str, int]) -> Path:
    given, made = ([helper.make_tensor_value_info(n, t, None) for n, t in each.items()] for each in (inputs, outputs))
    graph = helper.make_graph(nodes, "g", given, made)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_it_runs_the_model_with_what_was_bound(tmp_path: Path) -> None:
    model = save(
        tmp_path / "m.onnx",
        [helper.make_node("Mul", ["file", "k"], ["y"])],  # an input whose name NumPy's archive writer knows
        {"file": TensorProto.FLOAT, "k": TensorProto.FLOAT},
        {"y": TensorProto.FLOAT},
    )
    got = run_reference(model, {"file": np.array([1, 2], np.float32)}, {"k": np.array(3, np.float32)}, ["y"])
    assert got["y"].tolist() == [3, 6]


def test_text_comes_back_as_text(tmp_path: Path) -> None:
    model = save(
        tmp_path / "m.onnx",
        [helper.make_node("Identity", ["x"], ["y"])],
        {"x": TensorProto.STRING},
        {"y": TensorProto.STRING},
    )
    assert run_reference(model, {"x": np.array(["a", "bc"], object)}, {}, ["y"])["y"].tolist() == ["a", "bc"]


def test_what_onnxruntime_refuses_is_an_error_with_its_words(tmp_path: Path) -> None:
    model = save(
        tmp_path / "m.onnx",
        [helper.make_node("Add", ["x", "x"], ["y"])],
        {"x": TensorProto.FLOAT},
        {"y": TensorProto.FLOAT},
    )
    with pytest.raises(ModelError, match=r"can't run it unsplit: .*expected: .*float"):
        run_reference(model, {"x": np.array([1], np.int64)}, {}, ["y"])


@pytest.mark.parametrize(
    ("kind", "dims", "text", "wanted"),
    [
        (TensorProto.BOOL, [], "true", 1),
        (TensorProto.FLOAT, [2, 2], "1,2,3,4", [[1, 2], [3, 4]]),
        (TensorProto.FLOAT, ["n"], "3", [3, 3, 3, 3]),
        (TensorProto.FLOAT, ["n"], "1,2,3,4", [1, 2, 3, 4]),
        (TensorProto.INT64, [], "9007199254740993", 9007199254740993),  # no float64
    ],
)
def test_what_is_bound_is_what_the_compiler_bound(
    kind: int, dims: list[int | str], text: str, wanted: object, tmp_path: Path
) -> None:
    given = [helper.make_tensor_value_info(name, t, d) for name, t, d in (("k", kind, dims), ("x", 1, ["n"]))]
    made = [helper.make_tensor_value_info("y", kind, None)]
    graph = helper.make_graph([helper.make_node("Identity", ["k"], ["y"])], "g", given, made)
    model = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), model)
    bindings = Bindings(dims={"n": 4}, binds={"k": text})

    bound = bound_arrays(model, Bindings.from_text(bindings.as_text()))

    got = run_reference(model, {"x": np.zeros(4, np.float32)}, bound, ["y"])
    assert got["y"].tolist() == wanted
