"""Common subexpression elimination, by onnx-ir's own pass."""

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir
from onnx_ir.passes.common import CommonSubexpressionEliminationPass

from dovetail.ir import Graph
from dovetail.passes.base import GraphPass
from dovetail.passes.quantize import is_dequantize

# Operators whose every run gives another result, beyond the four RandomX that onnx-ir's pass knows itself.
_RANDOM = frozenset({"Bernoulli", "Multinomial", "Dropout"})

_APART = "dovetail.kept_apart"
"""An attribute that nodes have only while the pass runs."""


@dataclass(frozen=True)
class EliminateCommonSubexpressions(GraphPass):
    """Two nodes with the same operator, inputs and attributes -> one.

    It does not fire in a model that draws random numbers: two draws are not the same value. Every DequantizeLinear
    stays: each reader is to have its own in the end, under the name that the user gave it.
    """

    name: ClassVar[str] = "eliminate-common-subexpressions"

    def run(self, graph: Graph) -> bool:
        """See `GraphPass.run`."""
        return graph.rewrite(self.name, _eliminate)


def _eliminate(model: onnx_ir.Model) -> bool:
    if any(node.op_type in _RANDOM for node in model.graph.all_nodes()):
        return False
    kept_apart = [node for node in model.graph if is_dequantize(node)]
    for index, node in enumerate(kept_apart):  # the pass merges only what has equal attributes
        node.attributes.add(onnx_ir.AttrInt64(_APART, index))
    modified = bool(CommonSubexpressionEliminationPass()(model).modified)
    for node in kept_apart:
        del node.attributes[_APART]
    return modified
