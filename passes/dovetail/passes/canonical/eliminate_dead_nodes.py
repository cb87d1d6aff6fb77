"""Dead code elimination, by onnx-ir's own pass."""

from dataclasses import dataclass
from typing import ClassVar

from onnx_ir.passes.common import RemoveUnusedNodesPass

from dovetail.ir import Graph
from dovetail.passes.base import GraphPass


@dataclass(frozen=True)
class EliminateDeadNodes(GraphPass):
    """Remove nodes and constants that no output of the model depends on."""

    name: ClassVar[str] = "eliminate-dead-nodes"

    def run(self, graph: Graph) -> bool:
        """See `GraphPass.run`."""
        return graph.rewrite(self.name, lambda model: bool(RemoveUnusedNodesPass()(model).modified))
