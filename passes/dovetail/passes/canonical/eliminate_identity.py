"""Identity elimination."""

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir

from dovetail.ir import Graph
from dovetail.passes.base import GraphPass
from dovetail.passes.canonical.bypass import bypass


@dataclass(frozen=True)
class EliminateIdentity(GraphPass):
    """`y = Identity(x)` -> uses of y read x, in bodies too.

    It does not fire where y is an output and x can't be one in its place: x is an input or a constant, is already an
    output, or comes from an outer graph.
    """

    name: ClassVar[str] = "eliminate-identity"

    def run(self, graph: Graph) -> bool:
        """See `GraphPass.run`."""
        return graph.rewrite(self.name, _eliminate)


def _eliminate(model: onnx_ir.Model) -> bool:
    found = [n for n in model.graph.all_nodes() if n.op_type == "Identity" and n.domain in ("", "ai.onnx")]
    return sum(bypass(node) for node in found) > 0
