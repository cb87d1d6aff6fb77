"""Limits of a target file, from the file to the operators' reasons and the plan's notes."""

from collections.abc import Callable
from pathlib import Path

import onnx
import onnx.parser
import pytest

from dovetail.compiler import CompileOptions, compile_model
from dovetail.plan import Plan
from dovetail.plan.errors import PartitionError

TARGET = """
schema: 1
name: limited
vendor: test
sources: {{TEST: made for tests}}
limits: {{{limits}}}
devices:
- id: npu
  kind: npu
  name: takes all but Softmax
  data_quality: high
  dtype_rewrite: {{float32: bfloat16}}
  any_operator: {{domains: [''], except_ops: [Softmax], refusal: custom operator}}
- id: cpu
  kind: cpu
  name: takes all
  data_quality: high
  any_operator: {{domains: [''], refusal: custom operator}}
"""

Compile = Callable[..., Plan]


@pytest.fixture
def compile_for(tmp_path: Path) -> Compile:
    """Compile a model in ONNX's text form for a target with the given limits."""

    def compile_text(limits: str, model: str, place: tuple[tuple[str, str], ...] = ()) -> Plan:
        target = tmp_path / "limited.yaml"
        target.write_text(TARGET.format(limits=f"max_partitions: {{}}, {limits}"), encoding="utf-8")
        proto = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 21]> {model}')
        for node in proto.graph.node:
            node.name = node.output[0]
        return compile_model(proto.SerializeToString(), str(target), CompileOptions(place=place, solver="greedy")).plan

    return compile_text


def devices(plan: Plan) -> dict[str, str]:
    return {operator.name: operator.device for operator in plan.operators}


def reason(plan: Plan, name: str) -> str:
    return next(operator.reason for operator in plan.operators if operator.name == name)


NO_BATCH = """g (float[2,3,4,4] x) => (float[6,4,4] z) {
    a = Relu(x)
    shape = Constant<value_ints = [6, 4, 4]>()
    r = Reshape(a, shape)
    z = Relu(r)
}"""


def test_batch_is_what_comes_before_channels_height_and_width(compile_for: Compile) -> None:
    """[2,3,4,4] is a batch of 2 images, [6,4,4] one of 6; Reshape has both, and the tie keeps the smaller."""
    plan = compile_for("uniform_batch: true", NO_BATCH)
    assert devices(plan) == {"a": "npu", "r": "cpu", "z": "cpu"}
    assert reason(plan, "r") == "one batch size in a partition on npu: 2 is kept, operators of 2 and 6 given back"
    assert reason(plan, "z") in plan.notes


@pytest.mark.parametrize(
    ("shapes", "kept"),
    [
        # all dimensions before the last three
        ("float[2,3,5,4,4] x, float[6,5,4,4] y", "xy"),
        # a vector and an open dimension fit any batch
        ("float[2,3,4,4] x, float[7] y", "xy"),
        ("float[2,3,4,4] x, float[N,3,4,4] y", "xy"),
        ("float[2,3] x, float[3,2] y", "x"),
    ],
)
def test_batch_of_shapes(compile_for: Compile, shapes: str, kept: str) -> None:
    model = f"""g ({shapes}) => (r, s) {{
        r = Relu(x)
        s = Relu(y)
    }}"""
    plan = compile_for("uniform_batch: true, static_shapes: false", model)
    assert [name for name, device in devices(plan).items() if device == "npu"] == list("rs"[: len(kept)])


QUANTIZED_WEIGHTS = """g (uint8[1,3,4,4] x) => (uint8[1,8,2,2] z)
<float s = {0.1}, uint8 p = {0}, int8[8,3,3,3] w = {SEVEN}, int8 q = {0}> {
    xf = DequantizeLinear(x, s, p)
    wf = DequantizeLinear(w, s, q)
    c = Conv(xf, wf)
    z = QuantizeLinear(c, s, p)
}""".replace("SEVEN", ", ".join(["7"] * 216))


def test_weights_have_neither_batch_nor_precision(compile_for: Compile) -> None:
    """The weights, of 8 output channels, pass through a node of their own; they are no batch of 8."""
    plan = compile_for("uniform_batch: true, one_precision_per_model: true", QUANTIZED_WEIGHTS)
    assert set(devices(plan).values()) == {"npu"}


MIXED = """g (uint8[1,4] x, float[1,4] y, float16[1,4] h) => (z, k, m)
<float s = {0.1}, uint8 p = {0}> {
    xf = DequantizeLinear(x, s, p)
    a = Relu(xf)
    z = QuantizeLinear(a, s, p)
    b = Abs(y)
    k = Neg(b)
    m = Cast<to = 1>(h)
}"""


def test_one_precision(compile_for: Compile) -> None:
    """Three operators in 8 bits against two in floats; Cast belongs to neither."""
    plan = compile_for("one_precision_per_model: true", MIXED)
    assert devices(plan) == {"xf": "npu", "a": "npu", "z": "npu", "b": "cpu", "k": "cpu", "m": "npu"}
    assert reason(plan, "b") == "one precision on npu: int8 is kept, operators of bfloat16 given back"


PREFIX = """g (float[1,4] x) => (uint8[1,4] z)
<float s = {0.1}, uint8 p = {0}> {
    q = QuantizeLinear(x, s, p)
    d = DequantizeLinear(q, s, p)
    a = Relu(d)
    b = QuantizeLinear(a, s, p)
    d2 = DequantizeLinear(b, s, p)
    t = Softmax(d2)
    u = QuantizeLinear(t, s, p)
    d3 = DequantizeLinear(u, s, p)
    v = Neg(d3)
    z = QuantizeLinear(v, s, p)
}"""


def test_prefix_starts_behind_the_quantized_input(compile_for: Compile) -> None:
    plan = compile_for("prefix_only: true, contiguous_subgraph: true", PREFIX, (("q", "cpu"),))
    assert [name for name, device in devices(plan).items() if device == "npu"] == ["d", "a", "b"]
    assert reason(plan, "v") == "only the start of the model on npu, which ends at 't': what comes after it given back"


BRANCHES = """g (float[1,8] x) => (z) {
    a = Relu(x)
    b = Neg(a)
    s = Softmax(b)
    c = Relu(s)
    z = Abs(c)
}"""


@pytest.mark.parametrize(
    ("limits", "on_npu", "why"),
    [
        (
            "contiguous_subgraph: true",
            "ab",
            "one connected subgraph on npu: that of 2 operators is kept, this one of 2 operators given back",
        ),
        ("min_nodes: 3", "", "at least 3 operators in a partition on npu: this partition of 2 given back"),
        (
            "min_tensor_bytes: 33",
            "",
            "a tensor of at least 33 bytes in a partition on npu: this partition given back, whose largest has 32",
        ),
        ("min_nodes: 2, min_tensor_bytes: 32", "abcz", ""),
    ],
)
def test_limits_of_whole_partitions(compile_for: Compile, limits: str, on_npu: str, why: str) -> None:
    plan = compile_for(limits, BRANCHES)
    assert "".join(name for name, device in devices(plan).items() if device == "npu") == on_npu
    assert reason(plan, "z") == why


@pytest.mark.parametrize(
    ("limits", "note"),
    [
        (
            "whole_graph_preferred: true",
            "npu: its compiler takes or refuses each partition as a whole; it gets 2, with 1 operator of the model "
            "elsewhere",
        ),
        ("layout: NHWC", "npu: works in NHWC; its backend converts what enters and leaves a partition"),
        (
            "min_tensor_bytes: 32",
            "npu: what enters or leaves a partition takes at least 32 bytes; smaller tensors are padded",
        ),
    ],
)
def test_notes(compile_for: Compile, limits: str, note: str) -> None:
    assert note in compile_for(limits, BRANCHES).notes
    whole = compile_for(limits, "g (float[1,8] x) => (z) { z = Relu(x) }")
    assert (note in whole.notes) == ("whole_graph" not in limits)
    assert compile_for(limits, "g (float[1,8] x) => (z) { z = Softmax(x) }").notes == ()


def test_open_shapes_are_noted(compile_for: Compile) -> None:
    model = "g (float[N,8] x) => (z) { z = Relu(x) }"
    (note,) = compile_for("static_shapes: true", model).notes
    assert note == (
        "npu: static shapes only, but a dimension is not known for 1 operator there, such as 'z'; "
        "fix the model's inputs with --dim or --shape"
    )
    assert compile_for("static_shapes: false", model).notes == ()


def test_small_partition_that_a_pin_keeps_is_noted(compile_for: Compile) -> None:
    plan = compile_for("min_nodes: 3", BRANCHES, (("z", "npu"),))
    assert [name for name, device in devices(plan).items() if device == "npu"] == ["c", "z"]
    assert plan.notes[-1] == (
        "npu: keeps 1 partition of fewer than 3 operators, with units that can't leave, such as in that of 'c'"
    )


def test_pin_against_a_limit(compile_for: Compile) -> None:
    with pytest.raises(PartitionError, match=r"'npu': only the start of the model on npu, .* 's', .* with 'z'; take"):
        compile_for("prefix_only: true", BRANCHES, (("z", "npu"),))


BOARD = """
name: board
extends: cpu-only
default_variant: cortex-a76
limits: {{max_partitions: {{npu: {most}}}}}
devices:
- {{id: npu, kind: npu, name: takes Conv, data_quality: high, ops: {{Conv: }}}}
"""


@pytest.mark.parametrize(("most", "elsewhere"), [(1, 1), (2, 0)])
def test_an_operator_that_costs_keep_off_says_so_where_the_device_is_full(
    tmp_path: Path, most: int, elsewhere: int
) -> None:
    (tmp_path / "board.yaml").write_text(BOARD.format(most=most))
    model = onnx.parser.parse_model("""<ir_version: 10, opset_import: ["" : 21]>
        g (float[1,512,32,32] x, float[512,512,3,3] v, float[512,512,3,3] w) => (float[1,512,28,28] y) {
          [one] a = Conv(x, v)
          [cut] b = Hardmax <axis = 1> (a)
          [two] y = Conv(b, w)
        }""")
    plan = compile_model(model.SerializeToString(), str(tmp_path / "board.yaml")).plan
    reasons = [each.fallback for each in plan.operators if each.op_type == "Conv" and each.device == "cpu"]
    assert len(reasons) == elsewhere
    for why in reasons:
        assert why is not None
        assert why.rule == "cost"
        assert "as npu may have at most 1 of its partitions; alone" in why.message
        assert why.fix == "first move what stands between the pieces on npu: it may have no more of them"
