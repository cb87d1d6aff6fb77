"""Sparse tensors become dense with the right values, or are refused by name."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from onnx import ModelProto, SparseTensorProto, TensorProto, helper, numpy_helper

from dovetail.ir.door import open_model
from dovetail.plan.errors import ModelError


def sparse_of(values: npt.ArrayLike, indices: npt.ArrayLike, dims: list[int], name: str = "w") -> SparseTensorProto:
    sparse = SparseTensorProto(dims=dims)
    sparse.values.CopyFrom(numpy_helper.from_array(np.asarray(values, np.float32), name))
    sparse.indices.CopyFrom(numpy_helper.from_array(np.asarray(indices, np.int64), "i"))
    return sparse


def as_initializer(sparse: SparseTensorProto) -> ModelProto:
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [info[0]], [info[1]])
    graph.sparse_initializer.append(sparse)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def as_constant(sparse: SparseTensorProto) -> ModelProto:
    node = helper.make_node("Constant", [], ["y"], name="const", sparse_value=sparse)
    graph = helper.make_graph([node], "g", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def dense_of(sparse: SparseTensorProto) -> np.ndarray:
    """The dense form, the same as an initializer and as a constant."""
    graph = open_model(as_initializer(sparse)).proto.graph
    assert not graph.sparse_initializer
    (initializer,) = graph.initializer
    assert initializer.name == "w"
    (attribute,) = open_model(as_constant(sparse)).proto.graph.node[0].attribute
    assert attribute.name == "value"
    array = numpy_helper.to_array(initializer)
    np.testing.assert_array_equal(array, numpy_helper.to_array(attribute.t))
    return array


def refusal(model: ModelProto) -> str:
    with pytest.raises(ModelError) as caught:
        open_model(model)
    text = str(caught.value)
    assert "\n" not in text
    return text


@settings(deadline=None, max_examples=50)
@given(array=hnp.arrays(np.float32, hnp.array_shapes(max_dims=4, max_side=4), elements=st.sampled_from([0, 1, 2])))
def test_values_land_where_they_belong(array: np.ndarray) -> None:
    rows = np.argwhere(array)
    values = array[array != 0]
    flat = np.flatnonzero(array)
    dims = list(array.shape)
    np.testing.assert_array_equal(dense_of(sparse_of(values, flat, dims)), array)
    np.testing.assert_array_equal(dense_of(sparse_of(values, rows, dims)), array)


@pytest.mark.parametrize(
    ("sparse", "words"),
    [
        (sparse_of([1], [9], [3, 3]), "inside dims [3, 3]"),
        (sparse_of([1], [-1], [3, 3]), "inside dims [3, 3]"),
        (sparse_of([1], [[0, 3]], [3, 3]), "inside dims [3, 3]"),
        (sparse_of([1], [[0, 0, 0]], [3, 3]), "inside dims [3, 3]"),
        (sparse_of([1], [0], []), "inside dims []"),
        (sparse_of([1], [0], [0]), "inside dims [0]"),
        (sparse_of([1, 2], [1, 1], [3]), "twice"),
        (sparse_of([1, 2], [[0, 1], [0, 1]], [3, 3]), "twice"),
        (sparse_of([1, 2], [1], [3]), "has [2] values for 1 positions"),
        (sparse_of([[1]], [1], [3]), "has [1, 1] values"),
        (sparse_of([1], [[[1]]], [3]), "rank 1 or 2"),
        (sparse_of([1], [1], [-3]), "got -3"),
        (sparse_of([1], [1], [1] * 65), "rank 65"),
        (sparse_of([1], [1], [2**30, 2**20]), "bytes when made dense"),
        (sparse_of([1], [1], [2**24 + 1]), "bytes when made dense"),
    ],
)
def test_sparse_tensors_that_are_refused(sparse: SparseTensorProto, words: str) -> None:
    assert words in refusal(as_initializer(sparse))
    text = refusal(as_constant(sparse))
    assert words in text
    assert "node 'const' (Constant)" in text


def test_the_budget_is_for_all_together() -> None:
    half = 2**23 + 1
    model = as_initializer(sparse_of([1], [1], [half]))
    open_model(model)
    model.graph.sparse_initializer.append(sparse_of([1], [1], [half], "v"))
    assert "bytes when made dense" in refusal(model)


def test_values_and_indices_are_tensors_like_all_others() -> None:
    cut = sparse_of([1], [1], [3])
    cut.values.raw_data = b"\0"
    assert "raw_data has 1 bytes" in refusal(as_initializer(cut))
    assert "raw_data has 1 bytes" in refusal(as_constant(cut))
    wrong = sparse_of([1], [1], [3])
    wrong.indices.CopyFrom(numpy_helper.from_array(np.array([1], np.int32)))
    assert "int64" in refusal(as_initializer(wrong))
    nameless = sparse_of([1], [1], [3], "")
    assert "has no name" in refusal(as_initializer(nameless))


def test_other_sparse_attributes_are_refused() -> None:
    model = as_constant(sparse_of([1], [1], [3]))
    model.graph.node[0].domain = "custom"
    model.opset_import.add(domain="custom", version=1)
    assert "only supported in Constant" in refusal(model)


def test_a_sparse_initializer_defines_its_value_once() -> None:
    model = as_initializer(sparse_of([1], [1], [3]))
    model.graph.initializer.append(numpy_helper.from_array(np.ones(3, np.float32), "w"))
    assert "is defined twice" in refusal(model)


def test_external_values_are_read(tmp_path: Path) -> None:
    values = np.array([5, 7], np.float32)
    (tmp_path / "w.bin").write_bytes(b"\0" * 4 + values.tobytes())
    sparse = sparse_of(values, [0, 2], [3])
    sparse.values.ClearField("raw_data")
    sparse.values.data_location = TensorProto.EXTERNAL
    for key, value in {"location": "w.bin", "offset": "4", "length": "8"}.items():
        sparse.values.external_data.add(key=key, value=value)
    path = tmp_path / "model.onnx"
    path.write_bytes(as_initializer(sparse).SerializeToString())
    array = numpy_helper.to_array(open_model(path).proto.graph.initializer[0])
    np.testing.assert_array_equal(array, [5, 0, 7])
