"""What makes two operators alike: everything that a rule can see, names apart."""

import dataclasses

import numpy as np
import pytest
from tests.targets.operators import ints, operator, tensor, weights

from dovetail.targets import OperatorView, QuantView, likeness
from dovetail.targets.view import Array

X, Y = tensor(1, 8, 4, 4), tensor(1, 8, 4, 4)
W = weights(8, 8, 3, 3)
CONV = operator("Conv", [X, W], Y, strides=(1, 1))


def quantized(scale: float, zero_point: Array | None) -> QuantView:
    return QuantView("per_tensor", None, np.array(scale, np.float32), zero_point, "int8")


def with_input(index: int, **fields: object) -> OperatorView:
    inputs = list(CONV.inputs)
    given = inputs[index]
    assert given is not None
    inputs[index] = dataclasses.replace(given, **fields)  # type: ignore[arg-type]
    return dataclasses.replace(CONV, inputs=tuple(inputs))


def test_names_do_not_count() -> None:
    assert likeness(dataclasses.replace(with_input(0, name="other"), name="other")) == likeness(CONV)


@pytest.mark.parametrize(
    "other",
    [
        with_input(0, dtype="float16"),
        with_input(0, shape=(1, 8, 4, "w")),
        with_input(0, is_graph_input=True),
        with_input(1, constant=None),
        with_input(1, constant=lambda: np.ones((8, 8, 3, 3), np.float32)),
        with_input(0, quant=quantized(0.5, None)),
        dataclasses.replace(CONV, inputs=(X,)),
        dataclasses.replace(CONV, outputs=(None,)),
        dataclasses.replace(CONV, op_type="ConvInteger"),
        dataclasses.replace(CONV, domain="com.microsoft"),
        dataclasses.replace(CONV, opset=11),
        dataclasses.replace(CONV, attributes={**CONV.attributes, "strides": (1, 2)}),
        dataclasses.replace(CONV, attributes={**CONV.attributes, "strides": (1.0, 1.0)}),
        dataclasses.replace(CONV, attributes={**CONV.attributes, "strides": np.array([1, 1])}),
        dataclasses.replace(CONV, quantized=True),
        dataclasses.replace(CONV, producers=("Relu", "")),
        dataclasses.replace(CONV, consumers=("Relu",)),
    ],
)
def test_what_a_rule_can_see_counts(other: OperatorView) -> None:
    assert likeness(other) != likeness(CONV)


def test_small_constants_are_compared_by_their_elements() -> None:
    one, same, other = (operator("Reshape", [X, ints(*shape)], Y) for shape in ((1, -1), (1, -1), (2, -1)))
    assert likeness(one) == likeness(same)
    assert likeness(one) != likeness(other)


def test_text_is_compared_as_text() -> None:
    one, same, other = (np.array([text], dtype=object) for text in ("ab", "".join("ab"), "ac"))
    views = [dataclasses.replace(CONV, attributes={"cats": value}) for value in (one, same, other)]
    assert likeness(views[0]) == likeness(views[1])
    assert likeness(views[0]) != likeness(views[2])


def test_scales_and_zero_points_count() -> None:
    zero = np.array(0, np.int8)
    alike = [likeness(with_input(0, quant=quantized(scale, zero))) for scale in (0.5, 0.5, 0.25)]
    assert alike[0] == alike[1] != alike[2]
    assert likeness(with_input(0, quant=quantized(0.5, None))) != alike[0]
