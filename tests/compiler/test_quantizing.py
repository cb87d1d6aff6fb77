"""Quantization as a choice: int8 where it pays and stays close, float where not, and a record of why."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from tests.conftest import ROOT, model_from_text, run_cpu

from dovetail.compiler import Compilation, CompileOptions, QuantizeOptions, compile_model
from dovetail.plan import ModelError, PartitionError, plan_from_json, plan_to_json
from dovetail.plan.schema import Quantization
from dovetail.runtime import Executor

DIGITS = ROOT / "sample_models" / "digits_fp32.onnx"
NPU = "arm-ethos-u85"

Array = npt.NDArray[np.float32]


def pictures(count: int) -> list[Array]:
    draw = np.random.default_rng(0)
    return [draw.uniform(0, 1, (1, 1, 8, 8)).astype(np.float32) for _ in range(count)]


def samples(count: int = 16) -> Iterator[dict[str, Array]]:
    return ({"image": picture} for picture in pictures(count))


def compiled(target: str, min_snr_db: float = 20.0, **options: float) -> tuple[Compilation, Quantization]:
    asked = CompileOptions(quantize=QuantizeOptions(samples(), min_snr_db), **options)  # type: ignore[arg-type]
    made = compile_model(DIGITS, target, asked)
    assert made.plan.quantization is not None
    return made, made.plan.quantization


def has_integers(made: Compilation) -> bool:
    return any(operator.op_type == "QuantizeLinear" for operator in made.plan.operators)


def test_integers_are_taken_where_they_pay_and_are_close_enough() -> None:
    made, choice = compiled(NPU)
    assert choice.taken
    assert has_integers(made)
    assert choice.quantized_value is not None
    assert choice.float_value is not None
    assert choice.quantized_value < choice.float_value
    assert choice.quantized_value == made.plan.predicted.value
    assert choice.float_value == compile_model(DIGITS, NPU).plan.predicted.value
    assert choice.snr_db["logits"] >= 20
    assert choice.reason in made.plan.notes
    assert {operator.name for operator in made.plan.operators if operator.device == "npu"} >= {"conv1", "relu1", "fc2"}


def test_the_plan_speaks_of_the_users_model() -> None:
    made, _ = compiled(NPU)
    floats = compile_model(DIGITS, NPU).plan
    assert made.plan.model == floats.model
    assert (made.plan.inputs, made.plan.outputs) == (floats.inputs, floats.outputs)
    shown = {name for partition in made.plan.partitions for name in partition.nodes}
    assert shown >= {name for partition in floats.partitions for name in partition.nodes}


def test_what_became_of_nodes_before_it_was_quantized_is_remembered() -> None:
    model = model_from_text("""
        g (float[1,16,32,32] x, float[16,16,3,3] w, float[16] c) => (float[1,16,32,32] y)
        {
          [conv] h = Conv <pads = [1, 1, 1, 1]> (x, w)
          [folds] k = Abs(c)
          [norm] y = BatchNormalization(h, c, k, c, c)
        }
    """)
    draw = np.random.default_rng(0)
    for name, shape in (("w", (16, 16, 3, 3)), ("c", (16,))):
        constant = draw.uniform(0.5, 1, shape).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(constant, name))
    given = [{"x": draw.uniform(-1, 1, (1, 16, 32, 32)).astype(np.float32)} for _ in range(4)]
    plan = compile_model(model.SerializeToString(), NPU, CompileOptions(quantize=QuantizeOptions(given))).plan
    assert plan.quantization is not None
    assert plan.quantization.taken
    (conv,) = [operator for operator in plan.operators if operator.op_type == "Conv"]
    assert conv.origins == ("conv", "norm")
    assert plan.model.eliminated == ("folds",)


def test_what_runs_is_as_close_as_the_record_says(tmp_path: Path) -> None:
    made, choice = compiled(NPU)
    model = onnx.load(DIGITS)
    signal = noise = 0.0
    with Executor(made.save(tmp_path / "m.plan"), emulate=True) as executor:
        for picture in pictures(16)[3::4]:
            wanted = run_cpu(model, {"image": picture})["logits"]
            signal += float((wanted**2).sum())
            noise += float(((executor.run({"image": picture})["logits"] - wanted) ** 2).sum())
    assert 10 * np.log10(signal / noise) == pytest.approx(choice.snr_db["logits"], abs=1.0)


def test_float_stays_where_integers_are_predicted_to_cost_more() -> None:
    made, choice = compiled("cpu-only")
    assert not choice.taken
    assert not has_integers(made)
    assert choice.quantized_value is not None
    assert choice.float_value is not None
    assert choice.quantized_value > choice.float_value
    assert made.plan.notes[-1].startswith("float stays: int8 is predicted to cost ")


def test_float_stays_where_integers_lose_too_much() -> None:
    made, choice = compiled(NPU, min_snr_db=120.0)
    assert not choice.taken
    assert not has_integers(made)
    assert choice.quantized_value is None
    assert "120 dB are wanted" in made.plan.notes[-1]


def test_operators_in_float_are_named() -> None:
    _, all_in = compiled(NPU)
    made, choice = compiled(NPU, min_snr_db=all_in.snr_db["logits"] + 0.1)
    assert choice.taken
    assert 0 < len(choice.kept_float) < 12
    assert repr(choice.kept_float[0]) in choice.reason
    floats = {operator.name for operator in made.plan.operators if operator.device == "cpu"}
    assert floats >= set(choice.kept_float)


def test_integers_keep_bounds_that_floats_do_not() -> None:
    _, choice = compiled(NPU, max_latency_ms=0.5)
    assert choice.taken
    assert choice.float_value is None
    assert "no placement in float keeps the bounds" in choice.reason


def test_bounds_that_neither_keeps_are_refused() -> None:
    with pytest.raises(PartitionError, match="ms"):
        compiled(NPU, max_latency_ms=1e-6)


def test_all_batch_sizes_have_the_same_integers(tmp_path: Path) -> None:
    asked = CompileOptions(batches=(4, 1), quantize=QuantizeOptions(samples()))
    made = compile_model(DIGITS, NPU, asked)
    assert made.plan.quantization is not None
    assert made.plan.quantization.taken
    assert made.plan.model.bindings == {"batch": "4"}
    plan = made.save(tmp_path / "m.plan")
    together = np.concatenate(pictures(4))
    with Executor(plan, emulate=True, batch=1) as one, Executor(plan, emulate=True, batch=4) as four:
        alone = [one.run({"image": picture})["logits"] for picture in pictures(4)]
        np.testing.assert_array_equal(np.concatenate(alone), four.run({"image": together})["logits"])


def test_an_endless_iterable_is_not_read_to_its_end() -> None:
    (picture,) = pictures(1)
    read: list[int] = []

    def endless() -> Iterator[dict[str, Array]]:
        for number in itertools.count():
            read.append(number)
            yield {"image": picture}

    made = compile_model(DIGITS, NPU, CompileOptions(quantize=QuantizeOptions(endless())))
    assert made.plan.quantization is not None
    assert len(read) == 1000
    assert made.plan.quantization.samples == 750


def test_the_record_survives_the_file() -> None:
    made, choice = compiled(NPU)
    assert plan_from_json(plan_to_json(made.plan)).quantization == choice


@pytest.mark.parametrize("name", ["digits_qdq", "digits_int8"])
def test_a_model_that_is_quantized_already_is_refused(name: str) -> None:
    with pytest.raises(
        ModelError, match=rf"model '{name}': it is quantized already, '.*' is a .*; leave out --quantize"
    ):
        compile_model(DIGITS.with_name(f"{name}.onnx"), NPU, CompileOptions(quantize=QuantizeOptions(samples())))


def test_a_model_of_text_is_refused() -> None:
    text = model_from_text("g (string[1] x) => (string[1] y) { y = Identity(x) }").SerializeToString()
    with pytest.raises(ModelError, match="input 'x' takes text"):
        compile_model(text, "cpu-only", CompileOptions(quantize=QuantizeOptions([])))


def test_a_model_of_half_floats_is_refused() -> None:
    text = model_from_text("g (float16[1,2] x) => (float16[1,2] y) { [relu] y = Relu(x) }").SerializeToString()
    with pytest.raises(ModelError, match="only models of float32 can be quantized, 'relu' makes float16; convert it"):
        compile_model(text, NPU, CompileOptions(quantize=QuantizeOptions([])))


def test_a_model_without_operators_for_integers_stays_in_float() -> None:
    text = model_from_text("g (float[1,2] x) => (float[1,2] y) { y = Erf(x) }").SerializeToString()
    given = [{"x": np.zeros((1, 2), np.float32)}] * 4
    plan = compile_model(text, NPU, CompileOptions(quantize=QuantizeOptions(given))).plan
    assert plan.notes[-1] == "float stays: none of the operators can be quantized"
