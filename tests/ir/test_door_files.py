"""Files: what is opened at all, and that nothing outside the model's folder ever is."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_ir
import pytest
from onnx import TensorProto, helper, numpy_helper

from dovetail.ir.door import attach_base_dir, external_tensors, open_model
from dovetail.plan.errors import ModelError

SECRET = b"\x01\x02\x03\x04" * 3
MODELS = Path(os.environ.get("DOVETAIL_MODELS", Path(__file__).parents[3] / "shared" / "models"))

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs links and pipes of POSIX")


def external(location: str | None, dims: tuple[int, ...] = (3,), **keys: str) -> TensorProto:
    tensor = TensorProto(name="w", dims=dims, data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    for key, value in ({} if location is None else {"location": location}).items() | keys.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def add_model(tensor: TensorProto) -> onnx.ModelProto:
    """y = x + w, with the tensor as initializer w."""
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [info[0]], [info[1]], [tensor])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def in_attribute(tensor: TensorProto) -> onnx.ModelProto:
    model = add_model(numpy_helper.from_array(np.ones(3, np.float32), "unused"))
    model.graph.node.insert(0, helper.make_node("Constant", [], ["w"], value=tensor))
    return model


def in_body(tensor: TensorProto) -> onnx.ModelProto:
    """The tensor is an initializer of a branch of an If."""
    output = helper.make_tensor_value_info("b", TensorProto.FLOAT, None)
    branch = helper.make_graph([helper.make_node("Add", ["x", "w"], ["b"])], "branch", [], [output], [tensor])
    model = add_model(numpy_helper.from_array(np.ones(3, np.float32), "unused"))
    model.graph.node[0].CopyFrom(helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch))
    model.graph.input.append(helper.make_tensor_value_info("c", TensorProto.BOOL, []))
    return model


def in_function(tensor: TensorProto) -> onnx.ModelProto:
    nodes = [helper.make_node("Constant", [], ["w"], value=tensor), helper.make_node("Add", ["a", "w"], ["b"])]
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    function = helper.make_function("local", "F", ["a"], ["b"], nodes, imports)
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    node = helper.make_node("F", ["x"], ["y"], domain="local")
    graph = helper.make_graph([node], "g", [info[0]], [info[1]])
    return helper.make_model(graph, functions=[function], opset_imports=imports, ir_version=8)


def in_body_of_function(tensor: TensorProto) -> onnx.ModelProto:
    model = in_function(numpy_helper.from_array(np.ones(3, np.float32), "w"))
    output = helper.make_tensor_value_info("r", TensorProto.FLOAT, None)
    branch = helper.make_graph([helper.make_node("Constant", [], ["r"], value=tensor)], "branch", [], [output])
    body = model.functions[0].node
    body.insert(0, helper.make_node("If", ["c"], ["i"], then_branch=branch, else_branch=branch))
    true = numpy_helper.from_array(np.array(True), "t")
    body.insert(0, helper.make_node("Constant", [], ["c"], value=true))
    return model


def in_sparse(tensor: TensorProto) -> onnx.ModelProto:
    model = add_model(numpy_helper.from_array(np.ones(3, np.float32), "unused"))
    sparse = model.graph.sparse_initializer.add(dims=[3])
    sparse.values.CopyFrom(tensor)
    sparse.indices.CopyFrom(numpy_helper.from_array(np.arange(3), "i"))
    return model


def in_training_info(tensor: TensorProto) -> onnx.ModelProto:
    model = add_model(numpy_helper.from_array(np.ones(3, np.float32), "w"))
    model.training_info.add().algorithm.initializer.append(tensor)
    return model


PLACES = [add_model, in_attribute, in_body, in_function, in_body_of_function, in_sparse, in_training_info]
Place = Callable[[TensorProto], onnx.ModelProto]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for models, with a secret beside it."""
    (tmp_path / "secret.bin").write_bytes(SECRET)
    inside = tmp_path / "models"
    inside.mkdir()
    return inside


def save(folder: Path, model: onnx.ModelProto) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def refusal(source: str | Path | bytes | onnx.ModelProto) -> str:
    with pytest.raises(ModelError) as caught:
        open_model(source)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("place", PLACES)
def test_external_data_in_the_folder_is_accepted_everywhere(folder: Path, place: Place) -> None:
    (folder / "w.bin").write_bytes(np.arange(1, 4, dtype=np.float32).tobytes())
    path = save(folder, place(external("w.bin", offset="0", length="12")))
    result = open_model(path)
    assert result.base_dir == folder
    model = onnx_ir.from_proto(result.proto)
    attach_base_dir(model, folder)
    for tensor in external_tensors(model):
        assert tensor.base_dir == folder
        np.testing.assert_array_equal(tensor.numpy(), [1, 2, 3])
    stored_inside = (in_sparse, in_training_info)
    assert bool(list(external_tensors(model))) == (place not in stored_inside)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("../secret.bin", "'..'"),
        ("sub/../../secret.bin", "'..'"),
        ("{secret}", "is absolute"),
        ("file://{secret}", "is a URL"),
        ("..\\secret.bin", "backslash"),
        ("C:secret.bin", "drive"),
        ("w.bin\0.txt", "NUL"),
        ("*/_ORT_MEM_ADDR_/*", "memory"),
        ("", "names no file"),
        (".", "names no file"),
        ("missing.bin", "missing"),
        ("folder", "folder"),
    ],
)
def test_locations_that_could_leave_the_folder(folder: Path, place: Place, location: str, words: str) -> None:
    (folder / "folder").mkdir()
    (folder / "w.bin").write_bytes(SECRET)
    path = save(folder, place(external(location.format(secret=folder.parent / "secret.bin"))))
    assert words in refusal(path)


@posix
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", ["link", "link in folder", "linked folder", "hard link", "pipe"])
def test_links_and_pipes(folder: Path, place: Place, kind: str) -> None:
    secret = folder.parent / "secret.bin"
    location = "w.bin"
    match kind:
        case "link":
            (folder / "w.bin").symlink_to(secret)
        case "link in folder":
            (folder / "real.bin").write_bytes(SECRET)
            (folder / "w.bin").symlink_to("real.bin")
        case "linked folder":
            (folder / "sub").symlink_to(folder.parent, target_is_directory=True)
            location = "sub/secret.bin"
        case "hard link":
            (folder / "w.bin").hardlink_to(secret)
        case "pipe":
            os.mkfifo(folder / "w.bin")
    assert location in refusal(save(folder, place(external(location))))


@pytest.mark.parametrize("place", PLACES)
def test_bare_file_name_from_inside_the_folder(folder: Path, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    save(folder, place(external("../secret.bin")))
    monkeypatch.chdir(folder)
    assert "'..'" in refusal("model.onnx")


def test_bare_file_name_gives_an_absolute_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "w.bin").write_bytes(SECRET)
    save(folder, in_function(external("w.bin")))
    monkeypatch.chdir(folder)
    result = open_model("model.onnx")
    assert result.base_dir == folder
    model = onnx_ir.from_proto(result.proto)
    attach_base_dir(model, folder)
    monkeypatch.chdir(folder.parent)
    assert [tensor.tobytes() for tensor in external_tensors(model)] == [SECRET]


def test_relative_folder_is_a_bug_of_the_caller(folder: Path) -> None:
    model = onnx_ir.from_proto(add_model(external("w.bin")))
    with pytest.raises(ValueError, match="absolute"):
        attach_base_dir(model, Path("models"))


@pytest.mark.parametrize("place", PLACES)
def test_models_from_memory_have_no_folder(place: Place) -> None:
    model = place(external("w.bin"))
    assert "no folder" in refusal(model)
    assert "no folder" in refusal(model.SerializeToString())


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"offset": "-4"}, "decimal"),
        ({"offset": "0x4"}, "decimal"),
        ({"offset": "٤"}, "decimal"),  # int() takes digits of other scripts
        ({"offset": " 4"}, "decimal"),
        ({"offset": "4\n"}, "decimal"),
        ({"offset": "1" * 21}, "decimal"),
        ({"length": ""}, "decimal"),
        ({"length": "8"}, "length 8"),
        ({"length": "16"}, "length 16"),
        ({"offset": "8"}, "ends at byte 20"),
        ({"offset": "9" * 20}, "ends at byte"),
        ({"__class__": "x"}, "unknown key"),
        ({"basepath": "/"}, "unknown key"),
    ],
)
def test_offset_and_length(folder: Path, keys: dict[str, str], words: str) -> None:
    (folder / "w.bin").write_bytes(SECRET + b"\0" * 4)
    assert words in refusal(save(folder, add_model(external("w.bin", (3,), **keys))))


@pytest.mark.parametrize("offset", [0, 4])
def test_slices_up_to_the_end_of_the_file_are_accepted(folder: Path, offset: int) -> None:
    (folder / "w.bin").write_bytes(SECRET + b"\0" * 4)
    open_model(save(folder, add_model(external("w.bin", offset=str(offset)))))


def test_location_must_be_given_once(folder: Path) -> None:
    (folder / "w.bin").write_bytes(SECRET)
    twice = external("w.bin")
    twice.external_data.add(key="location", value="w.bin")
    assert "twice" in refusal(save(folder, add_model(twice)))
    assert "no location" in refusal(save(folder, add_model(external(None, offset="0"))))


def test_external_data_and_values_contradict(folder: Path) -> None:
    (folder / "w.bin").write_bytes(SECRET)
    both = external("w.bin")
    both.raw_data = SECRET
    assert "raw_data" in refusal(save(folder, add_model(both)))
    inline = external("w.bin")
    inline.data_location = TensorProto.DEFAULT
    inline.raw_data = SECRET
    assert "says that it is inside" in refusal(save(folder, add_model(inline)))
    text = external("w.bin")
    text.data_type = TensorProto.STRING
    assert "text" in refusal(save(folder, add_model(text)))


def test_dims_of_10_gb_over_24_bytes(folder: Path) -> None:
    (folder / "w.bin").write_bytes(b"\0" * 24)
    assert "ends at byte 10000000000" in refusal(save(folder, add_model(external("w.bin", (50_000, 50_000)))))


def test_large_external_data_is_not_read(folder: Path) -> None:
    with (folder / "w.bin").open("wb") as file:
        file.truncate(10_000_000_000)
    path = save(folder, add_model(external("w.bin", (50_000, 50_000), length="10000000000")))
    start = time.perf_counter()
    result = open_model(path)
    model = onnx_ir.from_proto(result.proto)
    attach_base_dir(model, folder)
    assert time.perf_counter() - start < 1
    (tensor,) = external_tensors(model)
    assert tensor.nbytes == 10_000_000_000


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08", b"\xff" * 100])
def test_files_that_are_no_models(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    assert "model" in refusal(path)
    assert "model" in refusal(content)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert "missing.onnx" in refusal(tmp_path / "missing.onnx")
    assert "folder" in refusal(tmp_path)
    refusal("a\0b.onnx")


@posix
def test_pipes_and_devices_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    start = time.perf_counter()
    assert "pipe" in refusal(tmp_path / "pipe.onnx")
    assert "device" in refusal("/dev/zero")
    assert time.perf_counter() - start < 1


def test_file_of_2_gib_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "big.onnx"
    with path.open("wb") as file:
        file.truncate(2**31)
    start = time.perf_counter()
    assert "2147483648" in refusal(path)
    assert time.perf_counter() - start < 1


def test_every_truncation_is_refused_or_whole(tmp_path: Path) -> None:
    data = add_model(numpy_helper.from_array(np.ones(3, np.float32), "w")).SerializeToString()
    for size in range(len(data)):
        refusal(data[:size])


def test_result_says_name_and_digest(tmp_path: Path) -> None:
    model = add_model(numpy_helper.from_array(np.ones(3, np.float32), "w"))
    path = save(tmp_path, model)
    from_path, from_bytes, from_proto = open_model(str(path)), open_model(path.read_bytes()), open_model(model)
    assert from_path.name == "model"
    assert from_bytes.name == "g"
    assert from_path.sha256 == from_bytes.sha256 == from_proto.sha256
    assert from_path.proto == model
    assert from_bytes.base_dir is None


@pytest.mark.skipif(not MODELS.is_dir(), reason=f"no real models in {MODELS} (set DOVETAIL_MODELS)")
def test_real_models_are_accepted() -> None:
    paths = sorted(MODELS.rglob("*.onnx"))
    assert paths
    for path in paths:
        result = open_model(path)
        assert len(result.proto.graph.node) == len(onnx.load(path, load_external_data=False).graph.node)
