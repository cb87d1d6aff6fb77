"""What a device's compiler made of a partition, in the plan's folder and in the runtime."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import pytest
from onnx import helper
from tests.conftest import model_from_text

from dovetail.compiler import Compilation, CompileOptions, compile_model
from dovetail.lowering.canonical import neutral_names
from dovetail.plan import PlanError, read_plan
from dovetail.runtime import Executor

THREE: Final = str(Path(__file__).parents[1] / "data" / "three-cpus.yaml")
MODEL: Final = """
g (float[2] x, float[2] k) => (float[2] y) { [first] a = Sub(x, k)  [second] b = Neg(a)  [third] y = Sub(b, k) }
"""
TWICE: Final = "c (float[2] p, float[2] q) => (float[2] r) { d = Sub(p, q)  r = Add(d, d) }"
"""Not what the partition computes: so that a test can tell which of the two files ran."""


def placed() -> Compilation:
    options = CompileOptions(place=(("second", "cpu"),), solver="greedy")
    return compile_model(model_from_text(MODEL).SerializeToString(), THREE, options)


def with_compiled(compilation: Compilation, made: Path) -> Compilation:
    """The compilation whose first partition was compiled into a folder."""
    first, *pieces = compilation.pieces
    partition, *partitions = compilation.plan.partitions
    assert first.nodes == ("first",)
    plan = replace(compilation.plan, partitions=(replace(partition, compiled_file=first.compiled_file), *partitions))
    return replace(compilation, plan=plan, pieces=(replace(first, compiled=made), *pieces))


def write(model: onnx.ModelProto, folder: Path) -> Path:
    folder.mkdir()
    onnx.save(model, folder / "model.onnx")
    return folder


def context_model(binary: str) -> onnx.ModelProto:
    """A model as providers write it: one node that refers to a binary beside it."""
    ends = [helper.make_tensor_value_info(f"_dv{number}", 1, [2]) for number in range(3)]
    attributes: dict[str, Any] = {"embed_mode": 0, "ep_cache_context": binary, "notes": "model_fake.bin"}
    node = helper.make_node("EPContext", ["_dv0", "_dv1"], ["_dv2"], "graph", "words", "com.microsoft", **attributes)
    graph = helper.make_graph([node], "graph", ends[:2], ends[2:])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def test_a_compiled_model_has_the_partitions_names_and_its_binary_beside_it(tmp_path: Path) -> None:
    made = write(context_model("model_fake.bin"), tmp_path / "made")
    (made / "model_fake.bin").write_bytes(b"binary")
    compilation = with_compiled(placed(), made)
    plan = compilation.save(tmp_path / "p.plan")
    name = compilation.pieces[0].id
    model = onnx.load(plan / compilation.pieces[0].compiled_file, load_external_data=False)
    assert [value.name for value in model.graph.input] == ["x", "k"]
    assert [value.name for value in model.graph.output] == ["a"]
    (node,) = model.graph.node
    assert (list(node.input), list(node.output)) == (["x", "k"], ["a"])
    attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    assert attributes["ep_cache_context"] == f"{name}.model_fake.bin".encode()
    assert attributes["notes"] == b"model_fake.bin"
    assert (plan / "partitions" / f"{name}.model_fake.bin").read_bytes() == b"binary"
    assert onnx.load(made / "model.onnx") == context_model("model_fake.bin")  # the cache's own is left alone


def test_compiled_files_have_digests(tmp_path: Path) -> None:
    made = write(context_model("model_fake.bin"), tmp_path / "made")
    (made / "model_fake.bin").write_bytes(b"binary")
    compilation = with_compiled(placed(), made)
    plan = compilation.save(tmp_path / "p.plan")
    binary = f"partitions/{compilation.pieces[0].id}.model_fake.bin"
    digests = json.loads((plan / "plan.json").read_text())["files"]
    assert digests[binary] == hashlib.sha256(b"binary").hexdigest()
    assert compilation.pieces[0].compiled_file in digests
    (plan / binary).write_bytes(b"Binary")
    with pytest.raises(PlanError, match=r"model_fake\.bin"):
        read_plan(plan)


@pytest.mark.parametrize(
    "context",
    ["", "not-there.bin", "../secret.bin", "\0" * 10, "x" * 5000],
    ids=["none", "missing", "outside", "bytes", "long"],
)
def test_a_context_that_is_no_file_stays_as_it_is(context: str, tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(b"not of this partition")
    made = write(context_model(context), tmp_path / "made")
    compilation = with_compiled(placed(), made)
    plan = compilation.save(tmp_path / "p.plan")
    (node,) = onnx.load(plan / compilation.pieces[0].compiled_file, load_external_data=False).graph.node
    attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    assert attributes["ep_cache_context"] == context.encode()
    assert not [path for path in plan.rglob("*.bin") if path.name != "weights.bin"]


def feeds() -> dict[str, np.ndarray[tuple[int], np.dtype[np.float32]]]:
    return {"x": np.array([5, 7], np.float32), "k": np.array([1, 2], np.float32)}


def test_the_runtime_runs_the_compiled_form(tmp_path: Path) -> None:
    compilation = with_compiled(placed(), write(neutral_names(model_from_text(TWICE)), tmp_path / "made"))
    plan = compilation.save(tmp_path / "p.plan")
    assert replace(read_plan(plan), files={}) == compilation.plan
    with Executor(plan) as executor:
        assert executor.run(feeds())["y"].tolist() == [-9, -12]  # -(2 (x - k)) - k
        assert not executor.events


def test_a_compiled_form_that_does_not_load_is_compiled_again(tmp_path: Path) -> None:
    made = write(context_model("model_fake.bin"), tmp_path / "made")
    (made / "model_fake.bin").write_bytes(b"of another version")
    plan = with_compiled(placed(), made).save(tmp_path / "p.plan")
    with Executor(plan) as executor:
        assert executor.run(feeds())["y"].tolist() == [-5, -7]
        assert set(executor.placement.values()) == {"npu", "cpu"}


def test_a_device_that_falls_back_runs_the_partition_as_it_was(tmp_path: Path) -> None:
    """A compiled form is for its own device: no other one can load it."""
    compilation = with_compiled(placed(), write(neutral_names(model_from_text(TWICE)), tmp_path / "made"))
    devices = tuple(
        replace(device, backend=replace(device.backend, provider="NobodyExecutionProvider"))
        if device.id == "npu" and device.backend is not None
        else device
        for device in compilation.plan.devices
    )
    plan = replace(compilation, plan=replace(compilation.plan, devices=devices)).save(tmp_path / "p.plan")
    with Executor(plan) as executor:
        assert executor.run(feeds())["y"].tolist() == [-5, -7]
        assert "npu" not in executor.placement.values()
