"""Names of nodes that come out of functions: `call/node`, and `call/inner call/node` where functions call functions.

onnx-ir inlines them under the names that they have in the function, numbered, which says nothing of the call. It
hands a call's metadata down to every node that comes out of it, so that the path can be read there afterwards.
"""

from collections.abc import Iterable

import onnx_ir

from dovetail.ir.names import all_nodes, name_from_output

_CALL = "dovetail.call:"
"""Prefix of keys in `Node.metadata_props`. The rest says in which function the call stands: functions don't call
themselves, so a path has each key once, the outermost first."""
_INNER = "dovetail.inner_name"
"""Key in `Node.meta`: the name in the function."""


def mark_calls(model: onnx_ir.Model) -> None:
    """Note on each call, and on each node of a function, what it is called; before inlining."""
    _mark(model, _CALL, all_nodes(model.graph))
    for identifier, function in model.functions.items():
        nodes = list(all_nodes(function.graph))
        for node in nodes:
            node.meta[_INNER] = node.name or name_from_output(node)
        _mark(model, f"{_CALL}{identifier}", nodes)


def name_after_calls(model: onnx_ir.Model) -> None:
    """Name what came out of functions, and drop the notes; after inlining."""
    for node in all_nodes(model.graph):
        calls = [key for key in node.metadata_props if key.startswith(_CALL)]
        if calls:
            path = [node.metadata_props.pop(key) for key in calls]
            node.name = "/".join([*path, str(node.meta.pop(_INNER))])


def _mark(model: onnx_ir.Model, key: str, nodes: Iterable[onnx_ir.Node]) -> None:
    for node in nodes:
        if node.op_identifier() in model.functions:
            node.metadata_props[key] = node.name or name_from_output(node)
