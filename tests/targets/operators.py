"""Operators written by hand, as the compiler shows them to support rules."""

from collections.abc import Sequence

import numpy as np
import onnx

from dovetail.targets import OperatorView, TensorView
from dovetail.targets.view import Array, Attribute

OPSET = 17


def tensor(*shape: int | str, dtype: str = "float32") -> TensorView:
    return TensorView("t", dtype, shape, None)


def constant(values: Array) -> TensorView:
    return TensorView("k", values.dtype.name, values.shape, lambda: values)


def weights(*shape: int, dtype: str = "float32") -> TensorView:
    return constant(np.ones(shape, dtype=dtype))


def ints(*values: int) -> TensorView:
    return constant(np.array(values, dtype=np.int64))


def number(value: float) -> TensorView:
    return constant(np.array(value, dtype=np.float32))


def operator(
    op_type: str, inputs: Sequence[TensorView | None], output: TensorView, **attributes: Attribute
) -> OperatorView:
    """An operator with formal names and the schema's defaults filled in, between operators that no rule speaks of."""
    schema = onnx.defs.get_schema(op_type, OPSET)
    filled: dict[str, Attribute] = {}
    for name, attribute in schema.attributes.items():
        if attribute.default_value.type:
            value = onnx.helper.get_attribute_value(attribute.default_value)
            filled[name] = value.decode() if isinstance(value, bytes) else value
    names = [formal.name for formal in schema.inputs]
    return OperatorView(
        name="node",
        op_type=op_type,
        domain="",
        opset=OPSET,
        inputs=tuple(inputs),
        outputs=(output,),
        input_names=tuple(names[min(index, len(names) - 1)] for index in range(len(inputs))),
        output_names=(schema.outputs[0].name,),
        attributes=filled | attributes,
        quantized=False,
        producers=("",) * len(inputs),
        consumers=(),
    )
