"""Dead code elimination, by onnx-ir's own pass."""

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from dovetail.ir import Graph, has_bodies, release_bodies
from dovetail.passes.base import GraphPass


@dataclass(frozen=True)
class EliminateDeadNodes(GraphPass):
    """Remove nodes and constants that no output of the model depends on."""

    name: ClassVar[str] = "eliminate-dead-nodes"

    def run(self, graph: Graph) -> bool:
        """See `GraphPass.run`."""
        return graph.rewrite(self.name, _eliminate)


def _eliminate(model: onnx_ir.Model) -> bool:
    holders = [node for node in model.graph.all_nodes() if has_bodies(node)]
    modified = bool(RemoveUnusedNodesPass()(model).modified)
    while release_bodies(holders):  # what only a removed body read is dead now, too
        RemoveUnusedNodesPass()(model)
    return modified
