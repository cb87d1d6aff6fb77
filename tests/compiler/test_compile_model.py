"""The driver: pins, plans and what a compilation says about every operator."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import parser

from dovetail.compiler import CompileOptions, compile_model
from dovetail.plan import PartitionError, Plan, RunError, TargetError, read_plan
from dovetail.runtime import Executor

ROOT = Path(__file__).resolve().parents[2]
THREE = str(ROOT / "tests" / "data" / "three-cpus.yaml")

DIAMOND = """
<ir_version: 8, opset_import: ["": 17]>
g (float[2,3] x) => (float[2,3] y)
{
  [top] a = Relu(x)
  [left] b = Neg(a)
  [right] c = Abs(a)
  [join] y = Add(b, c)
}
"""
CONTROL_FLOW = ROOT / "sample_models" / "control_flow.onnx"


def compiled(text: str, target: str = THREE, *place: tuple[str, str]) -> Plan:
    model = parser.parse_model(text)
    onnx.checker.check_model(model)
    return compile_model(model.SerializeToString(), target, CompileOptions(place=place, solver="greedy")).plan


def home(plan: Plan) -> dict[str, str]:
    return {operator.name: operator.device for operator in plan.operators}


def test_without_pins_everything_is_on_the_first_device() -> None:
    plan = compiled(DIAMOND)
    assert [(p.id, p.nodes) for p in plan.partitions] == [("000-npu", ("top", "left", "right", "join"))]
    assert [(t.tensor, t.source, t.destination, t.bytes) for t in plan.transfers] == [
        ("x", "host", "npu", 24),
        ("y", "npu", "host", 24),
    ]
    assert {operator.reason for operator in plan.operators} == {""}


@pytest.mark.parametrize(
    ("place", "wanted"),
    [
        ([("left", "cpu")], {"left": "cpu"}),
        ([("*t", "gpu")], {"left": "gpu", "right": "gpu"}),
        ([("op:Relu", "cpu"), ("op:A*", "gpu")], {"top": "cpu", "right": "gpu", "join": "gpu"}),
        ([("*", "cpu"), ("join", "npu")], {"top": "cpu", "left": "cpu", "right": "cpu"}),  # the last match counts
    ],
)
def test_pins_are_kept(place: list[tuple[str, str]], wanted: dict[str, str]) -> None:
    plan = compiled(DIAMOND, THREE, *place)
    everywhere = dict.fromkeys(("top", "left", "right", "join"), "npu")
    assert home(plan) == {**everywhere, **wanted}
    for operator in plan.operators:
        assert ("--place" in operator.reason) == (operator.name in wanted)


@pytest.mark.parametrize(
    ("place", "error"),
    [
        (("left", "tpu"), "no such device; did you mean 'npu'"),
        (("nothing*", "cpu"), "no operator of the compiled model has such a name"),
    ],
)
def test_a_pin_that_means_nothing_is_refused(place: tuple[str, str], error: str) -> None:
    with pytest.raises(PartitionError, match=error):
        compiled(DIAMOND, THREE, place)


def test_a_pin_on_a_device_that_can_not_is_refused() -> None:
    with pytest.raises(PartitionError, match=r"left.*npu"):
        compiled(DIAMOND, "qualcomm-hexagon-htp:sm8350", ("left", "npu"))


def test_pins_that_pull_a_group_apart_are_refused() -> None:
    """The operator and its QuantizeLinear are one unit: they have one device."""
    model = ROOT / "sample_models" / "digits_qdq.onnx"
    plan = compile_model(model, THREE, CompileOptions(solver="greedy")).plan
    unit = next(o.unit for o in plan.operators if o.op_type == "Conv")
    first, *_, last = [o.name for o in plan.operators if o.unit == unit]
    with pytest.raises(PartitionError, match="must stay with"):
        compile_model(model, THREE, CompileOptions(place=((first, "cpu"), (last, "npu"))))


GROUP = """
<ir_version: 8, opset_import: ["": 17]>
g (uint8[4] q) => (uint8[4] y) <float s = {0.1}, uint8 z = {3}>
{
  [dq] a = DequantizeLinear(q, s, z)
  [neg] b = Neg(a)
  [exp] e = Exp(a)
  [add] c = Add(b, e)
  [q] y = QuantizeLinear(c, s, z)
}
"""


def test_a_pin_on_one_member_is_the_reason_of_the_whole_group() -> None:
    text = GROUP.replace("[exp] e = Exp(a)", "").replace("[add] c = Add(b, e)", "").replace("(c,", "(b,")
    plan = compiled(text, THREE, ("q", "cpu"))
    assert {operator.reason for operator in plan.operators} == {"pinned by --place 'q=cpu'"}
    assert set(home(plan).values()) == {"cpu"}


def test_a_partition_lists_a_node_once_that_was_copied() -> None:
    (partition,) = compiled(GROUP).partitions
    assert sorted(partition.nodes) == ["add", "dq", "exp", "neg", "q"]


def test_a_tensor_goes_once_to_each_device_and_is_freed_after_its_last_reader() -> None:
    plan = compiled(DIAMOND, THREE, ("left", "gpu"), ("right", "gpu"))
    crossing = Counter((t.tensor, t.destination) for t in plan.transfers)
    assert crossing == {("x", "npu"): 1, ("a", "gpu"): 1, ("b", "npu"): 1, ("c", "npu"): 1, ("y", "host"): 1}
    names = [slot.name for slot in plan.slots]
    freed = [{names[slot] for slot in step.free} for step in plan.steps]
    assert freed == [{"x"}, {"a"}, {"b", "c"}]


def test_a_compilation_shows_itself_in_one_line() -> None:
    compilation = compile_model(parser.parse_model(DIAMOND).SerializeToString(), "cpu-only")
    assert repr(compilation) == "<Compilation of 'g' for cpu-only:host: 4 operators, 1 partition>"


def test_names_survive_a_fusion() -> None:
    model = parser.parse_model(
        """
        <ir_version: 8, opset_import: ["": 17]>
        g (float[1,1,4,4] x) => (float[1,1,4,4] y)
        <float[1,1,1,1] w = {2}, float[1] s = {1}, float[1] b = {0}, float[1] m = {0}, float[1] v = {1}>
        { [conv] c = Conv(x, w)  [norm] y = BatchNormalization(c, s, b, m, v) }
        """
    )
    plan = compile_model(model.SerializeToString(), "cpu-only").plan
    (operator,) = plan.operators
    assert (operator.name, operator.op_type, operator.origins) == ("conv", "Conv", ("conv", "norm"))
    assert plan.partitions[0].nodes == ("conv", "norm")


def test_an_input_that_is_an_output_and_a_constant_output(tmp_path: Path) -> None:
    model = parser.parse_model(
        """
        <ir_version: 8, opset_import: ["": 17]>
        g (float[2] x) => (float[2] x, float[2] k, float[2] y)
        <float[2] k = {1, 2}> { y = Neg(x) }
        """
    )
    saved = compile_model(model.SerializeToString(), "cpu-only").save(tmp_path / "p.plan")
    with Executor(saved) as executor:
        got = executor.run({"x": np.array([3, 4], np.float32)})
    assert {name: array.tolist() for name, array in got.items()} == {"x": [3, 4], "k": [1, 2], "y": [-3, -4]}


def test_operators_in_bodies_have_verdicts_and_stay_with_their_parent() -> None:
    plan = compile_model(CONTROL_FLOW, "qualcomm-hexagon-htp", CompileOptions(solver="greedy")).plan
    inside = [operator for operator in plan.operators if operator.inside]
    parents = {operator.name: operator for operator in plan.operators}
    assert {parents[operator.inside].op_type for operator in inside} == {"Loop", "If"}
    for operator in inside:
        assert operator.device == parents[operator.inside].device
        assert [verdict.device for verdict in operator.verdicts] == ["npu", "cpu"]


def test_what_is_behind_a_loop_of_constant_shape_goes_to_the_npu() -> None:
    plan = compile_model(CONTROL_FLOW, "qualcomm-hexagon-htp", CompileOptions(solver="greedy")).plan
    assert [partition.device for partition in plan.partitions].count("npu") >= 2


def test_an_unknown_target_names_the_closest() -> None:
    with pytest.raises(TargetError, match="qualcomm-hexagon-htp"):
        compiled(DIAMOND, "qualcomm-hexagon")


def test_the_same_model_gives_the_same_files(tmp_path: Path) -> None:
    model = ROOT / "sample_models" / "mobilenet_v2_qdq.onnx"
    plans = [compile_model(model, "qualcomm-hexagon-htp").save(tmp_path / f"{n}.plan") for n in "ab"]
    assert read_plan(plans[0]) == read_plan(plans[1])


def test_a_model_without_operators_is_run_all_the_same(tmp_path: Path) -> None:
    empty = parser.parse_model('<ir_version: 8, opset_import: ["": 17]> g (float[2] x) => (float[2] x) { }')
    plan = compile_model(empty.SerializeToString(), THREE).save(tmp_path / "p.plan")
    with Executor(plan) as executor:
        np.testing.assert_array_equal(executor.run({"x": np.ones(2, np.float32)})["x"], np.ones(2))
    with pytest.raises(RunError, match="closed"):
        executor.run({"x": np.ones(2, np.float32)})
