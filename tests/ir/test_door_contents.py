"""What is inside a model file: head, tensors, types, names, operators, values."""

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnx_ir
import pytest
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from dovetail.ir.door import budgets, open_model
from dovetail.plan.errors import ModelError

FLOAT = TensorProto.FLOAT
Edit = Callable[[ModelProto], object]


def base() -> ModelProto:
    """y = x + w, by a node named `add`."""
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"], name="add")],
        "g",
        [helper.make_tensor_value_info("x", FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("y", FLOAT, ["batch", 3])],
        [numpy_helper.from_array(np.ones(3, np.float32), "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def refusal(model: ModelProto | bytes) -> str:
    with pytest.raises(ModelError) as caught:
        open_model(model)
    text = str(caught.value)
    assert "\n" not in text
    return text


def tensor(data_type: int, dims: list[int], **fields: Any) -> TensorProto:
    return TensorProto(name="w", data_type=data_type, dims=dims, **fields)


def with_weight(weight: TensorProto) -> ModelProto:
    model = base()
    model.graph.initializer[0].CopyFrom(weight)
    return model


def with_nodes(*nodes: NodeProto) -> ModelProto:
    model = base()
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)
    return model


def branch(*nodes: NodeProto, output: str = "b") -> onnx.GraphProto:
    return helper.make_graph(list(nodes), "branch", [], [helper.make_tensor_value_info(output, FLOAT, None)])


def if_node(then: onnx.GraphProto, output: str = "y") -> NodeProto:
    other = branch(helper.make_node("Relu", ["x"], ["b"]))
    return helper.make_node("If", ["c"], [output], name="if", then_branch=then, else_branch=other)


def with_condition(*nodes: NodeProto) -> ModelProto:
    model = with_nodes(*nodes)
    model.graph.input.append(helper.make_tensor_value_info("c", TensorProto.BOOL, []))
    return model


HEADS: dict[str, tuple[Edit, str]] = {
    "no ir_version": (lambda m: m.ClearField("ir_version"), "no ir_version"),
    "ir_version 0": (lambda m: setattr(m, "ir_version", 0), "got 0"),
    "ir_version -3": (lambda m: setattr(m, "ir_version", -3), "got -3"),
    "ir_version 9999": (lambda m: setattr(m, "ir_version", 9999), "got 9999"),
    "no graph": (lambda m: m.ClearField("graph"), "no graph"),
    "no output": (lambda m: m.graph.ClearField("output"), "no output"),
    "no opset": (lambda m: m.ClearField("opset_import"), "no opset_import"),
    "opset 0": (lambda m: setattr(m.opset_import[0], "version", 0), "'ai.onnx' must be in"),
    "opset 9999": (lambda m: setattr(m.opset_import[0], "version", 9999), "got 9999"),
    "ml opset 99": (lambda m: m.opset_import.add(domain="ai.onnx.ml", version=99), "'ai.onnx.ml'"),
    "custom opset -1": (lambda m: m.opset_import.add(domain="custom", version=-1), "'custom' must be at least 1"),
    "opset twice": (lambda m: m.opset_import.add(domain="ai.onnx", version=16), "at versions 17 and 16"),
}


@pytest.mark.parametrize("case", HEADS)
def test_heads_that_are_refused(case: str) -> None:
    edit, words = HEADS[case]
    model = base()
    edit(model)
    assert words in refusal(model)


def test_both_spellings_of_the_onnx_domain_become_one() -> None:
    model = base()
    model.opset_import.add(domain="ai.onnx", version=17)
    model.graph.node[0].domain = "ai.onnx"
    proto = open_model(model).proto
    assert {entry.domain for entry in proto.opset_import} == {""}
    assert proto.graph.node[0].domain == ""


def test_the_callers_model_is_left_alone() -> None:
    model = base()
    model.graph.node[0].domain = "ai.onnx"
    before = model.SerializeToString()
    open_model(model)
    assert model.SerializeToString() == before


TENSORS: dict[str, tuple[TensorProto, str]] = {
    "negative dim": (tensor(FLOAT, [-3], raw_data=b"\0" * 12), "got -3"),
    "rank 65": (tensor(FLOAT, [1] * 65, raw_data=b"\0" * 4), "rank 65"),
    "dims wrap to 0": (tensor(FLOAT, [2**30, 2**30, 16]), "overflow"),
    "dims wrap behind a 0": (tensor(FLOAT, [0, 2**30, 2**30, 16]), "overflow"),
    "one huge dim": (tensor(FLOAT, [0, 2**62]), "must be in [0, 2147483647]"),
    "no type": (tensor(0, [3], raw_data=b"\0" * 12), "data type 0"),
    "unknown type": (tensor(99, [3], raw_data=b"\0" * 12), "data type 99"),
    "raw too short": (tensor(FLOAT, [3], raw_data=b"\0" * 11), "raw_data has 11 bytes"),
    "raw too long": (tensor(FLOAT, [3], raw_data=b"\0" * 16), "raw_data has 16 bytes"),
    "nothing": (tensor(FLOAT, [3]), "has 0 values"),
    "two fields": (tensor(FLOAT, [3], raw_data=b"\0" * 12, float_data=[1, 2, 3]), "float_data and raw_data"),
    "wrong field": (tensor(FLOAT, [3], int64_data=[1, 2, 3]), "FLOAT values can't be in int64_data"),
    "too few": (tensor(FLOAT, [3], float_data=[1, 2]), "float_data has 2 values"),
    "complex": (tensor(TensorProto.COMPLEX64, [3], float_data=[1, 2, 3]), "need 6"),
    "int4 packed": (tensor(TensorProto.INT4, [3], raw_data=b"\0" * 3), "need 2"),
    "int4 entries": (tensor(TensorProto.INT4, [3], int32_data=[1, 2, 3]), "need 2"),
    "bool 2": (tensor(TensorProto.BOOL, [1], int32_data=[2]), "must be in [0, 1]"),
    "uint8 -1": (tensor(TensorProto.UINT8, [1], int32_data=[-1]), "must be in [0, 255]"),
    "int8 200": (tensor(TensorProto.INT8, [1], int32_data=[200]), "must be in [-128, 127]"),
    "raw strings": (tensor(TensorProto.STRING, [1], raw_data=b"abc"), "STRING values can't be in raw_data"),
    "too few strings": (tensor(TensorProto.STRING, [2], string_data=[b"a"]), "string_data has 1"),
    "10**9 strings": (tensor(TensorProto.STRING, [10**9]), "1000000000 strings"),
    "segment": (tensor(FLOAT, [3], segment=TensorProto.Segment(begin=0, end=1)), "segments"),
}


@pytest.mark.parametrize("case", TENSORS)
def test_tensors_that_are_refused(case: str) -> None:
    weight, words = TENSORS[case]
    text = refusal(with_weight(weight))
    assert words in text
    assert "initializer 'w'" in text
    constant = helper.make_node("Constant", [], ["y"], name="const")
    constant.attribute.add(name="value", type=AttributeProto.TENSOR).t.CopyFrom(weight)
    text = refusal(with_nodes(constant))
    assert words in text
    assert "node 'const' (Constant): attribute 'value'" in text


@pytest.mark.parametrize(
    "array",
    [
        np.ones((2, 3), np.float64),
        np.ones((), np.float16),
        np.zeros((0, 3), np.int8),
        np.ones(3, np.uint64),
        np.ones(3, np.complex128),
        np.array([True, False]),
        np.array(["a", "", "ü"], dtype=object),
        np.ones(3, ml_dtypes.bfloat16),
        np.ones(3, ml_dtypes.float8_e4m3fn),
        np.ones(3, ml_dtypes.int4),
        np.ones(5, ml_dtypes.uint2),
        np.ones(3, ml_dtypes.float4_e2m1fn),
    ],
    ids=lambda array: str(array.dtype),
)
def test_tensors_of_every_width_are_accepted(array: np.ndarray) -> None:
    proto = open_model(with_nodes(constant_of(array))).proto
    read = onnx_ir.from_proto(proto).graph[0].attributes["value"].as_tensor()
    assert read.shape == array.shape


@pytest.mark.parametrize("dtype", [FLOAT, TensorProto.INT8, TensorProto.UINT32, TensorProto.FLOAT16, TensorProto.INT4])
def test_typed_fields_are_accepted(dtype: int) -> None:
    filled = helper.make_tensor("w", dtype, [3], [1, 0, 1])
    open_model(with_nodes(helper.make_node("Constant", [], ["y"], value=filled)))


def constant_of(array: np.ndarray) -> NodeProto:
    value = numpy_helper.from_array(array, "v")
    return helper.make_node("Constant", [], ["y"], value=value)


def set_type(model: ModelProto, **dim: int | str) -> None:
    shape = model.graph.input[0].type.tensor_type.shape
    shape.dim[0].Clear()
    for key, value in dim.items():
        setattr(shape.dim[0], key, value)


def set_rank_65(model: ModelProto) -> None:
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", FLOAT, [1] * 65))


def set_overflow(model: ModelProto) -> None:
    model.graph.value_info.append(helper.make_tensor_value_info("v", FLOAT, [2**30, 2**30, 2**30]))


def set_map(model: ModelProto) -> None:
    kind = model.graph.output[0].type.sequence_type.elem_type.map_type
    kind.key_type = TensorProto.INT64
    kind.value_type.tensor_type.elem_type = FLOAT


TYPES: dict[str, tuple[Edit, str]] = {
    "dim 2**40": (lambda m: set_type(m, dim_value=2**40), "got 1099511627776"),
    "dim -2": (lambda m: set_type(m, dim_value=-2), "got -2"),
    "rank 65": (set_rank_65, "input 'x': has rank 65"),
    "overflow": (set_overflow, "value 'v'"),
    "element type 99": (lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", 99), "type 99"),
    "input without element type": (
        lambda m: m.graph.input[0].type.tensor_type.ClearField("elem_type"),
        "input 'x': has no element type",
    ),
    "input without type": (lambda m: m.graph.input[0].ClearField("type"), "input 'x': has no type"),
    "sequence of nothing": (
        lambda m: m.graph.output[0].type.sequence_type.SetInParent(),
        "output 'y': sequence_type has no element type",
    ),
    "map": (set_map, "map_type is not supported"),
    "initializer declared with another shape": (
        lambda m: m.graph.input.append(helper.make_tensor_value_info("w", FLOAT, [5])),
        "has dims [3], its declaration says [5]",
    ),
    "initializer declared with another type": (
        lambda m: m.graph.input.append(helper.make_tensor_value_info("w", TensorProto.INT8, [3])),
        "data type is not the declared one",
    ),
}


@pytest.mark.parametrize("case", TYPES)
def test_types_that_are_refused(case: str) -> None:
    edit, words = TYPES[case]
    model = base()
    edit(model)
    assert words in refusal(model)


def test_a_size_of_minus_one_becomes_unknown() -> None:
    model = base()
    set_type(model, dim_value=-1)
    dim = open_model(model).proto.graph.input[0].type.tensor_type.shape.dim[0]
    assert dim.WhichOneof("value") is None


def test_an_initializer_that_is_an_input_too_is_left() -> None:
    model = base()
    model.graph.input.append(helper.make_tensor_value_info("w", FLOAT, ["n"]))
    assert len(open_model(model).proto.graph.input) == 2


MARK = "MARKMARK"


NAMES: dict[str, Edit] = {
    "node": lambda m: setattr(m.graph.node[0], "name", MARK),
    "op_type": lambda m: setattr(m.graph.node[0], "op_type", MARK),
    "node domain": lambda m: setattr(m.graph.node[0], "domain", MARK),
    "overload": lambda m: setattr(m.graph.node[0], "overload", MARK),
    "node input": lambda m: m.graph.node[0].input.append(MARK),
    "node output": lambda m: m.graph.node[0].output.append(MARK),
    "attribute": lambda m: m.graph.node[0].attribute.add(name=MARK, type=AttributeProto.INT, i=1),
    "ref_attr_name": lambda m: m.graph.node[0].attribute.add(name="a", type=AttributeProto.INT, ref_attr_name=MARK),
    "graph": lambda m: setattr(m.graph, "name", MARK),
    "graph input": lambda m: setattr(m.graph.input[0], "name", MARK),
    "graph output": lambda m: setattr(m.graph.output[0], "name", MARK),
    "value_info": lambda m: m.graph.value_info.add(name=MARK),
    "dimension": lambda m: set_type(m, dim_param=MARK),
    "initializer": lambda m: setattr(m.graph.initializer[0], "name", MARK),
    "opset domain": lambda m: m.opset_import.add(domain=MARK, version=1),
    "model domain": lambda m: setattr(m, "domain", MARK),
    "function": lambda m: m.functions.add(name=MARK, domain="local"),
    "function domain": lambda m: m.functions.add(name="F", domain=MARK),
    "function input": lambda m: m.functions.add(name="F", domain="local", input=[MARK]),
    "quantization annotation": lambda m: m.graph.quantization_annotation.add(tensor_name=MARK),
}
TEXTS: dict[str, Edit] = {
    "doc_string of the model": lambda m: setattr(m, "doc_string", MARK),
    "producer": lambda m: setattr(m, "producer_name", MARK),
    "doc_string of a node": lambda m: setattr(m.graph.node[0], "doc_string", MARK),
    "doc_string of a tensor": lambda m: setattr(m.graph.initializer[0], "doc_string", MARK),
    "metadata": lambda m: m.metadata_props.add(key=MARK, value="v"),
    "metadata of a node": lambda m: m.graph.node[0].metadata_props.add(key="k", value=MARK),
}


@pytest.mark.parametrize("place", [*NAMES, *TEXTS])
def test_invalid_utf8_is_refused(place: str) -> None:
    model = base()
    (NAMES | TEXTS)[place](model)
    data = model.SerializeToString()
    assert MARK.encode() in data
    assert "UTF-8" in refusal(data.replace(MARK.encode(), b"a\xff\nb\xc3(.."))


@pytest.mark.parametrize("place", NAMES)
def test_nul_in_a_name_is_refused(place: str) -> None:
    model = base()
    NAMES[place](model)
    assert "NUL" in refusal(model.SerializeToString().replace(MARK.encode(), b"bad\0name"))


def test_the_longest_name_allowed() -> None:
    model = base()
    model.graph.node[0].name = "n" * budgets.MAX_NAME_LENGTH
    open_model(model)
    model.graph.node[0].name += "n"
    assert f"has {budgets.MAX_NAME_LENGTH + 1} characters" in refusal(model)


def test_names_with_line_breaks_stay_in_one_line() -> None:
    model = base()
    model.graph.node[0].name = "a\nb"
    model.graph.node[0].op_type = "Rel\nu"
    assert r"'a\nb' (Rel\nu)" in refusal(model)


def node_with(attribute: AttributeProto, op_type: str = "Softmax") -> ModelProto:
    node = helper.make_node(op_type, ["x"], ["y"], name="n")
    node.attribute.append(attribute)
    return with_nodes(node)


axis = AttributeProto(name="axis", type=AttributeProto.INT, i=1)


def twice() -> ModelProto:
    model = node_with(axis)
    model.graph.node[0].attribute.append(axis)
    return model


OPERATORS: dict[str, tuple[ModelProto, str]] = {
    "unknown operator": (with_nodes(helper.make_node("Bogus", ["x"], ["y"], name="n")), "'Bogus' is not an operator"),
    "operator of a later opset": (with_nodes(helper.make_node("Gelu", ["x"], ["y"])), "at opset 17"),
    "removed operator": (with_nodes(helper.make_node("Scatter", ["x", "x", "x"], ["y"])), "deprecated"),
    "unknown domain": (with_nodes(helper.make_node("PyOp", ["x"], ["y"], domain="com.x")), "'com.x' has no opset"),
    "no op_type": (with_nodes(NodeProto(name="n", input=["x"], output=["y"])), "node 'n' (no op_type): has no op"),
    "too few inputs": (with_nodes(helper.make_node("Add", ["x"], ["y"])), "takes 2 inputs, got 1"),
    "too many inputs": (with_nodes(helper.make_node("Add", ["x", "x", "x"], ["y"])), "takes 2 inputs, got 3"),
    "too many outputs": (with_nodes(helper.make_node("Relu", ["x"], ["y", "z"])), "has 1 outputs, got 2"),
    "no output": (with_nodes(helper.make_node("Relu", ["x"], [])), "has 1 outputs, got 0"),
    "missing attribute": (with_nodes(helper.make_node("Concat", ["x"], ["y"])), "lacks the attribute axis"),
    "Constant without output": (with_nodes(helper.make_node("Constant", [], [], value_int=1)), "outputs, got 0"),
    "attribute of another operator": (node_with(AttributeProto(name="to", type="INT", i=1)), "'to' is not one of"),
    "attribute of another type": (node_with(AttributeProto(name="axis", type="FLOAT", f=1)), "must be of type INT"),
    "attribute without type": (node_with(AttributeProto(name="axis", i=1)), "has no known type"),
    "attribute without name": (node_with(AttributeProto(type="INT", i=1)), "has no name"),
    "attribute with two values": (node_with(AttributeProto(name="axis", type="INT", i=1, f=1)), "values in f"),
    "attribute twice": (twice(), "twice"),
    "attribute of a tensor that is not there": (
        with_nodes(
            NodeProto(op_type="Constant", output=["y"], attribute=[AttributeProto(name="value", type="TENSOR")])
        ),
        "has no value",
    ),
    "attribute reference at the top": (
        node_with(AttributeProto(name="axis", type="INT", ref_attr_name="a")),
        "outside of a function",
    ),
    "attribute reference in a body": (
        with_condition(
            if_node(
                branch(node_with(AttributeProto(name="axis", type="INT", ref_attr_name="a")).graph.node[0], output="y")
            )
        ),
        "outside of a function",
    ),
    "text that is not UTF-8": (
        node_with(AttributeProto(name="axis", type=AttributeProto.STRINGS, strings=[b"\xff"])),
        "invalid UTF-8",
    ),
}


@pytest.mark.parametrize("case", OPERATORS)
def test_operators_that_are_refused(case: str) -> None:
    model, words = OPERATORS[case]
    assert words in refusal(model)


def test_attribute_bytes_have_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dovetail.ir.door.attributes.MAX_ATTRIBUTE_BYTES", 80)
    open_model(with_nodes(helper.make_node("Constant", [], ["y"], value_ints=[1] * 10)))
    assert "88 bytes" in refusal(with_nodes(helper.make_node("Constant", [], ["y"], value_ints=[1] * 11)))


def test_operators_of_other_makers_are_accepted() -> None:
    node = helper.make_node("Anything", ["x", "", "w"], ["y", "", "z"], domain="com.example", level=9)
    model = with_nodes(node)
    model.opset_import.add(domain="com.example", version=1)
    open_model(model)
    open_model(with_nodes(helper.make_node("SimplifiedLayerNormalization", ["x", "w"], ["y"], axis=-1)))


relu = helper.make_node("Relu", ["x"], ["b"])
VALUES: dict[str, tuple[ModelProto, str]] = {
    "dangling": (with_nodes(helper.make_node("Add", ["x", "gone"], ["y"], name="n")), "node 'n' (Add): reads the v"),
    "dangling in a body": (
        with_condition(if_node(branch(helper.make_node("Relu", ["gone"], ["b"], name="inner")))),
        "node 'inner' (Relu) in a body of node 'if' (If): reads the value 'gone'",
    ),
    "value of a body read outside": (
        with_condition(if_node(branch(relu), "z"), helper.make_node("Relu", ["b"], ["y"])),
        "node #1 (Relu): reads the value 'b'",
    ),
    "output that nothing makes": (with_nodes(helper.make_node("Relu", ["x"], ["z"])), "output 'y': nothing"),
    "branch that gives an outer value": (
        with_condition(if_node(branch(relu, output="x"))),
        "output 'x' in a body of node 'if'",
    ),
    "value twice": (with_nodes(*[helper.make_node("Relu", ["x"], ["y"])] * 2), "node #1 (Relu): defines the value"),
    "value that is an input": (with_nodes(helper.make_node("Relu", ["w"], ["x"])), "'x', which is defined already"),
    "value that is an initializer": (with_nodes(helper.make_node("Relu", ["x"], ["w"])), "'w', which is defined"),
    "node that reads itself": (with_nodes(helper.make_node("Add", ["x", "y"], ["y"], name="n")), "cycle of 1 nodes"),
    "cycle": (
        with_nodes(
            helper.make_node("Add", ["x", "b"], ["a"], name="first"),
            helper.make_node("Relu", ["a"], ["b"], name="second"),
            helper.make_node("Relu", ["b"], ["y"], name="third"),
        ),
        "cycle of 2 nodes",
    ),
    "cycle through a body": (
        with_condition(if_node(branch(helper.make_node("Add", ["x", "y"], ["b"])))),
        "node 'if' (If): waits for its own output",
    ),
}


@pytest.mark.parametrize("case", VALUES)
def test_values_that_are_refused(case: str) -> None:
    model, words = VALUES[case]
    assert words in refusal(model)


@pytest.mark.parametrize("values", [(1.0, 1.0), (1.0, 2.0)])
def test_an_initializer_that_is_defined_twice(values: tuple[float, float]) -> None:
    model = base()
    model.graph.ClearField("initializer")
    for value in values:
        model.graph.initializer.append(numpy_helper.from_array(np.full(3, value, np.float32), "w"))
    assert "initializer 'w': is defined twice" in refusal(model)


def test_an_input_that_is_declared_twice() -> None:
    model = base()
    model.graph.input.append(model.graph.input[0])
    assert "input 'x': is declared twice" in refusal(model)


@pytest.mark.parametrize("field", ["input", "output", "initializer", "value_info"])
def test_declarations_without_a_name(field: str) -> None:
    model = base()
    getattr(model.graph, field).add(data_type=FLOAT, dims=[0]) if field == "initializer" else getattr(
        model.graph, field
    ).add()
    assert "has no name" in refusal(model)


def test_order_and_node_names_do_not_matter() -> None:
    model = with_condition(
        if_node(branch(helper.make_node("Add", ["late", "x"], ["b"], name="n")), "z"),
        helper.make_node("Add", ["z", "late"], ["y"], name="n"),
        helper.make_node("Relu", ["x"], ["late"], name="n"),
        helper.make_node("Relu", ["x"], ["unused"]),
    )
    open_model(model)


def test_bodies_may_hide_outer_values_and_share_names() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["w"]), helper.make_node("Add", ["w", "x"], ["b"])]
    open_model(with_condition(if_node(branch(*nodes))))


def test_a_model_that_computes_nothing_is_accepted() -> None:
    model = with_nodes()
    model.graph.output[0].name = "x"
    open_model(model)


def test_training_graphs_and_device_assignments_are_dropped() -> None:
    model = base()
    model.training_info.add().algorithm.node.append(helper.make_node("Gradient", ["gone"], ["dx"]))
    model.graph.node[0].device_configurations.add(configuration_id="c")
    proto = open_model(model).proto
    assert not proto.training_info
    assert not proto.graph.node[0].device_configurations
