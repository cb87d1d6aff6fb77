"""The calls of onnxruntime's InferenceSession give what onnxruntime gives."""

from pathlib import Path
from queue import SimpleQueue

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from dovetail.compiler import CompileOptions, compile_model
from dovetail.plan import DovetailError, RunError
from dovetail.runtime import to_array
from dovetail.session import InferenceSession

X = np.array([[-1, 0, 1, 2], [3, -4, 5, -6]], np.float32)
FEEDS = {"x": X, "k": np.array([7])}


def test_run_is_that_of_onnxruntime(model: Path, plan: Path) -> None:
    theirs = ort.InferenceSession(model)
    for ours in (InferenceSession(plan), InferenceSession(str(model), providers=["CPUExecutionProvider"])):
        for names in (None, [], ["y", "z"], ["z", "y"], ["z"], ["z", "z"]):
            for got, wanted in zip(ours.run(names, FEEDS), theirs.run(names, FEEDS), strict=True):
                np.testing.assert_array_equal(got, wanted)


def test_descriptions_are_those_of_onnxruntime(model: Path, plan: Path) -> None:
    theirs = ort.InferenceSession(model)
    ours = InferenceSession(plan)
    for got, wanted in zip(
        (*ours.get_inputs(), *ours.get_outputs()), (*theirs.get_inputs(), *theirs.get_outputs()), strict=True
    ):
        assert (got.name, got.type, got.shape) == (wanted.name, wanted.type, wanted.shape)
    assert ours.get_providers() == ["CPUExecutionProvider"]
    assert ours.end_profiling() == theirs.end_profiling()
    assert ours.events == []


def test_what_a_model_says_of_itself_is_kept(model: Path) -> None:
    proto = onnx.load(model)
    proto.producer_name, proto.domain, proto.model_version, proto.doc_string = "maker", "org.example", 7, "Says what."
    onnx.helper.set_model_props(proto, {"names": "{0: 'cat'}", "stride": "32"})
    onnx.save(proto, model)
    theirs = ort.InferenceSession(model).get_modelmeta()
    ours = InferenceSession(model, providers=["CPUExecutionProvider"]).get_modelmeta()
    for field in ("producer_name", "graph_name", "domain", "description", "version", "custom_metadata_map"):
        assert getattr(ours, field) == getattr(theirs, field)


def test_session_options_are_taken(plan: Path) -> None:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = InferenceSession(plan, options)
    assert session.get_session_options() is options
    np.testing.assert_array_equal(session.run(["y"], FEEDS)[0], np.maximum(X, 0))
    options.enable_profiling = True
    with pytest.raises(RunError, match="enable_profiling"):
        InferenceSession(plan, options)


def test_binding(plan: Path) -> None:
    session = InferenceSession(plan)
    binding = session.io_binding()
    x = ort.OrtValue.ortvalue_from_numpy(X)
    there = ort.OrtValue.ortvalue_from_shape_and_type([2, 4], np.float32)
    binding.bind_ortvalue_input("x", x)
    binding.bind_cpu_input("k", FEEDS["k"])
    binding.bind_output("z")
    binding.bind_ortvalue_output("y", there)
    session.run_with_iobinding(binding)
    z, y = binding.copy_outputs_to_cpu()
    assert z.tolist() == [-7]
    np.testing.assert_array_equal(y, np.maximum(X, 0))
    np.testing.assert_array_equal(there.numpy(), y)
    assert binding.get_outputs()[1] is there
    binding.clear_binding_outputs()
    assert binding.get_outputs() == []


def test_bindings_that_can_not_be(plan: Path) -> None:
    session = InferenceSession(plan)
    binding = session.io_binding()
    with pytest.raises(RunError, match="output 'y': a plan gives results to the host, got cuda"):
        binding.bind_output("y", "cuda")
    binding.bind_cpu_input("x", X)
    binding.bind_cpu_input("k", FEEDS["k"])
    binding.bind_ortvalue_output("y", ort.OrtValue.ortvalue_from_shape_and_type([1, 4], np.float32))
    with pytest.raises(RunError, match=r"output 'y': has shape \[2, 4\], bound to a tensor of shape \[1, 4\]"):
        session.run_with_iobinding(binding)
    for other in (np.float64, np.int32):  # of more bytes, and of as many
        binding.bind_ortvalue_output("y", ort.OrtValue.ortvalue_from_shape_and_type([2, 4], other))
        with pytest.raises(RunError, match=r"output 'y': is a tensor\(float\), bound to a tensor\((double|int32)\)"):
            session.run_with_iobinding(binding)
    binding.clear_binding_inputs()
    with pytest.raises(RunError, match="input 'x': no value given"):
        session.run_with_iobinding(binding)


def test_a_plan_is_placed_already(model: Path, plan: Path) -> None:
    for providers in (["CPUExecutionProvider"], ["NPUExecutionProvider", "CPUExecutionProvider"]):
        session = InferenceSession(plan, providers=providers)
        np.testing.assert_array_equal(session.run(["y"], FEEDS)[0], np.maximum(X, 0))
    with pytest.raises(RunError, match="is compiled already; give a target with a model only"):
        InferenceSession(plan, providers=[("NPUExecutionProvider", {"target": "cpu-only"}), "CPUExecutionProvider"])
    with pytest.raises(
        RunError, match=r"provider 'CPUExecutonProvider': is unknown; did you mean 'CPUExecutionProvider'"
    ):
        InferenceSession(plan, providers=["CPUExecutonProvider"])
    with pytest.raises(RunError, match="is compiled already; give sizes with a model only"):
        InferenceSession(plan, dims={"n": 2})


def test_a_plan_needs_its_devices(model: Path, tmp_path: Path) -> None:
    options = CompileOptions(dims={"n": 2}, solver="greedy")
    path = compile_model(model, "qualcomm-hexagon-htp", options).save(tmp_path / "npu.plan")
    with pytest.raises(RunError, match=r"has partitions for npu, which the providers leave out; add NPUExecution"):
        InferenceSession(path, providers=["CPUExecutionProvider"])


def test_tensors_in_and_out(plan: Path) -> None:
    feeds = {name: ort.OrtValue.ortvalue_from_numpy(array) for name, array in FEEDS.items()}
    z, y = InferenceSession(plan).run_with_ort_values(["z", "y"], feeds)
    assert to_array(z, "z").tolist() == [-7]
    np.testing.assert_array_equal(to_array(y, "y"), np.maximum(X, 0))


def test_runs_that_are_not_waited_for(plan: Path) -> None:
    session = InferenceSession(plan)
    calls: SimpleQueue[tuple[list[object], object, str]] = SimpleQueue()
    future = session.run_async(["z"], FEEDS, lambda *given: calls.put(given), "mine")
    assert future.result(10)[0].tolist() == [-7]
    arrays, data, error = calls.get(timeout=10)
    assert (len(arrays), data, error) == (1, "mine", "")
    failed = session.run_async(None, {"x": X}, lambda *given: calls.put(given), 5)
    with pytest.raises(RunError, match="input 'k': no value given"):
        failed.result(10)
    arrays, data, error = calls.get(timeout=10)
    assert (arrays, data) == ([], 5)
    assert "input 'k'" in error


def test_a_callback_that_fails_costs_its_run_nothing(plan: Path, caplog: pytest.LogCaptureFixture) -> None:
    future = InferenceSession(plan).run_async(["z"], FEEDS, lambda *given: 1 / 0)
    assert future.result(10)[0].tolist() == [-7]
    assert "the callback of run_async failed" in caplog.text


def test_many_runs_in_order(plan: Path) -> None:
    inputs = ({"x": X, "k": np.array([number])} for number in range(20))
    results = [z.tolist() for (z,) in InferenceSession(plan).run_many(["z"], inputs)]
    assert results == [[-number] for number in range(20)]


def test_what_only_onnxruntime_can_write(plan: Path, tmp_path: Path) -> None:
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    with pytest.raises(RunError, match="optimized_model_filepath: a plan has no one optimized model"):
        InferenceSession(plan, options)


@pytest.mark.parametrize("content", [None, b"", b"not a model"])
def test_what_is_no_model(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "broken.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DovetailError) as caught:
        InferenceSession(path, providers=["CPUExecutionProvider"])
    assert "\n" not in str(caught.value)
    assert "broken" in str(caught.value)
