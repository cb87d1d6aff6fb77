"""Constant folding, bounded in bytes and time.

onnxscript's folder does the work. It looks at the size of a result only after it has computed it, so the estimate is
made here, before: a file of a hundred bytes can ask for terabytes.
"""

import logging
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import onnx_ir
from onnx_ir.passes.common import LiftConstantsToInitializersPass, LiftSubgraphInitializersToMainGraphPass
from onnxscript.optimizer._constant_folding import FOLDED_FROM_KEY, FoldConstantsPass, Replacement

from dovetail.ir import Graph
from dovetail.passes.base import GraphPass
from dovetail.passes.canonical.fold_size import MAX_FOLD_BYTES, estimated_bytes

MAX_TOTAL_BYTES = 256 << 20
"""Bytes that folding may add to a model."""
MAX_SECONDS = 20.0
"""Time after which nothing more is folded in one run; what is left is computed at run time, as the model says."""

_LEAVE = frozenset({"SplitToSequence"})
"""Not even looked at by onnxscript, which turns it into a Split with an output a chunk, millions if need be."""
_FOLDED_BYTES = "dovetail.folded_bytes"
"""Key in `Value.meta` of what the budget was charged for a folded constant."""

# What can't be folded stays as it is, which is no one's news; without a handler it would go to standard error.
logging.getLogger("onnxscript.optimizer").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class FoldConstants(GraphPass):
    """Replace what depends on constants alone by its value, and an If with a constant condition by its branch.

    It does not fire where

    1. a result, or the inputs, would be larger than 64 MiB, or all that was folded in the model than 256 MiB,
    2. the run has taken 20 s,
    3. the node is DequantizeLinear (a quantized weight is what the NPU wants, and a quarter of the bytes), of a
       domain other than ONNX's own, or control flow whose condition is not constant,
    4. `fold_size` does not know what its operator may take: those that draw random numbers or work through windows,
       steps or strings; or it splits into a sequence,
    5. its result is an output of a body, or it is the Identity that delivers a constant as an output of the model.
    """

    name: ClassVar[str] = "fold-constants"

    def run(self, graph: Graph) -> bool:
        """See `GraphPass.run`."""
        return graph.rewrite(self.name, _fold)


def _fold(model: onnx_ir.Model) -> bool:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # overflow and division by zero give ONNX's results, and are no one's news
        folder = _Folder(_Budget(model.graph, MAX_TOTAL_BYTES - _folded_bytes(model)))
        modified = bool(folder(model).modified)
    # Constants are initializers of the top graph; onnxscript leaves Constant nodes and initializers of bodies.
    LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    LiftSubgraphInitializersToMainGraphPass()(model)
    return modified


def _folded_bytes(model: onnx_ir.Model) -> int:
    return sum(value.meta.get(_FOLDED_BYTES, 0) for value in model.graph.initializers.values())


class _Folder(FoldConstantsPass):
    """onnxscript's folder within a budget."""

    def __init__(self, budget: "_Budget") -> None:
        # Sizes are in elements, so that they never bind: the budget decides, in bytes.
        super().__init__(
            shape_inference=False,
            input_size_limit=MAX_FOLD_BYTES,
            output_size_limit=MAX_FOLD_BYTES,
            should_fold=budget.allows,
        )

    def process_node(self, node: onnx_ir.Node, is_function: bool) -> Replacement | None:
        return None if node.op_type in _LEAVE else super().process_node(node, is_function)

    def replace_node(
        self, node: onnx_ir.Node, replacement: Replacement, root: onnx_ir.Graph | onnx_ir.Function
    ) -> None:
        charged = 0 if replacement.new_nodes else estimated_bytes(node) or 0
        sources = {value for value in node.inputs if value is not None}
        super().replace_node(node, replacement, root)
        # What is used up here still counts, or a chain of growth would get a new budget with every run.
        folded = [value for value in sources if _FOLDED_BYTES in value.meta]
        charged += sum(value.meta[_FOLDED_BYTES] for value in folded if not value.uses())
        for value in replacement.new_outputs:
            if value is None:
                continue
            # The names of all values it was folded from: quadratic in a chain, and Graph.origins knows better.
            value.meta.pop(FOLDED_FROM_KEY, None)
            value.metadata_props.pop(FOLDED_FROM_KEY, None)
            if value.is_initializer():
                value.meta[_FOLDED_BYTES] = charged


@dataclass
class _Budget:
    """What one run may still spend."""

    top: onnx_ir.Graph
    left: int
    clock: Callable[[], float] = time.monotonic
    deadline: float = field(default_factory=lambda: time.monotonic() + MAX_SECONDS)

    def allows(self, node: onnx_ir.Node) -> bool:
        if node.domain not in ("", "ai.onnx") or self.clock() > self.deadline:
            return False
        if self._delivers(node):
            return False
        size = estimated_bytes(node)
        if size is None or size > min(MAX_FOLD_BYTES, self.left):
            return False
        self.left -= size
        return True

    def _delivers(self, node: onnx_ir.Node) -> bool:
        """Whether an output needs this node: no runtime takes a constant for an output of a body."""
        if not any(value.is_graph_output() for value in node.outputs):
            return False
        return node.graph is not self.top or node.op_type == "Identity"
