"""A folder of files that are not what their names say, beside a model and plans that are."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnx.parser

from dovetail.compiler import CompileOptions, compile_model

MODEL = """
<ir_version: 8, opset_import: ["": 17]>
tiny (float[batch, 2] x, float limit) => (float[batch, 2] y) {
    [relu] hidden = Relu(x)
    [scale] y = Mul(hidden, limit)
}
"""
HEADER = '<ir_version: 8, opset_import: ["": 17]>\n'
MODELS = {
    "dangling": "g (float[2] x) => (float[2] y) { [add] y = Add(x, nowhere) }",
    "cycle": "g (float[2] x) => (float[2] y) { [one] a = Add(x, b) [two] b = Relu(a) [three] y = Relu(b) }",
    "same_value": "g (float[2] x) => (float[2] y) { [one] y = Relu(x) [two] y = Neg(x) }",
    "unknown_operator": "g (float[2] x) => (float[2] y) { [odd] y = Relux(x) }",
    "unknown_domain": "g (float[2] x) => (float[2] y) { [odd] y = my.own.Relu(x) }",
    "wrong_sizes": "g (float[2, 3] a, float[4, 5] b) => (float[2, 5] y) { [mm] y = MatMul(a, b) }",
    "wrong_type": "g (float[2] a, float[2] b) => (bool[2] y) { [both] y = And(a, b) }",
    "wrong_attribute": "g (float[1, 1, 4, 4] x) => (float y) { [pool] y = MaxPool<kernel_shape = [0, 2]>(x) }",
}
"""Models that parse and can't be used."""


def make_folder(folder: Path) -> None:
    """Fill an empty folder."""
    model = onnx.parser.parse_model(MODEL)
    onnx.save(model, folder / "model.onnx")
    for name, text in MODELS.items():
        onnx.save(onnx.parser.parse_model(HEADER + text), folder / f"{name}.onnx")
    _files_that_are_no_models(folder, model.SerializeToString())
    _external_data(folder)
    _targets(folder)
    _arrays(folder)
    _plans(folder)
    _special_files(folder)


def _files_that_are_no_models(folder: Path, data: bytes) -> None:
    (folder / "empty.onnx").touch()
    (folder / "noise.onnx").write_bytes(np.random.default_rng(0).bytes(4096))
    (folder / "cut.onnx").write_bytes(data[: len(data) // 2])
    (folder / "text.onnx").write_text("This is no model.\n" * 50)
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    (folder / "folder.onnx").mkdir()
    (folder / "broken.json").write_text('{"costs": ')
    (folder / "other.json").write_text('{"a": 1}')


def _external_data(folder: Path) -> None:
    for name, location in (("no_weights", "none.bin"), ("outside", "../secret.bin"), ("short_weights", "short.bin")):
        weights = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[64])
        weights.data_location = onnx.TensorProto.EXTERNAL
        weights.external_data.add(key="location", value=location)
        model = onnx.parser.parse_model(HEADER + "g (float[64] x) => (float[64] y) { [add] y = Add(x, w) }")
        model.graph.initializer.append(weights)
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
    (folder / "short.bin").write_bytes(bytes(16))


def _targets(folder: Path) -> None:
    (folder / "syntax.yaml").write_text("name: mine\n  devices: [\n")
    (folder / "field.yaml").write_text("name: mine\nextends: cpu-only\nvendr: X\n")
    (folder / "list.yaml").write_text("- a\n- b\n")
    (folder / "alias.yaml").write_text("name: &a mine\nsummary: *a\n")
    (folder / "latin.yaml").write_bytes("name: größer\n".encode("latin-1"))
    (folder / "base.yaml").write_text("name: mine\nextends: arm-ethos-u58\n")
    (folder / "deep.yaml").write_text("a: " + "[" * 5000)
    (folder / "overlay.yaml").write_text("overlay: 1\ntarget: cpu-only:host\ndevice: npu\nsource: me\nanswers: 7\n")


def _arrays(folder: Path) -> None:
    np.save(folder / "x.npy", np.zeros((1, 2), np.float32))
    np.save(folder / "limit.npy", np.float32(1))
    np.save(folder / "rank.npy", np.zeros(2, np.float32))
    np.save(folder / "type.npy", np.zeros((1, 2), np.int64))
    np.save(folder / "size.npy", np.zeros((1, 3), np.float32))
    np.save(folder / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.savez(folder / "x.npz", x=np.zeros((1, 2), np.float32))
    (folder / "cut.npz").write_bytes((folder / "x.npz").read_bytes()[:100])


def _plans(folder: Path) -> None:
    compile_model(folder / "model.onnx", "cpu-only").save(folder / "model.plan")
    compile_model(folder / "model.onnx", "cpu-only", CompileOptions(dims={"batch": 1})).save(folder / "fixed.plan")
    (folder / "bare.plan").mkdir()
    (folder / "full.plan").mkdir()
    (folder / "full.plan/notes.txt").touch()
    for name in ("lost", "changed", "added", "edited", "newer", "older", "list", "binary", "escaping"):
        shutil.copytree(folder / "model.plan", folder / f"{name}.plan")
    (payload,) = (folder / "lost.plan/partitions").glob("*.onnx")
    payload.unlink()
    (folder / "changed.plan/partitions" / payload.name).write_bytes(b"something else")
    (folder / "added.plan/partitions/more.bin").write_bytes(b"more")
    _edit(folder / "edited.plan", {"target": "another"}, sign=False)
    _edit(folder / "newer.plan", {"schema_version": 99})
    _edit(folder / "older.plan", {"schema_version": 0})
    _edit(folder / "escaping.plan", {"files": {"../model.onnx": "0" * 64}})
    _sign(folder / "list.plan", b"[]")
    _sign(folder / "binary.plan", b"\xff\xfe")


def _edit(plan: Path, changes: dict[str, object], sign: bool = True) -> None:
    document = json.loads((plan / "plan.json").read_text()) | changes
    data = json.dumps(document).encode()
    if sign:
        _sign(plan, data)
    else:
        (plan / "plan.json").write_bytes(data)


def _sign(plan: Path, data: bytes) -> None:
    (plan / "plan.json").write_bytes(data)
    (plan / "plan.json.sha256").write_text(f"{hashlib.sha256(data).hexdigest()}  plan.json\n")


def _special_files(folder: Path) -> None:
    (folder / "loop.onnx").symlink_to("loop.onnx")
    (folder / "gone.onnx").symlink_to("nowhere.onnx")
    os.mkfifo(folder / "pipe.onnx")
    (folder / "piped.plan").mkdir()
    os.mkfifo(folder / "piped.plan/plan.json")
