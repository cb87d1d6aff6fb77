"""What a support rule sees of a node."""

import numpy as np
import pytest
from tests.passes.conftest import graph_of

from dovetail.passes.tagging.views import operator_view

GROUP = """g (uint8[1,2,4] q) => (uint8[1,2,4] y)
    <float s = {0.5}, uint8 z = {3}, float[2] cs = {0.5, 0.25}, uint8[2] cz = {1, 2}, uint8[2,1] w = {5, 6}> {
        [dq] a = DequantizeLinear(q, s, z)
        [dw] b = DequantizeLinear <axis = 0> (w, cs, cz)
        [op] c = Mul(a, b)
        [act] d = Relu(c)
        [q] y = QuantizeLinear(d, cs, cz)
    }"""


def test_plain_operator() -> None:
    graph = graph_of(
        """g (float[N,2] x) => (float[N,3] y) <float[2,3] w = {1, 2, 3, 4, 5, 6}>
        { [a] u = Relu(x) [b] v = Gemm(u, w) [c] y = Clip(v) }"""
    )
    view = operator_view(graph, graph.node("b"))
    assert (view.name, view.op_type, view.domain, view.opset, view.quantized) == ("b", "Gemm", "", 17, False)
    assert view.input_names == ("A", "B")
    assert view.output_names == ("Y",)
    assert view.producers == ("Relu", "")
    assert view.consumers == ("Clip",)
    assert (view.attributes["alpha"], view.attributes["transB"]) == (1.0, 0)
    first, second = view.inputs
    assert first is not None
    assert second is not None
    assert (first.name, first.dtype, first.shape, first.constant, first.quant) == ("u", "float32", ("N", 2), None, None)
    assert second.constant is not None
    np.testing.assert_array_equal(second.constant(), [[1, 2, 3], [4, 5, 6]])
    assert not first.is_graph_input


def test_absent_inputs_and_graph_inputs() -> None:
    graph = graph_of("g (float[2] x, float high) => (float[2] y) { [a] y = Clip(x, , high) }")
    view = operator_view(graph, graph.node("a"))
    assert [value and value.is_graph_input for value in view.inputs] == [True, None, True]
    assert view.producers == ("", "", "")
    assert view.input_names == ("input", "min", "max")


def test_variadic_inputs_repeat_the_last_name() -> None:
    graph = graph_of("g (float[2] x) => (float[6] y) { [a] y = Concat <axis = 0> (x, x, x) }")
    assert operator_view(graph, graph.node("a")).input_names == ("inputs",) * 3


def test_group_shows_the_integers() -> None:
    graph = graph_of(GROUP)
    view = operator_view(graph, graph.node("op"), [graph.node(name) for name in graph])
    assert view.quantized
    data, weights = view.inputs
    assert data is not None
    assert weights is not None
    assert (data.name, data.dtype, data.shape, data.is_graph_input) == ("a", "uint8", (1, 2, 4), True)
    assert data.quant is not None
    assert (data.quant.scheme, data.quant.axis, data.quant.dtype) == ("per_tensor", None, "uint8")
    assert weights.quant is not None
    assert (weights.quant.scheme, weights.quant.axis) == ("per_channel", 0)
    np.testing.assert_array_equal(weights.quant.scale, [0.5, 0.25])
    np.testing.assert_array_equal(weights.quant.zero_point, [1, 2])
    assert weights.constant is not None
    np.testing.assert_array_equal(weights.constant(), [[5], [6]])


@pytest.mark.parametrize("name", ["op", "act"])
def test_result_in_a_group_is_what_the_quantizer_makes_of_it(name: str) -> None:
    graph = graph_of(GROUP)
    (result,) = operator_view(graph, graph.node(name), [graph.node(each) for each in graph]).outputs
    assert result is not None
    assert (result.name, result.dtype) == (graph.node(name).outputs[0].name, "uint8")
    assert result.quant is not None
    assert (result.quant.scheme, result.quant.axis) == ("per_channel", 1)


def test_activation_in_a_group_reads_what_it_hands_on() -> None:
    """As the device computes them, in one step; a float operand would keep the group off every integer NPU."""
    graph = graph_of(GROUP)
    view = operator_view(graph, graph.node("act"), [graph.node(each) for each in graph])
    (operand,) = view.inputs
    assert operand is not None
    assert (operand.name, operand.dtype) == ("c", "uint8")
    assert operand.quant is not None
    assert (operand.quant.scheme, operand.quant.axis) == ("per_channel", 1)


@pytest.mark.parametrize(
    ("scale", "values", "attributes", "scheme", "axis"),
    [
        ("float s", "{1}", "", "per_tensor", None),
        ("float[1] s", "{1}", "<axis = -3>", "per_tensor", None),
        ("float[2] s", "{1, 2}", "", "per_channel", 1),
        ("float[4] s", "{1, 2, 3, 4}", "<axis = -1>", "per_channel", 2),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_scheme_and_axis(scale: str, values: str, attributes: str, scheme: str, axis: int | None, known: bool) -> None:
    """The shape of the scale decides, which is known even where its value is an input."""
    inputs, constants = ("", f"<{scale} = {values}>") if known else (f", {scale}", "")
    graph = graph_of(
        f"g (uint8[1,2,4] q{inputs}) => (float[1,2,4] y) {constants}"
        f"{{ [dq] a = DequantizeLinear {attributes} (q, s) [op] y = Exp(a) }}"
    )
    (operand,) = operator_view(graph, graph.node("op"), [graph.node(each) for each in graph]).inputs
    assert operand is not None
    assert operand.quant is not None
    assert (operand.quant.scheme, operand.quant.axis) == (scheme, axis)
    assert (operand.quant.scale is not None) == known


def test_outside_a_group_nothing_is_quantized() -> None:
    graph = graph_of(GROUP)
    view = operator_view(graph, graph.node("op"))
    assert not view.quantized
    assert [value and value.dtype for value in (*view.inputs, *view.outputs)] == ["float32"] * 3


def test_bodies_read_as_the_word_graph() -> None:
    graph = graph_of(
        """g (float[2] x, bool c) => (float[2] y) {
            [if] y = If (c) <
                then_branch = then () => (float[2] t) { [n] t = Neg(x) },
                else_branch = other () => (float[2] e) { e = Exp(x) }
            >
        }"""
    )
    assert operator_view(graph, graph.node("if")).attributes["then_branch"] == "graph"
    (negation, _) = graph.nested("if")
    assert operator_view(graph, negation).op_type == "Neg"
