"""A model and its files, packed and unpacked."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from dovetail.ir import load_model
from dovetail.ir.parcel import pack_model, unpack_model
from dovetail.plan import ModelError

MODEL = """
<ir_version: 8, opset_import: ["": 17]>
scaled (float[2, 300] x) => (float[2, 300] y) { [scale] y = Mul(x, w) }
"""


@pytest.fixture
def external(tmp_path: Path) -> Path:
    """A model with its weight in a file of a folder beside it."""
    model = onnx.parser.parse_model(MODEL)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.full(300, 2.5, np.float32), "w"))
    path = tmp_path / "given" / "scaled.onnx"
    (path.parent / "weights").mkdir(parents=True)
    onnx.save(model, path, save_as_external_data=True, location="weights/w.bin", size_threshold=0)
    return path


def test_model_with_external_data_loads_where_it_is_unpacked(external: Path, tmp_path: Path) -> None:
    files = pack_model(external)
    assert list(files) == ["scaled.onnx", "weights/w.bin"]

    unpack_model(files, tmp_path / "there")
    tensor = load_model(tmp_path / "there" / "scaled.onnx").initializers["w"].const_value
    assert tensor is not None
    assert (tensor.numpy() == 2.5).all()


def test_missing_external_data_is_told_before_anything_is_sent(external: Path) -> None:
    (external.parent / "weights" / "w.bin").unlink()
    with pytest.raises(ModelError, match=r"w\.bin' is missing in"):
        pack_model(external)


def test_too_many_bytes_are_refused(external: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dovetail.ir.parcel.LARGEST_PARCEL", external.stat().st_size + 1199)
    with pytest.raises(ModelError, match=r"^model 'scaled': has more than .* use --engine local$"):
        pack_model(external)
    monkeypatch.setattr("dovetail.ir.parcel.LARGEST_PARCEL", external.stat().st_size + 1200)
    assert len(pack_model(external)["weights/w.bin"]) == 1200


def test_path_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds '\.\.'"):
        unpack_model({"../out.onnx": b""}, tmp_path / "there")
    assert not (tmp_path / "out.onnx").exists()
