"""The graph of an ONNX model, and the only package that reads or writes ONNX."""

# ruff: noqa: E402  imports are put off before the first of them
from dovetail.ir.deferred import defer_imports

defer_imports()

from dovetail.ir.binding import Bindings
from dovetail.ir.extract import Border, Serializer, border, extract, inline, is_constant
from dovetail.ir.graph import Graph
from dovetail.ir.half import round_to_half
from dovetail.ir.infer import infer
from dovetail.ir.lineage import COPY_OF
from dovetail.ir.load import Fixable, bound_arrays, fixable, load_model
from dovetail.ir.names import unique_name
from dovetail.ir.nested import (
    bodies,
    captured_values,
    has_bodies,
    nested_graphs,
    nested_nodes,
    read_values,
    release_bodies,
)
from dovetail.ir.schema import AttributeValue, OpSchema, attributes, formal_names, op_schema, opset_version
from dovetail.ir.values import byte_size, dtype_name, shape_of, tensor_spec, value_info
from dovetail.ir.weights import WeightsFile

__all__ = [
    # loading and saving
    "Bindings",
    "load_model",
    "bound_arrays",
    "Fixable",
    "fixable",
    "Border",
    "Serializer",
    "border",
    "extract",
    "inline",
    "round_to_half",
    "WeightsFile",
    # the graph
    "Graph",
    "infer",
    "COPY_OF",
    "is_constant",
    "unique_name",
    "bodies",
    "captured_values",
    "has_bodies",
    "nested_graphs",
    "nested_nodes",
    "read_values",
    "release_bodies",
    # operators
    "AttributeValue",
    "OpSchema",
    "attributes",
    "formal_names",
    "op_schema",
    "opset_version",
    # values
    "byte_size",
    "dtype_name",
    "shape_of",
    "tensor_spec",
    "value_info",
]
