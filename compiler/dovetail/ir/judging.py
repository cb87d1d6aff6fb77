"""Nodes that ONNX itself rules out: a MatMul of 2x3 by 4x5, an And of floats. No runtime makes a session of them.

Only what is certain counts. Exporters declare wrong shapes for values and outputs, which runs all the same, so that
nothing is believed here that is declared behind the inputs: types and shapes are inferred anew from the inputs and the
constants. Of what a body or the function of an operator has in it nothing is said: it may never run. And backends take
more types than ONNX lists, bfloat16 above all, so that a type is wrong only where none of its kind is on the list.
"""

import re
from typing import Final

import onnx
import onnx_ir

from dovetail.ir.door.rules import Operator
from dovetail.ir.infer import graphs_of, without_weights
from dovetail.ir.native import judge_operators
from dovetail.ir.nested import has_bodies
from dovetail.ir.schema import opset_version
from dovetail.ir.values import dtype_name, shape_of
from dovetail.plan.naming import shown

_FAULT: Final = re.compile(r"\(op_type:[^,()]*, node name: (\d{1,9})\): (?:\[\w+\] )?(.*?)(?=\(op_type:|$)")
"""How ONNX tells of one node."""
_SAYS_NOTHING: Final = re.compile(r"^$|Inference error|expected to have type")
"""Of an error inside the node, or of an input whose type was not found, which says nothing of the node."""
_UNLISTED: Final = re.compile(r"typestr: (\S+), has unsupported type: tensor\((\w+)\)")
"""A type that is not on the list: the parameter of the schema whose list it is, or the one type, and what was found."""
_SHOWN_WORDS: Final = 200
_REMEDY: Final = "correct the model, or the shapes given to it"


def check_operators(model: onnx_ir.Model) -> None:
    """Refuse a node that can't take its inputs, by the rules of its own operator.

    Linear in nodes: 0.2 s for 10,000.

    Args:
        model: a model after shape inference; nothing but inputs and constants is read.

    Raises:
        ModelError: One line that names the first such node, ONNX's words and the inputs.
    """
    words = judge_operators(_undeclared(model).SerializeToString())
    nodes = dict(enumerate(model.graph)) if words else {}
    for number, fault in _FAULT.findall(words):
        node = nodes.get(int(number))
        if node is None:  # an attribute of the file may be quoted, whatever it holds
            continue
        version = opset_version(model, node.domain)
        if has_bodies(node) or _SAYS_NOTHING.search(fault) or _is_of_a_kind(node, version, fault):
            continue
        got = ", ".join(_input(value) for value in node.inputs if value is not None)
        op = Operator(node, version)
        op.refuse(f"ONNX does not allow it ({fault.strip()[:_SHOWN_WORDS]})", got, _REMEDY)


def _is_of_a_kind(node: onnx_ir.Node, version: int, fault: str) -> bool:
    """Whether the fault is a type that is not on an operator's list, which has others of its kind."""
    found = _UNLISTED.search(fault)
    if found is None or not onnx.defs.has(node.op_type, version, node.domain):
        return False
    constraints = onnx.defs.get_schema(node.op_type, version, node.domain).type_constraints
    lists = {each.type_param_str: each.allowed_type_strs for each in constraints}
    return _kind(found[2]) in map(_kind, lists.get(found[1], [found[1]]))


def _kind(type_name: str) -> str:
    if "float" in type_name or "double" in type_name:
        return "float"
    return "integer" if "int" in type_name else type_name.removeprefix("tensor(").removesuffix(")")


def _undeclared(model: onnx_ir.Model) -> onnx.ModelProto:
    """The model without what it declares behind its inputs; the nodes of the top graph, and no others, have numbers."""
    proto = without_weights(model, declared=False)
    for number, node in enumerate(proto.graph.node):
        node.name = str(number)
    for body in graphs_of(proto.graph)[1:]:
        for node in body.node:
            node.ClearField("name")
    return proto


def _input(value: onnx_ir.Value) -> str:
    dims = shape_of(value)
    sizes = "" if dims is None else f"[{', '.join('?' if dim is None else str(dim) for dim in dims)}]"
    return f"{shown(str(value.name))} {dtype_name(value) or 'of unknown type'}{sizes}"
