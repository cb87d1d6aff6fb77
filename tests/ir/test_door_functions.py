"""Model-local functions: what they call, how large they become, and whether calls fit."""

import time

import numpy as np
import pytest
from onnx import AttributeProto, FunctionProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from dovetail.ir.door import budgets, open_model
from dovetail.plan.errors import ModelError

FLOAT = TensorProto.FLOAT
IMPORTS = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]


def call(name: str, source: str = "a", target: str = "b") -> NodeProto:
    return helper.make_node(name, [source], [target], domain="local", name=f"call_{name}")


def function(
    name: str, *nodes: NodeProto, inputs: tuple[str, ...] = ("a",), attributes: tuple[str, ...] = ()
) -> FunctionProto:
    return helper.make_function("local", name, list(inputs), ["b"], list(nodes), IMPORTS, list(attributes))


def model_of(*functions: FunctionProto, node: NodeProto | None = None) -> ModelProto:
    """y = functions[0](x)."""
    graph = helper.make_graph(
        [node or call(functions[0].name, "x", "y")],
        "g",
        [helper.make_tensor_value_info("x", FLOAT, [3])],
        [helper.make_tensor_value_info("y", FLOAT, [3])],
    )
    return helper.make_model(graph, functions=list(functions), opset_imports=IMPORTS, ir_version=10)


def relu(source: str = "a", target: str = "b") -> NodeProto:
    return helper.make_node("Relu", [source], [target])


def if_node(then: NodeProto, target: str = "b") -> NodeProto:
    info = [helper.make_tensor_value_info("r", FLOAT, None)]
    then_branch = helper.make_graph([then], "then", [], info)
    else_branch = helper.make_graph([relu("a", "r")], "else", [], info)
    return helper.make_node("If", ["c"], [target], then_branch=then_branch, else_branch=else_branch)


def condition() -> NodeProto:
    return helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.array(True)))


def chain(length: int) -> ModelProto:
    """F0 calls F1, and so on; the last has one node."""
    calls = [function(f"F{i}", call(f"F{i + 1}")) for i in range(length - 1)]
    return model_of(*calls, function(f"F{length - 1}", relu()))


def doubling(length: int) -> ModelProto:
    """2**(length - 1) nodes from `length` functions."""
    halves = [function(f"F{i}", call(f"F{i + 1}", "a", "m"), call(f"F{i + 1}", "m", "b")) for i in range(length - 1)]
    return model_of(*halves, function(f"F{length - 1}", relu()))


def refusal(model: ModelProto) -> str:
    start = time.perf_counter()
    with pytest.raises(ModelError) as caught:
        open_model(model)
    assert time.perf_counter() - start < 5
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_functions_are_accepted_in_any_order() -> None:
    open_model(model_of(function("F", call("G")), function("G", relu())))


def test_depth_has_a_budget() -> None:
    open_model(chain(budgets.MAX_CALL_DEPTH))
    assert "more than 100 functions deep" in refusal(chain(budgets.MAX_CALL_DEPTH + 1))
    assert "more than 100 functions deep" in refusal(chain(5000))


def test_size_after_inlining_has_a_budget() -> None:
    open_model(doubling(20))  # 2**19 nodes
    assert "1048576 nodes after its functions are inlined" in refusal(doubling(21))
    assert "more than 2**60 nodes" in refusal(doubling(61))


def test_calls_in_bodies_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dovetail.ir.door.functions.MAX_INLINED_NODES", 5)
    inner = function("G", relu("a", "m"), relu("m", "b"))
    open_model(model_of(function("F", condition(), if_node(call("G", "a", "r"))), inner))  # 2 + 1 + 2
    monkeypatch.setattr("dovetail.ir.door.functions.MAX_INLINED_NODES", 4)
    assert "5 nodes" in refusal(model_of(function("F", condition(), if_node(call("G", "a", "r"))), inner))


@pytest.mark.parametrize(
    "functions",
    [
        [function("F", call("F"))],
        [function("F", call("G")), function("G", call("F"))],
        [function("F", condition(), if_node(call("F", "a", "r")))],
        [function("F", condition(), if_node(call("G", "a", "r"))), function("G", call("F"))],
        [function("Used", relu()), function("F", call("G")), function("G", call("F"))],
    ],
    ids=["itself", "two", "through a body", "two through a body", "never called"],
)
def test_call_cycles(functions: list[FunctionProto]) -> None:
    assert "calls itself" in refusal(model_of(*functions))


def test_a_function_may_be_defined_once_for_each_overload() -> None:
    other = function("F", relu())
    assert "is defined twice" in refusal(model_of(function("F", relu()), other))
    other.overload = "other"
    open_model(model_of(function("F", relu()), other))


def test_values_inside_are_checked() -> None:
    assert "in function 'local::F': reads the value 'x'" in refusal(model_of(function("F", relu("x"))))
    assert "output 'b' in function 'local::F'" in refusal(model_of(function("F", relu("a", "z"))))
    assert "cycle of 1" in refusal(model_of(function("F", helper.make_node("Add", ["a", "b"], ["b"]))))
    assert "is declared twice" in refusal(model_of(function("F", relu(), inputs=("a", "a"))))


def test_operators_inside_follow_the_functions_own_opset() -> None:
    body = function("F", helper.make_node("Gelu", ["a"], ["b"]))
    assert "'Gelu' is not an operator" in refusal(model_of(body))
    body.opset_import[0].version = 20
    open_model(model_of(body))
    del body.opset_import[0]
    assert "has no opset_import" in refusal(model_of(body))


def test_calls_that_do_not_fit() -> None:
    add = function("F", helper.make_node("Add", ["a", "k"], ["b"]), inputs=("a", "k"))

    def node(inputs: list[str], outputs: list[str]) -> NodeProto:
        return helper.make_node("F", inputs, outputs, domain="local", name="n")

    open_model(model_of(add, node=node(["x", "x"], ["y"])))
    assert "has 2 inputs, got 3" in refusal(model_of(add, node=node(["x", "x", "x"], ["y"])))
    assert "has 1 outputs, got 2" in refusal(model_of(add, node=node(["x", "x"], ["y", "z"])))
    assert "needs its input 1" in refusal(model_of(add, node=node(["x"], ["y"])))
    assert "needs its input 0" in refusal(model_of(add, node=node(["", "x"], ["y"])))


def test_an_input_that_only_an_inner_call_needs() -> None:
    inner = function("G", helper.make_node("Add", ["a", "k"], ["b"]), inputs=("a", "k"))
    outer = function("F", helper.make_node("G", ["a", "o"], ["b"], domain="local"), inputs=("a", "o"))
    assert "needs its input 1" in refusal(model_of(outer, inner))


def test_an_optional_input_may_be_left_out() -> None:
    clip = function("F", helper.make_node("Clip", ["a", "low"], ["b"]), inputs=("a", "low"))
    open_model(model_of(clip))


def with_attribute() -> FunctionProto:
    body = function("F", helper.make_node("Softmax", ["a"], ["b"]), attributes=("where",))
    body.node[0].attribute.append(AttributeProto(name="axis", type="INT", ref_attr_name="where"))
    return body


def test_attributes_of_functions() -> None:
    body = with_attribute()
    node = call("F", "x", "y")
    assert "needs the attribute 'where'" in refusal(model_of(body, node=node))
    node.attribute.append(helper.make_attribute("where", 0))
    open_model(model_of(body, node=node))
    body.node[0].attribute[0].ref_attr_name = "nowhere"
    assert "refers to 'nowhere'" in refusal(model_of(body, node=node))


def test_attributes_with_a_default() -> None:
    body = with_attribute()
    del body.attribute[:]
    body.attribute_proto.append(helper.make_attribute("where", 0))
    open_model(model_of(body))
    body.attribute.append("where")
    assert "declares an attribute twice" in refusal(model_of(body))


def test_a_reference_with_a_value() -> None:
    body = with_attribute()
    body.node[0].attribute[0].i = 1
    node = call("F", "x", "y")
    node.attribute.append(helper.make_attribute("where", 0))
    assert "has a value too" in refusal(model_of(body, node=node))


def nested(depth: int) -> ModelProto:
    """An If in an If, `depth` bodies deep."""
    node = relu("x", "r")
    for _ in range(depth):
        branch = helper.make_graph([node], "body", [], [helper.make_tensor_value_info("r", FLOAT, None)])
        node = helper.make_node("If", ["c"], ["r"], then_branch=branch)
        node.attribute.append(AttributeProto(name="else_branch", type="GRAPH"))
        other = node.attribute[1].g
        other.node.append(relu("x", "r"))
        other.output.append(helper.make_tensor_value_info("r", FLOAT, None))
    node.output[0] = "y"
    model = model_of(function("F", relu()), node=node)
    model.graph.input.append(helper.make_tensor_value_info("c", TensorProto.BOOL, []))
    return model


def test_bodies_have_a_depth_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    open_model(nested(budgets.MAX_SUBGRAPH_DEPTH))
    monkeypatch.setattr("dovetail.ir.door.blocks.MAX_SUBGRAPH_DEPTH", 31)
    assert "nested more than 31 deep" in refusal(nested(32))


def test_bodies_deeper_than_protobuf_reads() -> None:
    def field(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2]) + varint(len(content)) + content

    graph = b""
    for _ in range(1000):
        graph = field(1, field(5, field(6, graph)))  # graph { node { attribute { g
    with pytest.raises(ModelError, match="nested too deep"):
        open_model(field(7, graph))


def varint(value: int) -> bytes:
    digits = []
    while value >= 128:
        digits.append(value % 128 + 128)
        value //= 128
    return bytes([*digits, value])


def test_nodes_have_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dovetail.ir.door.blocks.MAX_NODES", 2)
    open_model(model_of(function("F", relu())))
    assert "more than 2 nodes" in refusal(model_of(function("F", relu("a", "m"), relu("m", "b"))))
