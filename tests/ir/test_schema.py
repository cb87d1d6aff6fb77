"""What the ONNX standard says of an operator, in the form that support rules use."""

import numpy as np
import pytest
from tests.conftest import model_from_text

from dovetail.ir import attributes, byte_size, formal_names, load_model, op_schema, opset_version, tensor_spec
from dovetail.plan import TensorSpec


def test_known_operator() -> None:
    schema = op_schema("Conv", "", 17)
    assert schema.inputs == ("X", "W", "B")
    assert schema.outputs == ("Y",)
    assert schema.defaults["group"] == 1
    assert schema.defaults["auto_pad"] == "NOTSET"
    assert "strides" not in schema.defaults
    assert op_schema("Conv", "ai.onnx", 17) == schema


def test_versions() -> None:
    assert op_schema("Squeeze", "", 11).inputs == ("data",)
    assert op_schema("Squeeze", "", 13).inputs == ("data", "axes")
    assert op_schema("Softmax", "", 11).defaults["axis"] == 1
    assert op_schema("Softmax", "", 13).defaults["axis"] == -1


@pytest.mark.parametrize(
    ("op_type", "domain", "version"), [("Nothing", "", 17), ("Conv", "custom", 1), ("Gelu", "", 17), ("Conv", "", 0)]
)
def test_unknown_operator(op_type: str, domain: str, version: int) -> None:
    schema = op_schema(op_type, domain, version)
    assert (schema.inputs, schema.outputs, dict(schema.defaults)) == ((), (), {})


@pytest.mark.parametrize(
    ("names", "count", "expected"),
    [
        ((), 2, ("", "")),
        (("X", "W", "B"), 2, ("X", "W")),
        (("X", "W", "B"), 3, ("X", "W", "B")),
        (("inputs",), 3, ("inputs",) * 3),
        (("a", "rest"), 4, ("a", "rest", "rest", "rest")),
        (("a",), 0, ()),
    ],
)
def test_formal_names(names: tuple[str, ...], count: int, expected: tuple[str, ...]) -> None:
    assert formal_names(names, count) == expected


def test_attributes() -> None:
    graph = load_model(
        model_from_text(
            """g (float[1,2,4,4] x, bool c) => (float[1,2,2,2] y, float[2] z) {
                [pool] y = AveragePool <kernel_shape = [2, 2], strides = [2, 2]> (x)
                [shape] s = Constant <value = int64[1] {2}> ()
                [fill] z = ConstantOfShape <value = float[1] {3}> (s)
                [if] w = If (c) <
                    then_branch = then () => (float[2] t) { t = Neg(z) },
                    else_branch = other () => (float[2] e) { e = Exp(z) }
                >
            }"""
        )
    )
    pool = attributes(graph.node("pool"), 17)
    assert pool["kernel_shape"] == (2, 2)
    assert (pool["auto_pad"], pool["ceil_mode"], pool["count_include_pad"]) == ("NOTSET", 0, 0)
    np.testing.assert_array_equal(np.asarray(attributes(graph.node("fill"), 17)["value"]), [3])
    assert attributes(graph.node("if"), 17) == {"then_branch": "graph", "else_branch": "graph"}


def test_opset_version() -> None:
    graph = load_model(
        model_from_text(
            '<ir_version: 8, opset_import: ["": 17, "custom": 3]> g (float[2] x) => (float[2] y) { y = custom.A(x) }'
        )
    )
    assert [opset_version(graph.model, domain) for domain in ("", "ai.onnx", "custom", "other")] == [17, 17, 3, 1]


@pytest.mark.parametrize(
    ("dtype", "shape", "expected"),
    [
        ("float32", (2, 3), 24),
        ("float16", (), 2),
        ("bool", (3,), 3),
        ("int4", (3,), 2),
        ("bfloat16", (0, 5), 0),
        ("complex128", (1,), 16),
        ("float32", ("N", 3), None),
        ("float32", (None,), None),
        ("float32", None, None),
        ("string", (2,), None),
        ("unknown", (2,), None),
    ],
)
def test_byte_size(dtype: str, shape: tuple[int | str | None, ...] | None, expected: int | None) -> None:
    assert byte_size(TensorSpec("x", dtype, shape)) == expected


def test_tensor_spec() -> None:
    graph = load_model(model_from_text("g (float16[N,2] x, string[1] s) => (float16[N,2] y) { y = Neg(x) }"))
    assert [tensor_spec(value) for value in graph.inputs] == [
        TensorSpec("x", "float16", ("N", 2)),
        TensorSpec("s", "string", (1,)),
    ]
