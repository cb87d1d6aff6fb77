"""A float model in integers: the scheme, the samples held out, and what stays in float."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnx.parser
import onnxruntime
import pytest
from onnx import numpy_helper

from dovetail.lowering.quantize import Quantized, quantize
from dovetail.plan.errors import ModelError, RunError
from dovetail.targets.schema import QuantizationPart

Feeds = dict[str, npt.NDArray[np.float32]]

INT8 = QuantizationPart()
UINT8 = QuantizationPart(activations="uint8")
SYMMETRIC = QuantizationPart(symmetric=True)
BLOCK = """
<ir_version: 8, opset_import: ["": 17]>
g (float[1,4] x) => (float[1,3] y)
<float[4,3] w = {0.5, 2.0, 0.1, -0.25, 1.0, 0.2, 0.75, -3.0, 0.05, 1.0, 2.5, -0.15}>
{
  [dense] h = MatMul(x, w)
  [relu] y = Relu(h)
}
"""
# no single scale holds both channels of `wide`: the small one is lost between the two. `square` adds more noise than
# `widen` where the samples have an outlier, but not too much
LOSSY = """
<ir_version: 8, opset_import: ["": 17]>
g (float[1,2] x) => (float[1,2] y, float[1,2] z)
<float[2] up = {10000.0, 0.01}, float[2] down = {0.0001, 100.0}, float[2,2] w = {1.0, 0.0, 0.0, 1.0}>
{
  [before] a = MatMul(x, w)
  [widen] wide = Mul(a, up)
  [narrow] b = Mul(wide, down)
  [after] y = MatMul(b, w)
  [square] s = Mul(x, x)
  [last] z = MatMul(s, w)
}
"""
CLASSES = """
<ir_version: 8, opset_import: ["": 17]>
g (float[1,4] x) => (int64[1] best, float[1,1] picked)
<float[4,4] w = {1.0, 0.2, 0.0, 0.1, 0.0, 1.0, 0.3, 0.0, 0.1, 0.0, 1.0, 0.2, 0.4, 0.0, 0.1, 1.0}>
{
  [dense] h = MatMul(x, w)
  [top] best = ArgMax <axis = 1, keepdims = 0> (h)
  [pick] picked = Gather <axis = 1> (h, best)
}
"""


def samples(count: int, *shape: int, scale: float = 1.0) -> list[Feeds]:
    draw = np.random.default_rng(0)
    return [{"x": (scale * draw.uniform(-1, 1, shape)).astype(np.float32)} for _ in range(count)]


def quantized(
    text: str, given: Sequence[Feeds], scheme: QuantizationPart = INT8, min_snr_db: float = 20.0
) -> Quantized:
    return quantize(onnx.parser.parse_model(text), "m", given, scheme, min_snr_db)


def loaded(made: Quantized) -> onnx.ModelProto:
    assert made.model is not None
    return onnx.load_from_string(made.model)


def constants(model: onnx.ModelProto) -> dict[str, npt.NDArray[np.generic]]:
    return {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}


def names(model: onnx.ModelProto) -> list[str]:
    return [node.name for node in model.graph.node if node.op_type not in ("QuantizeLinear", "DequantizeLinear")]


@pytest.mark.parametrize(("scheme", "dtype"), [(INT8, np.int8), (UINT8, np.uint8), (SYMMETRIC, np.int8)])
def test_the_scheme_is_the_devices(scheme: QuantizationPart, dtype: type) -> None:
    given = [{"x": np.abs(each["x"]) + 1} for each in samples(8, 1, 4)]  # a range far from symmetric
    held = constants(loaded(quantized(BLOCK, given, scheme)))
    assert held["x_zero_point"].dtype == dtype
    assert (int(held["x_zero_point"]) == 0) == (scheme is not INT8)
    assert held["w_quantized"].dtype == np.int8
    assert held["w_scale"].shape == (3,)


def test_an_operator_and_its_activation_stay_in_one_pair_under_their_names() -> None:
    model = loaded(quantized(BLOCK, samples(8, 1, 4)))
    assert names(model) == ["dense", "relu"]
    reader = next(node for node in model.graph.node if node.name == "relu")
    maker = next(node for node in model.graph.node if reader.input[0] in node.output)
    assert maker.name == "dense"


def test_what_is_held_out_sets_no_range() -> None:
    given = samples(8, 1, 4)
    given[3]["x"] *= 100
    made = quantized(BLOCK, given, min_snr_db=0.0)
    low, high = made.ranges["x"]
    assert -1 <= low < high <= 1
    assert (made.samples, made.held_out) == (6, 2)
    assert made.snr_db["y"] < 5  # but it is what the loss is measured on


def test_the_measured_loss_is_that_of_the_model() -> None:
    given = samples(8, 1, 4)
    made = quantized(BLOCK, given)
    exact, integers = (
        onnxruntime.InferenceSession(each, providers=["CPUExecutionProvider"])
        for each in (onnx.parser.parse_model(BLOCK).SerializeToString(), made.model)
    )
    wanted = np.array([exact.run(None, each)[0] for each in given[3::4]])
    got = np.array([integers.run(None, each)[0] for each in given[3::4]])
    snr = 10 * np.log10((wanted**2).sum() / ((got - wanted) ** 2).sum())
    assert made.snr_db["y"] == pytest.approx(snr, abs=0.1)
    assert made.operators_db["relu"] == made.snr_db["y"]


def test_a_model_of_an_old_opset_gets_scales_per_channel() -> None:
    model = loaded(quantized(BLOCK.replace("17", "11"), samples(4, 1, 4)))
    (opset,) = [each.version for each in model.opset_import if each.domain == ""]
    assert opset >= 13
    assert constants(model)["w_scale"].shape == (3,)


def test_operators_that_lose_too_much_stay_in_float_and_no_others() -> None:
    given = samples(12, 1, 2)
    given[0]["x"] *= 5
    lost = quantized(LOSSY, given, min_snr_db=0.0)
    assert lost.snr_db["y"] < 10
    assert lost.kept_float == ()
    made = quantized(LOSSY, given, min_snr_db=25.0)
    assert set(made.kept_float) == {"widen", "narrow"}
    assert min(made.snr_db.values()) >= 25
    assert made.trials <= 8
    assert "wide_scale" not in constants(loaded(made))


def test_a_bound_that_only_floats_reach_gives_no_model() -> None:
    made = quantized(BLOCK, samples(8, 1, 4), min_snr_db=150.0)
    assert made.model is None
    assert 20 < made.snr_db["y"] < 150  # what integers reach


def test_a_model_without_operators_for_integers_gives_none() -> None:
    made = quantized(
        '<ir_version: 8, opset_import: ["": 17]> g (float[1,4] x) => (float[1,4] y) { y = Erf(x) }', samples(4, 1, 4)
    )
    assert made.model is None
    assert made.quantizable == 0


def test_classes_are_judged_by_the_floats_they_are_made_of() -> None:
    made = quantized(CLASSES, samples(8, 1, 4))
    assert list(made.snr_db) == ["h"]
    assert made.snr_db["h"] > 20


def test_bodies_keep_their_weights() -> None:
    path = Path(__file__).parents[2] / "sample_models" / "control_flow.onnx"
    draw = np.random.default_rng(0)
    given = [{"image": draw.uniform(-1, 1, (1, 3, 32, 32)).astype(np.float32)} for _ in range(4)]
    made = quantize(onnx.load(path), "m", given, INT8, 0.0)
    session = onnxruntime.InferenceSession(made.model, providers=["CPUExecutionProvider"])
    assert session.run(None, given[0])[0].shape == (1, 10)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_samples_are_refused(count: int) -> None:
    with pytest.raises(RunError, match=f"at least 2 samples are needed, .* got {count}; give more"):
        quantized(BLOCK, samples(count, 1, 4))


def test_what_can_not_run_is_refused_with_the_reason() -> None:
    text = BLOCK.replace('["": 17]', '["": 17, "own": 1]').replace("Relu(h)", "own.Magic(h)")
    with pytest.raises(ModelError, match=r"model 'm': onnxruntime.quantization can't quantize it: .*Magic.*--quantize"):
        quantized(text, samples(4, 1, 4))
