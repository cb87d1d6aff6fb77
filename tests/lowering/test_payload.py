"""Partitions as files: stand-alone models over one weights file, and the model that emulates float16."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from dovetail.compiler import CompileOptions, compile_model
from dovetail.runtime import Executor

ROOT = Path(__file__).resolve().parents[2]
THREE = str(ROOT / "tests" / "data" / "three-cpus.yaml")


def shared_weight_model() -> bytes:
    """Two Gemms that read one weight, with a Relu between them."""
    weight = numpy_helper.from_array(np.arange(64 * 64, dtype=np.float32).reshape(64, 64) / 4096, "w")
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["a"], "first"),
        helper.make_node("Relu", ["a"], ["b"], "middle"),
        helper.make_node("Gemm", ["b", "w"], ["y"], "second"),
    ]
    specs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 64]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "shared", specs[:1], specs[1:], [weight])
    return bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    )


def test_a_constant_of_two_partitions_is_written_once(tmp_path: Path) -> None:
    options = CompileOptions(place=(("middle", "cpu"),), solver="greedy")
    plan = compile_model(shared_weight_model(), THREE, options).save(tmp_path / "p.plan")
    models = [onnx.load(path, load_external_data=False) for path in sorted((plan / "partitions").glob("*.onnx"))]
    places = [
        {entry.key: entry.value for entry in tensor.external_data}
        for model in models
        for tensor in model.graph.initializer
    ]
    assert len(models) == 3
    assert len(places) == 2
    assert places[0] == places[1]
    assert places[0]["location"] == "weights.bin"
    assert int(places[0]["offset"]) % 4096 == 0
    assert (plan / "partitions" / "weights.bin").stat().st_size == 64 * 64 * 4


def test_every_partition_is_a_valid_model(tmp_path: Path) -> None:
    for sample in ("control_flow", "ssd_detector", "digits_qdq"):
        plan = compile_model(ROOT / "sample_models" / f"{sample}.onnx", "qualcomm-hexagon-htp").save(tmp_path / sample)
        for path in sorted((plan / "partitions").glob("*.onnx")):
            onnx.checker.check_model(str(path), full_check=True)


def test_the_emulated_model_rounds_every_float_to_half(tmp_path: Path) -> None:
    nodes = [helper.make_node("Mul", ["x", "k"], ["m"], "mul"), helper.make_node("Add", ["m", "x"], ["y"], "add")]
    specs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [5]) for name in ("x", "y")]
    factor = numpy_helper.from_array(np.array([1.0003], np.float32), "k")
    graph = helper.make_graph(nodes, "g", specs[:1], specs[1:], [factor])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    plan = compile_model(model, "qualcomm-hexagon-htp", CompileOptions(solver="greedy")).save(tmp_path / "p.plan")
    x = np.array([0.1, 3.14159, -70000.0, 1e-9, 2049.0], np.float32)
    with Executor(plan, emulate=True) as executor:
        got = executor.run({"x": x})["y"]
        assert set(executor.placement.values()) == {"npu (emulated fp16)"}
    with np.errstate(over="ignore"):
        half = x.astype(np.float16).astype(np.float32)
        product = (half * np.float32(np.float16(1.0003))).astype(np.float16).astype(np.float32)
        wanted = (product + half).astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(got, wanted)
    assert np.abs(wanted[1] - x[1] * 2.0003) > 1e-4  # or the test could not tell


def test_an_integer_group_is_emulated_as_it_is(tmp_path: Path) -> None:
    """Between QuantizeLinear and DequantizeLinear the NPU computes in integers; nothing there is rounded to half."""
    source = ROOT / "sample_models" / "digits_qdq.onnx"
    plan = compile_model(source, "qualcomm-hexagon-htp", CompileOptions(solver="greedy")).save(tmp_path / "p.plan")
    image = np.load(ROOT / "sample_models" / "inputs" / "digit.npy")
    with Executor(plan, emulate=True) as executor:
        got = executor.run({"image": image})["logits"]
    whole = ort.InferenceSession(source, providers=["CPUExecutionProvider"])
    (wanted,) = whole.run(None, {"image": image})
    np.testing.assert_allclose(got, wanted, atol=4e-3)
