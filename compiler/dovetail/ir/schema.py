"""What the ONNX standard says of an operator: the formal names of its inputs and outputs, its default attributes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir

AttributeValue = int | float | str | tuple[int | float | str, ...] | npt.NDArray[np.generic] | None


@dataclass(frozen=True, slots=True)
class OpSchema:
    """The part of an operator's schema that support rules speak of. Empty for operators unknown to ONNX."""

    inputs: tuple[str, ...] = ()
    """Formal names; the last one stands for all further inputs where the operator is variadic."""
    outputs: tuple[str, ...] = ()
    defaults: Mapping[str, AttributeValue] = field(default_factory=dict)


@cache
def op_schema(op_type: str, domain: str, version: int) -> OpSchema:
    """The schema in force at an opset version; an empty one for an operator that ONNX does not define."""
    try:
        schema = onnx.defs.get_schema(op_type, version, "" if domain == "ai.onnx" else domain)
    except onnx.defs.SchemaError:
        return OpSchema()
    defaults = {
        name: _plain(onnx_ir.serde.deserialize_attribute(attribute.default_value))
        for name, attribute in schema.attributes.items()
        if attribute.default_value.type != onnx.AttributeProto.UNDEFINED
    }
    return OpSchema(tuple(i.name for i in schema.inputs), tuple(o.name for o in schema.outputs), defaults)


def formal_names(names: tuple[str, ...], count: int) -> tuple[str, ...]:
    """As many formal names as there are actual ones: the last is repeated; empty strings where there is no schema."""
    if not names:
        return ("",) * count
    return (names + (names[-1],) * count)[:count]


def attributes(node: onnx_ir.Node, version: int) -> dict[str, AttributeValue]:
    """Every attribute of a node as plain data, the schema's defaults filled in; a graph reads `graph`."""
    values = dict(op_schema(node.op_type, node.domain, version).defaults)
    values.update((name, _plain(attribute)) for name, attribute in node.attributes.items())
    return values


def _plain(attribute: onnx_ir.Attr) -> AttributeValue:
    if attribute.is_ref():
        return None
    if attribute.type in (onnx_ir.AttributeType.GRAPH, onnx_ir.AttributeType.GRAPHS):
        return "graph"
    if attribute.type == onnx_ir.AttributeType.TENSOR:
        return np.asarray(attribute.as_tensor().numpy())
    value = attribute.value
    if isinstance(value, int | float | str):
        return value
    if isinstance(value, tuple | list) and all(isinstance(item, int | float | str) for item in value):
        return tuple(value)
    return None


def opset_version(model: onnx_ir.Model, domain: str) -> int:
    """The opset version a model imports for a domain; 1 where it names none."""
    imports = model.opset_imports
    return int(imports.get("" if domain == "ai.onnx" else domain, 1))
