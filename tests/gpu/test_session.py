"""Sessions of the PyTorch backend: forms of inputs, whose memory is whose, threads, failures, what a graph can hold."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import parser

from dovetail.gpu import open_session, why_missing
from dovetail.gpu.lowering import lower
from dovetail.gpu.program import Program
from dovetail.gpu.session import TorchSession
from dovetail.runtime.sessions import DeviceFailure

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"
# not mobilenet_v2_qdq: ONNX Runtime itself rounds it in two ways, with its optimizations and without
WHOLE = ["digits_fp32", "digits_int8", "digits_qdq", "mobilenet_v2", "mobilenet_v2_int8", "npu_whole", "ssd_detector",
         "transformer"]  # fmt: skip
HEAD = '<ir_version: 8, opset_import: ["" : 18]>\n'
ADD = HEAD + "g (float[n] x) => (float[n] y) <float[1] w = {2}> { y = Add(x, w) }"
RESHAPED = HEAD + "g (float[n, 4] x) => (float[m] y) <int64[1] all = {-1}> { y = Reshape(x, all) }"
BY_SHAPE = HEAD + (
    "g (float[n, 4] x) => (float[m, 2] y, float[n, 4] z) <int64[1] zero = {0}, int64[1] two = {2}> {"
    " shape = Shape(x)  rows = Gather(shape, zero)  doubled = Mul(rows, two)  goal = Concat <axis = 0> (doubled, two)"
    " y = Reshape(x, goal)  count = Cast <to = 1> (doubled)  z = Div(x, count) }"
)
BY_DATA = (
    HEAD + "g (float[n, 4] x, int64[2] goal) => (float[a, b] y) { twice = Add(goal, goal)  y = Reshape(x, twice) }"
)


def saved(text: str, folder: Path) -> Path:
    path = folder / "model.onnx"
    onnx.save(parser.parse_model(text), path)
    return path


def opened(text: str, folder: Path, inputs: Sequence[str] = ("x",), outputs: Sequence[str] = ("y",)) -> TorchSession:
    return open_session(saved(text, folder), inputs, outputs, {"device": "cpu"})


def lowered(text: str, folder: Path, inputs: Sequence[str], outputs: Sequence[str]) -> Program:
    return lower(saved(text, folder), inputs, outputs, torch.device("cpu"))


def test_it_is_here() -> None:
    assert why_missing() == ""


@pytest.mark.parametrize("form", [np.asarray, torch.tensor, ort.OrtValue.ortvalue_from_numpy])
def test_inputs_come_as_arrays_or_as_tensors_of_either_library(form: Any, tmp_path: Path) -> None:
    array = np.array([1, 2, 3], np.float32)
    (result,) = opened(ADD, tmp_path).run([form(array)])
    assert result.tolist() == [3, 4, 5]


def test_an_array_that_is_read_only_or_not_in_order_is_taken(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.float32)[::2]
    array.setflags(write=False)
    (result,) = opened(ADD, tmp_path).run([array])
    assert result.tolist() == [2, 4, 6]


def test_an_output_does_not_lie_on_an_input(tmp_path: Path) -> None:
    array = np.ones((2, 4), np.float32)
    (result,) = opened(RESHAPED, tmp_path).run([array])
    array[:] = 7
    assert result.tolist() == [1] * 8


def test_who_writes_to_an_output_changes_no_weight(tmp_path: Path) -> None:
    text = HEAD + "g (float[n] x) => (float[n] y, float[1] z) <float[1] w = {2}> { y = Add(x, w)  z = Identity(w) }"
    session = opened(text, tmp_path, outputs=["y", "z"])
    session.run([np.zeros(1, np.float32)])[1].numpy()[:] = 9
    assert [float(value) for value in session.run([np.zeros(1, np.float32)])] == [2, 2]


def test_outputs_come_in_the_order_asked_for(tmp_path: Path) -> None:
    z, y = opened(BY_SHAPE, tmp_path, outputs=["z", "y"]).run([np.full((3, 4), 6, np.float32)])
    assert z.tolist() == [[1.0] * 4] * 3
    assert y.shape == (6, 2)


def test_computations_of_shapes_wait_for_no_device(tmp_path: Path) -> None:
    assert lowered(BY_SHAPE, tmp_path, ["x"], ["y", "z"]).can_capture


def test_a_shape_that_is_data_can_not_be_a_part_of_a_graph(tmp_path: Path) -> None:
    program = lowered(BY_DATA, tmp_path, ["x", "goal"], ["y"])
    assert not program.can_capture
    (result,) = program.run([torch.ones(4, 4), torch.tensor([1, 4])])
    assert result.shape == (2, 8)


def test_what_nobody_reads_is_not_computed(tmp_path: Path) -> None:
    assert len(lowered(BY_SHAPE, tmp_path, ["x"], ["y"]).steps) < len(
        lowered(BY_SHAPE, tmp_path, ["x"], ["z", "y"]).steps
    )


def test_what_follows_from_constants_is_computed_once(tmp_path: Path) -> None:
    text = HEAD + "g (float[n] x) => (float[n] y) <float[1] w = {2}> { v = Exp(w)  u = Neg(v)  y = Add(x, u) }"
    assert [step.label for step in lowered(text, tmp_path, ["x"], ["y"]).steps] == ["Add ''"]


def test_random_numbers_are_drawn_by_every_run(tmp_path: Path) -> None:
    # of a constant: it must not be folded
    text = HEAD + "g (float[2] x) => (float[2] y) <float[2] w = {0, 0}> { r = RandomUniformLike(w)  y = Add(x, r) }"
    session = opened(text, tmp_path)
    first, second = (session.run([np.zeros(2, np.float32)])[0] for _ in range(2))
    assert first.tolist() != second.tolist()
    assert not lowered(text, tmp_path, ["x"], ["y"]).can_capture


def test_threads_share_a_session(tmp_path: Path) -> None:
    session = opened(ADD, tmp_path)

    def run(number: int) -> bool:
        feeds = [np.full(number % 7 + 1, number, np.float32)]
        return all(bool((session.run(feeds)[0] == number + 2).all()) for _ in range(50))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(run, range(32)))


def test_a_failure_names_the_node_in_one_line(tmp_path: Path) -> None:
    text = HEAD + "g (float[n] x, float[m] w) => (float[k] y) { y = Add(x, w) }"
    model = parser.parse_model(text)
    model.graph.node[0].name = "sum"
    onnx.save(model, tmp_path / "model.onnx")
    session = open_session(tmp_path / "model.onnx", ["x", "w"], ["y"], {"device": "cpu"})
    with pytest.raises(DeviceFailure, match=r"^Add 'sum': .*size") as caught:
        session.run([np.ones(2, np.float32), np.ones(3, np.float32)])
    assert "\n" not in str(caught.value)


def test_an_operator_without_a_kernel_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeviceFailure, match=r"ai\.onnx:Det"):
        opened(HEAD + "g (float[2, 2] x) => (float y) { y = Det(x) }", tmp_path)


@pytest.mark.parametrize("name", WHOLE)
def test_whole_models_equal_onnxruntime(name: str) -> None:
    path = SAMPLES / f"{name}.onnx"
    reference = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    inputs, outputs = reference.get_inputs(), [value.name for value in reference.get_outputs()]
    random = np.random.default_rng(0)
    feeds = [random.uniform(0, 1, value.shape).astype(np.float32) for value in inputs]
    session = open_session(path, [value.name for value in inputs], outputs, {"device": "cpu"})
    wanted = reference.run(outputs, dict(zip([value.name for value in inputs], feeds, strict=True)))
    for found, array in zip(session.run(feeds), wanted, strict=True):
        scale = float(np.abs(array).max(initial=1.0))
        np.testing.assert_allclose(found.numpy(), array, rtol=1e-4, atol=1e-4 * scale)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # of torch's own compiler
def test_a_fused_program_computes_the_same_for_every_shape(tmp_path: Path) -> None:
    session = open_session(saved(BY_SHAPE, tmp_path), ["x"], ["y", "z"], {"device": "cpu", "fuse": "1"})
    for rows in (1, 3, 3):
        array = np.full((rows, 4), 2.0 * rows, np.float32)
        y, z = session.run([array])
        array[:] = 0
        assert y.shape == (2 * rows, 2)
        assert bool((y == 2 * rows).all())
        assert bool((z == 1).all())


def test_what_depends_on_data_runs_unfused(tmp_path: Path) -> None:
    session = open_session(saved(BY_DATA, tmp_path), ["x", "goal"], ["y"], {"device": "cpu", "fuse": "1"})
    for goal in ([1, 4], [4, 1]):
        (y,) = session.run([np.ones((4, 4), np.float32), np.array(goal)])
        assert list(y.shape) == [2 * size for size in goal]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_replay_overwrites_no_earlier_result(tmp_path: Path) -> None:
    session = open_session(saved(ADD, tmp_path), ["x"], ["y"], {})
    arrays = [np.full(5, number, np.float32) for number in range(4)]
    results = [session.run([array])[0] for array in arrays]
    assert [result.cpu().tolist() for result in results] == [[number + 2.0] * 5 for number in range(4)]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_graphs_of_more_shapes_than_are_kept(tmp_path: Path) -> None:
    session = open_session(saved(BY_SHAPE, tmp_path), ["x"], ["y", "z"], {})
    for rows in [*range(1, 20), *range(1, 20)]:
        y, z = session.run([np.full((rows, 4), 2.0 * rows, np.float32)])
        assert y.shape == (2 * rows, 2)
        assert torch.equal(z.cpu(), torch.ones(rows, 4))
