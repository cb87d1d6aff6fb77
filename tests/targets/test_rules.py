"""Every kind of rule, on both sides of its limit."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from dovetail.targets.facts import Context, pin
from dovetail.targets.rules import AnyRule, Broken, Rule, Undecidable
from dovetail.targets.view import Array, Attribute, OperatorView, QuantView, Scalar, TensorView

ADAPTER: TypeAdapter[Rule] = TypeAdapter(AnyRule)
CONTEXT = Context({"htp_arch": 75, "mode": "fp16"}, {"int64": "int32"})


def tensor(shape: tuple[int | str | None, ...] | None = (1, 4, 8, 8), dtype: str | None = "float32") -> TensorView:
    return TensorView("t", dtype, shape, None)


def constant(value: object, dtype: str = "float32") -> TensorView:
    array = np.asarray(value, dtype=dtype)
    return TensorView("k", dtype, array.shape, lambda: array)


def quantized(view: TensorView, scale: float = 0.5, zero_point: int = 0, channels: int = 1) -> TensorView:
    scales: Array = np.full(channels, scale, dtype=np.float32)
    scheme, axis = ("per_tensor", None) if channels == 1 else ("per_channel", 0)
    quant = QuantView(scheme, axis, scales, np.full(channels, zero_point, dtype=np.int8), "int8")  # type: ignore[arg-type]
    return replace(view, dtype="int8", quant=quant)


def op(
    inputs: dict[str, TensorView | None] | None = None,
    outputs: dict[str, TensorView | None] | None = None,
    attributes: dict[str, Attribute] | None = None,
    op_type: str = "Conv",
    **fields: object,
) -> OperatorView:
    given_inputs = {"X": tensor()} if inputs is None else inputs
    given_outputs = {"Y": tensor()} if outputs is None else outputs
    view = OperatorView(
        name="node",
        op_type=op_type,
        domain="",
        opset=17,
        inputs=tuple(given_inputs.values()),
        outputs=tuple(given_outputs.values()),
        input_names=tuple(given_inputs),
        output_names=tuple(given_outputs),
        attributes=attributes or {},
        quantized=False,
        producers=("",),
        consumers=(),
    )
    return replace(view, **fields)  # type: ignore[arg-type]


def shaped(*shape: int | str) -> OperatorView:
    return op({"X": tensor(shape)})


INT8 = op({"X": quantized(tensor())}, {"Y": quantized(tensor())}, quantized=True)
W = constant(np.ones((4, 4, 3, 3)))

CASES: list[tuple[dict[str, object], OperatorView, OperatorView]] = [
    ({"kind": "dtype", "tensor": "X", "in": ["float32"]}, op(), op({"X": tensor(dtype="float64")})),
    (
        {"kind": "dtype", "tensor": "X", "in": "int32"},
        op({"X": tensor(dtype="int64")}),
        op({"X": tensor(dtype="int16")}),
    ),
    ({"kind": "rank", "tensor": "X", "max": 4}, shaped(1, 2, 3, 4), shaped(1, 2, 3, 4, 5)),
    ({"kind": "rank", "tensor": "X", "min": 3, "max": 3}, shaped(1, 2, 3), shaped(1, 2)),
    ({"kind": "rank", "max": 2, "non_singleton": True}, shaped(1, 1, 1, 2, 3), shaped(1, 1, 2, 3, 4)),
    ({"kind": "no_zero_dim"}, shaped(1, 1), shaped(1, 0)),
    ({"kind": "const_input", "inputs": ["W"]}, op({"X": tensor(), "W": W}), op({"X": tensor(), "W": tensor()})),
    ({"kind": "const_value", "tensor": "W", "min": 1}, op({"W": constant([1, 2])}), op({"W": constant([0.5])})),
    ({"kind": "const_value", "tensor": "W", "in": [0, 2]}, op({"W": constant([0, 2])}), op({"W": constant([1])})),
    ({"kind": "const_value", "tensor": "W", "equal": 0}, op({"W": constant(0)}), op({"W": constant(1)})),
    ({"kind": "const_value", "tensor": "W", "none_equal": 0}, op({"W": constant([1])}), op({"W": constant([1, 0])})),
    (
        {"kind": "attr_in", "attr": "dilations", "values": [1], "elementwise": True},
        op(attributes={"dilations": (1, 1)}),
        op(attributes={"dilations": (1, 2)}),
    ),
    (
        {"kind": "attr_in", "attr": "activations", "values": [["Sigmoid", "Tanh"]]},
        op(attributes={"activations": ("Sigmoid", "Tanh")}),
        op(attributes={"activations": ("Tanh", "Sigmoid")}),
    ),
    (
        {"kind": "attr_not_in", "attr": "mode", "values": ["wrap"]},
        op(attributes={"mode": "edge"}),
        op(attributes={"mode": "wrap"}),
    ),
    ({"kind": "attr_absent", "attrs": ["clip"]}, op(), op(attributes={"clip": 1.0})),
    (
        {"kind": "attr_range", "attr": "kernel_shape", "min": 1, "max": 32},
        op(attributes={"kernel_shape": (1, 32)}),
        op(attributes={"kernel_shape": (1, 33)}),
    ),
    ({"kind": "axis_in", "values": [-1]}, op(attributes={"axis": 3}), op(attributes={"axis": -2})),
    ({"kind": "dim_range", "tensor": "X", "dim": "C", "max": 8}, shaped(1, 8, 9, 9), shaped(1, 9, 8, 8)),
    ({"kind": "dim_range", "dim": "non-batch", "max": 8}, shaped(9, 8), shaped(8, 9)),
    ({"kind": "dim_range", "dim": -1, "min": 2, "max": 2}, shaped(5, 2), shaped(5, 3)),
    (
        {"kind": "dim_range", "dim": "axis", "max": 8},
        op(attributes={"axis": 1}),
        op({"X": tensor((1, 9))}, None, {"axis": 1}),
    ),
    ({"kind": "dim_multiple", "tensor": "X", "dim": "C", "of": 16}, shaped(1, 32), shaped(1, 33)),
    ({"kind": "dim_in", "tensor": "X", "dim": "K", "of": [2, 4]}, shaped(9, 4), shaped(9, 3)),
    ({"kind": "input_count", "min": 2, "max": 2}, op({"A": tensor(), "B": tensor()}), op({"A": tensor(), "B": None})),
    ({"kind": "input_count", "variable_max": 1}, op({"A": tensor(), "B": W}), op({"A": tensor(), "B": tensor()})),
    ({"kind": "output_count", "max": 1}, op(), op(None, {"Y": tensor(), "Z": tensor()})),
    (
        {"kind": "broadcast", "allowed": ["same", "NC11"]},
        op({"A": tensor(), "B": tensor((1, 4, 1, 1))}),
        op({"A": tensor(), "B": tensor((1, 1, 8, 8))}),
    ),
    (
        {"kind": "broadcast", "allowed": ["same"], "constants": ["1C11"]},
        op({"A": tensor(), "B": constant(np.ones((4, 1, 1)))}),
        op({"A": tensor(), "B": tensor((4, 1, 1))}),
    ),
    ({"kind": "opset", "min": 7, "max": 17}, op(), op(opset=18)),
    ({"kind": "opset", "values": [17]}, op(opset=17), op(opset=16)),
    ({"kind": "quant", "required": True}, INT8, op()),
    ({"kind": "quant", "forbidden": True}, op(), INT8),
    (
        {"kind": "quant", "scheme": ["per_tensor"], "tensor": "X"},
        INT8,
        op({"X": quantized(tensor(), channels=4)}),
    ),
    (
        {"kind": "quant", "scheme": ["per_tensor", "per_channel"], "axis": 0},
        op({"X": quantized(tensor(), channels=4)}),
        op({"X": replace(quantized(tensor(), channels=4), quant=QuantView("per_channel", 1, None, None, "int8"))}),
    ),
    (
        {"kind": "quant", "per_channel_only_for": ["Conv"]},
        op({"X": quantized(tensor(), channels=4)}),
        op({"X": quantized(tensor(), channels=4)}, op_type="Add"),
    ),
    ({"kind": "quant", "zero_point": 0}, INT8, op({"X": quantized(tensor(), zero_point=1)})),
    (
        {"kind": "quant", "same_scale": ["X", "Y"]},
        INT8,
        op({"X": quantized(tensor())}, {"Y": quantized(tensor(), scale=0.25)}),
    ),
    (
        {"kind": "predicate", "expr": "X.C % group == 0", "says": "the channels must be a multiple of group"},
        op(attributes={"group": 2}),
        op(attributes={"group": 3}),
    ),
    (
        {"kind": "table", "key": "perm", "rows": {"(0,2,3,1)": "X.C < 8192", "(1,0)": "False"}, "says": "a known perm"},
        op(attributes={"perm": (0, 2, 3, 1)}),
        op(attributes={"perm": (1, 0)}),
    ),
    ({"kind": "mode_in", "values": ["fp16"]}, op(), op()),
    ({"kind": "arch", "property": "htp_arch", "min": 75}, op(), op()),
    ({"kind": "lowering", "how": "native"}, op(), op()),
    (
        {"kind": "only_in_pattern", "pattern": "Sub->Pow", "producers": ["Sub"]},
        op(producers=("Sub", "")),
        op(producers=("Add", "")),
    ),
    (
        {"kind": "only_in_pattern", "pattern": "Sqrt->Reciprocal", "consumers": ["Reciprocal"]},
        op(consumers=("Reciprocal",)),
        op(),
    ),
]
BY_CONTEXT: dict[str, dict[str, Scalar]] = {"mode_in": {"mode": "int8"}, "arch": {"htp_arch": 74}}
"""Kinds that judge the variant, not the operator, with a variant that breaks the case above."""

NEVER_BROKEN = {"engine", "lowering", "static_shape"}
"""`engine` and `lowering` inform; a symbolic shape makes `static_shape` undecidable (tested below)."""


def rule_of(fields: dict[str, object]) -> Rule:
    return ADAPTER.validate_python(fields)


@pytest.mark.parametrize(("fields", "kept", "broken"), CASES, ids=lambda item: str(item)[:60])
def test_both_sides_of_the_limit(fields: dict[str, object], kept: OperatorView, broken: OperatorView) -> None:
    rule = rule_of(fields)
    assert rule.check(kept, CONTEXT) is None
    if rule.kind in NEVER_BROKEN:
        return
    context = Context({**CONTEXT.properties, **BY_CONTEXT.get(rule.kind, {})}, {})
    outcome = rule.check(broken, context)
    assert isinstance(outcome, Broken)
    assert outcome.got
    assert rule.limit()
    assert " " in rule.sentence()


def test_every_kind_is_tested() -> None:
    union = get_args(get_args(AnyRule)[0])
    kinds = {get_args(cls.model_fields["kind"].annotation)[0] for cls in union}
    assert {str(fields["kind"]) for fields, _, _ in CASES} == kinds - {"engine", "static_shape"}


def test_the_host_lowering_refuses() -> None:
    assert isinstance(rule_of({"kind": "lowering", "how": "host"}).check(op(), CONTEXT), Broken)


def test_a_symbolic_shape_is_undecidable_and_says_what_to_pin() -> None:
    rule = rule_of({"kind": "static_shape"})
    outcome = rule.check(shaped("batch", 3), CONTEXT)
    assert outcome == Undecidable("dimension 0 (batch) of 't'", "pin it: --dim batch=1")
    assert rule_of({"kind": "static_shape", "except_dims": [0]}).check(shaped("batch", 3), CONTEXT) is None
    assert rule.check(shaped(2, 3), CONTEXT) is None


def test_a_dimension_without_a_name_is_pinned_by_the_shape_of_the_input() -> None:
    nameless = replace(tensor(shape=("unk__7", 2048)), name="bytes", is_graph_input=True)
    assert pin(nameless) == "pin it: --shape bytes=1,2048"
    assert pin(replace(nameless, is_graph_input=False)).startswith("give the shapes of the model's inputs")


@pytest.mark.parametrize(
    ("fields", "view"),
    [
        ({"kind": "dim_range", "dim": "any", "max": 8}, shaped("batch", 4)),
        ({"kind": "rank", "tensor": "X", "max": 4}, op({"X": tensor(None)})),
        ({"kind": "dtype", "tensor": "X", "in": ["int8"]}, op({"X": tensor(dtype=None)})),
        ({"kind": "const_value", "tensor": "W", "min": 0}, op({"W": tensor()})),
        ({"kind": "predicate", "expr": "X.N == 1", "says": "one image"}, shaped("batch", 4)),
        ({"kind": "arch", "property": "driver", "min": 3}, op()),
        ({"kind": "attr_range", "attr": "pads", "min": 0, "max": 3}, op({"X": tensor(), "W": tensor(None)})),
    ],
)
def test_a_missing_fact_is_undecidable(fields: dict[str, object], view: OperatorView) -> None:
    assert isinstance(rule_of(fields).check(view, CONTEXT), Undecidable)


def test_a_dimension_out_of_limits_counts_more_than_a_symbolic_one() -> None:
    rule = rule_of({"kind": "dim_range", "dim": "any", "max": 8})
    assert isinstance(rule.check(shaped("batch", 9), CONTEXT), Broken)


def test_an_absent_optional_input_keeps_every_rule_about_it() -> None:
    view = op({"X": tensor(), "B": None})
    rules: list[dict[str, object]] = [
        {"kind": "const_input", "inputs": ["B"]},
        {"kind": "dtype", "tensor": "B", "in": ["int32"]},
        {"kind": "const_value", "tensor": "B", "min": 1},
    ]
    for fields in rules:
        assert rule_of(fields).check(view, CONTEXT) is None


def test_when_decides_whether_a_rule_applies() -> None:
    fields: dict[str, object] = {"kind": "rank", "tensor": "X", "max": 2, "when": "mode == 'reflect'"}
    rule = rule_of(fields)
    assert rule.check(op(attributes={"mode": "edge"}), CONTEXT) is None
    assert isinstance(rule.check(op(attributes={"mode": "reflect"}), CONTEXT), Broken)
    undecided = rule_of({**fields, "when": "X.N == 1"})
    assert isinstance(undecided.check(shaped("batch", 3, 4), CONTEXT), Undecidable)
    assert undecided.check(shaped("batch", 3), CONTEXT) is None


def test_when_dtype_selects_tensors() -> None:
    rule = rule_of({"kind": "rank", "tensor": "*", "max": 2, "when_dtype": ["int8"]})
    assert rule.check(op({"X": tensor()}, {"Y": tensor((1, 2), "int8")}), CONTEXT) is None
    outcome = rule.check(op({"X": tensor()}, {"Y": tensor((1, 2, 3), "int8")}), CONTEXT)
    assert outcome == Broken("Y: rank 3")


def test_implied_window_attributes_are_worked_out() -> None:
    same = op(
        {"X": tensor((1, 4, 7, 7)), "W": tensor((8, 4, 3, 3))},
        attributes={"auto_pad": "SAME_LOWER", "strides": (2, 2)},
    )
    rule = rule_of({"kind": "attr_in", "attr": "pads", "values": [[1, 1, 1, 1]]})
    assert rule.check(same, CONTEXT) is None
    rule = rule_of({"kind": "predicate", "expr": "kernel_shape == (3, 3) and dilations == (1, 1)", "says": "3x3"})
    assert rule.check(same, CONTEXT) is None


@given(low=st.integers(-5, 5), width=st.integers(0, 5), value=st.integers(-12, 12), exclusive=st.booleans())
def test_bounds_keep_exactly_what_is_between_them(low: int, width: int, value: int, exclusive: bool) -> None:
    rule = rule_of({"kind": "attr_range", "attr": "a", "min": low, "max": low + width, "exclusive_max": exclusive})
    kept = low <= value < low + width if exclusive else low <= value <= low + width
    assert (rule.check(op(attributes={"a": value}), CONTEXT) is None) == kept


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "rank"},
        {"kind": "dim_range", "dim": "C"},
        {"kind": "attr_range", "attr": "pads", "min": 3, "max": 1},
        {"kind": "const_value", "tensor": "W"},
        {"kind": "input_count"},
        {"kind": "output_count"},
        {"kind": "opset"},
        {"kind": "arch", "property": "soc"},
        {"kind": "quant"},
        {"kind": "quant", "required": True, "forbidden": True},
        {"kind": "only_in_pattern", "pattern": "a->b"},
        {"kind": "broadcast", "allowed": ["[same, NC11]"]},
        {"kind": "predicate", "expr": "1 == 1"},
        {"kind": "predicate", "expr": "open('x')", "says": "no"},
        {"kind": "rank", "max": 4, "colour": "red"},
        {"kind": "telepathy"},
    ],
    ids=str,
)
def test_a_rule_that_says_nothing_or_too_much_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        rule_of(fields)
