"""Damaged files: a ModelError or a model, never anything else; and time that grows with the file only."""

import time

import numpy as np
import onnx
import onnx_ir
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from dovetail.ir.door import open_model
from dovetail.plan.errors import ModelError

FLOAT = TensorProto.FLOAT


def info(name: str, *dims: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, FLOAT, list(dims))


def varied() -> bytes:
    """A small model with a bit of everything."""
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    function = helper.make_function("local", "F", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])], imports)
    branch = helper.make_graph([helper.make_node("Relu", ["m"], ["r"])], "branch", [], [info("r", 2)])
    nodes = [
        helper.make_node("Constant", [], ["k"], value=helper.make_tensor("k", FLOAT, [2], [1.0, 2.0])),
        helper.make_node("Add", ["x", "w"], ["s"], name="add"),
        helper.make_node("Add", ["s", "k"], ["t"]),
        helper.make_node("F", ["t"], ["m"], domain="local"),
        helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch),
    ]
    inputs = [info("x", 2), helper.make_tensor_value_info("c", TensorProto.BOOL, [])]
    weights = [numpy_helper.from_array(np.ones(2, np.float32), "w")]
    graph = helper.make_graph(nodes, "g", inputs, [info("y", 2)], weights)
    sparse = graph.sparse_initializer.add(dims=[4])
    sparse.values.CopyFrom(numpy_helper.from_array(np.ones(1, np.float32), "sparse"))
    sparse.indices.CopyFrom(numpy_helper.from_array(np.array([2]), "i"))
    model = helper.make_model(graph, functions=[function], opset_imports=imports, ir_version=10)
    return bytes(model.SerializeToString())


VARIED = varied()


def open_or_refuse(data: bytes) -> None:
    try:
        proto = open_model(data).proto
    except ModelError as problem:
        assert "\n" not in str(problem)  # noqa: PT017  # both outcomes are right
        return
    onnx_ir.from_proto(proto)


def test_the_seed_is_a_valid_model() -> None:
    assert len(open_model(VARIED).proto.graph.node) == 5


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(edits=st.lists(st.tuples(st.integers(0, len(VARIED) - 1), st.integers(0, 255)), min_size=1, max_size=3))
def test_changed_bytes(edits: list[tuple[int, int]]) -> None:
    data = bytearray(VARIED)
    for place, value in edits:
        data[place] = value
    open_or_refuse(bytes(data))


@settings(deadline=None, max_examples=100)
@given(start=st.integers(0, len(VARIED)), size=st.integers(1, 40), filler=st.binary(max_size=8))
def test_cut_and_replaced_bytes(start: int, size: int, filler: bytes) -> None:
    open_or_refuse(VARIED[:start] + filler + VARIED[start + size :])


def test_every_byte_set_to_its_complement() -> None:
    for place, value in enumerate(VARIED):
        open_or_refuse(VARIED[:place] + bytes([value ^ 0xFF]) + VARIED[place + 1 :])


def chain(size: int) -> ModelProto:
    nodes = [helper.make_node("Relu", [f"v{i}"], [f"v{i + 1}"], name=f"n{i}") for i in range(size)]
    return helper.make_model(helper.make_graph(nodes, "g", [info("v0", 1)], [info(f"v{size}", 1)]))


def reversed_chain(size: int) -> ModelProto:
    model = chain(size)
    nodes = list(model.graph.node)[::-1]
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)
    return model


def many_initializers(size: int) -> ModelProto:
    nodes = [helper.make_node("Concat", [f"w{i}" for i in range(size)], ["y"], axis=0)]
    weights = [numpy_helper.from_array(np.ones(1, np.float32), f"w{i}") for i in range(size)]
    return helper.make_model(helper.make_graph(nodes, "g", [], [info("y", size)], weights))


def many_outputs(size: int) -> ModelProto:
    nodes = [helper.make_node("Relu", ["x"], [f"y{i}"]) for i in range(size)]
    return helper.make_model(helper.make_graph(nodes, "g", [info("x", 1)], [info(f"y{i}", 1) for i in range(size)]))


def wide_function(size: int) -> ModelProto:
    """Many calls of a function with many inputs and attributes: no product of the two."""
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    inputs = [f"a{i}" for i in range(size)]
    body = [helper.make_node("Relu", ["a0"], ["b"])]
    function = helper.make_function("local", "F", inputs, ["b"], body, imports)
    function.attribute_proto.extend(helper.make_attribute(f"p{i}", 1) for i in range(size))
    nodes = [helper.make_node("F", [f"v{i}"], [f"v{i + 1}"], domain="local") for i in range(size)]
    graph = helper.make_graph(nodes, "g", [info("v0", 1)], [info(f"v{size}", 1)])
    return helper.make_model(graph, functions=[function], opset_imports=imports, ir_version=10)


@pytest.mark.parametrize("build", [chain, reversed_chain, many_initializers, many_outputs, wide_function])
def test_time_is_linear_in_the_file(build: object) -> None:
    """20,000 of a thing take well under the second or so that they may; anything quadratic takes minutes."""
    assert callable(build)
    data = build(20_000).SerializeToString()
    start = time.perf_counter()
    open_model(data)
    assert time.perf_counter() - start < 10
