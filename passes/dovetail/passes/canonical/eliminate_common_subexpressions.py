"""Common subexpression elimination, by onnx-ir's own pass."""

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir
from onnx_ir.passes.common import CommonSubexpressionEliminationPass

from dovetail.ir import Graph
from dovetail.passes.base import GraphPass

# Operators whose every run gives another result, beyond the four RandomX that onnx-ir's pass knows itself.
_RANDOM = frozenset({"Bernoulli", "Multinomial", "Dropout"})


@dataclass(frozen=True)
class EliminateCommonSubexpressions(GraphPass):
    """Two nodes with the same operator, inputs and attributes -> one.

    It does not fire in a model that draws random numbers: two draws are not the same value.
    """

    name: ClassVar[str] = "eliminate-common-subexpressions"

    def run(self, graph: Graph) -> bool:
        """See `GraphPass.run`."""
        return graph.rewrite(self.name, _eliminate)


def _eliminate(model: onnx_ir.Model) -> bool:
    if any(node.op_type in _RANDOM for node in model.graph.all_nodes()):
        return False
    return bool(CommonSubexpressionEliminationPass()(model).modified)
