"""Dropout elimination: it does nothing at inference."""

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir

from dovetail.ir import Graph, is_constant, opset_version
from dovetail.passes.base import GraphPass
from dovetail.passes.canonical.bypass import bypass


@dataclass(frozen=True)
class EliminateDropout(GraphPass):
    """`y = Dropout(x)` -> uses of y read x.

    It does not fire where

    1. the mask is read,
    2. `training_mode` is true or not a constant (opset 12 and later), or `is_test` is 0 (opset 6 and earlier),
    3. y is an output that x can't stand for (see `eliminate-identity`).
    """

    name: ClassVar[str] = "eliminate-dropout"

    def run(self, graph: Graph) -> bool:
        """See `GraphPass.run`."""
        return graph.rewrite(self.name, _eliminate)


def _eliminate(model: onnx_ir.Model) -> bool:
    version = opset_version(model, "")
    return sum(bypass(node) for node in list(model.graph.all_nodes()) if _does_nothing(node, version)) > 0


def _does_nothing(node: onnx_ir.Node, version: int) -> bool:
    if node.op_type != "Dropout" or node.domain not in ("", "ai.onnx"):
        return False
    if any(mask.uses() or mask.is_graph_output() for mask in node.outputs[1:]):
        return False
    return not _trains(node, version)


def _trains(node: onnx_ir.Node, version: int) -> bool:
    is_test = node.attributes.get("is_test")
    if version < 7 and (is_test is None or not is_test.as_int()):
        return True
    mode = node.inputs[2] if len(node.inputs) > 2 else None
    if mode is None:
        return False
    return not is_constant(mode) or mode.const_value is None or bool(mode.const_value.numpy().any())
