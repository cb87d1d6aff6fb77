"""One file for the constants of many models: each once, aligned, with the right bytes."""

import itertools
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import onnx_ir
import pytest
from onnx import TensorProto, external_data_helper, numpy_helper
from tests.conftest import Array, model_from_text

from dovetail.ir import WeightsFile, load_model


def value_of(array: Array, dtype: onnx_ir.DataType | None = None, name: str = "w") -> onnx_ir.Value:
    return onnx_ir.Value(name=name, const_value=onnx_ir.Tensor(array, dtype=dtype, name=name))


def place(proto: TensorProto) -> tuple[int, int]:
    entries = {entry.key: entry.value for entry in proto.external_data}
    return int(entries["offset"]), int(entries["length"])


def read_back(proto: TensorProto, folder: Path) -> Array:
    external_data_helper.load_external_data_for_tensor(proto, str(folder))
    proto.data_location = TensorProto.DEFAULT
    return numpy_helper.to_array(proto)


CASES = {
    "float32": np.arange(1000, dtype=np.float32).reshape(10, 100),
    "float64": np.linspace(0, 1, 500),
    "float16": np.arange(1000, dtype=np.float16),
    "bfloat16": np.arange(1000).astype(ml_dtypes.bfloat16),
    "bool": np.arange(2000) % 3 == 0,
    "int8": np.arange(2000).astype(np.int8),
    "uint64": np.arange(500, dtype=np.uint64) << np.uint64(40),
    "int4": (np.arange(4001) % 16 - 8).astype(ml_dtypes.int4),
    "uint4": (np.arange(4000) % 16).astype(ml_dtypes.uint4),
    "float8": (np.arange(2000) % 100).astype(ml_dtypes.float8_e4m3fn),
    "complex64": np.arange(500).astype(np.complex64) * np.complex64(1j),
    "not contiguous": np.arange(4000, dtype=np.float32).reshape(40, 100).T,
}


@pytest.mark.parametrize("name", CASES)
def test_bytes(name: str, tmp_path: Path) -> None:
    array = CASES[name]
    weights = WeightsFile(tmp_path / "weights.bin")
    proto = weights.reference(value_of(array))
    weights.close()
    assert proto.data_location == TensorProto.EXTERNAL
    assert list(proto.dims) == list(array.shape)
    offset, length = place(proto)
    assert offset + length <= (tmp_path / "weights.bin").stat().st_size
    np.testing.assert_array_equal(read_back(proto, tmp_path), array)


@pytest.mark.parametrize(
    "array", [np.float32(3), np.zeros((0, 4), np.float32), np.arange(8, dtype=np.int64)], ids=["0-d", "empty", "small"]
)
def test_small_ones_stay_inside(array: Array, tmp_path: Path) -> None:
    weights = WeightsFile(tmp_path / "weights.bin")
    proto = weights.reference(value_of(np.asarray(array)))
    weights.close()
    assert proto.data_location == TensorProto.DEFAULT
    np.testing.assert_array_equal(numpy_helper.to_array(proto), array)
    assert not (tmp_path / "weights.bin").exists(), "a file that nothing is in is not made"


def test_strings_stay_inside(tmp_path: Path) -> None:
    weights = WeightsFile(tmp_path / "weights.bin")
    value = onnx_ir.Value(name="s", const_value=onnx_ir.StringTensor([b"word"] * 1000, shape=onnx_ir.Shape([1000])))
    proto = weights.reference(value)
    weights.close()
    assert proto.data_location == TensorProto.DEFAULT
    assert list(proto.string_data) == [b"word"] * 1000


def test_each_once_and_aligned(tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    weights = WeightsFile(path)
    small, large = value_of(np.ones(300, np.float32), name="a"), value_of(np.ones(5001, np.float32), name="b")
    first = [weights.reference(value) for value in (small, large, small, large)]
    again = value_of(np.zeros(300, np.float32), name="c")
    last = weights.reference(again)
    weights.close()
    assert place(first[0]) == place(first[2])
    assert place(first[1]) == place(first[3])
    places = sorted({place(proto) for proto in (*first, last)})
    assert len(places) == 3
    for (offset, length), (following, _) in itertools.pairwise(places):
        assert offset + length <= following
    assert all(offset % (4096 if length >= 4096 else 64) == 0 for offset, length in places)
    assert path.stat().st_size == sum(places[-1])


def test_two_names_for_one_tensor(tmp_path: Path) -> None:
    weights = WeightsFile(tmp_path / "weights.bin")
    tensor = onnx_ir.Tensor(np.ones(1000, np.float32))
    protos = [weights.reference(onnx_ir.Value(name=name, const_value=tensor)) for name in ("a", "b")]
    weights.close()
    assert [proto.name for proto in protos] == ["a", "b"]
    assert place(protos[0]) == place(protos[1])


def test_the_file_must_be_new(tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    path.write_bytes(b"precious")
    weights = WeightsFile(path)
    with pytest.raises(FileExistsError):
        weights.reference(value_of(np.ones(1000, np.float32)))
    assert path.read_bytes() == b"precious"


def test_constant_of_a_file(tmp_path: Path) -> None:
    """From raw bytes in a model to raw bytes in the file, without a change."""
    model = model_from_text("g (float[1000] x) => (float[1000] y) { y = Add(x, w) }")
    array = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(array, "w"))
    graph = load_model(model)
    weights = WeightsFile(tmp_path / "weights.bin")
    proto = weights.reference(graph.initializers["w"])
    weights.close()
    assert isinstance(proto, onnx.TensorProto)
    assert (tmp_path / "weights.bin").read_bytes() == array.tobytes()
