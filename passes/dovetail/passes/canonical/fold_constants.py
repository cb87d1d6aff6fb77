"""Constant folding, bounded in bytes and time.

onnxscript's folder does the work. It looks at the size of a result only after it has computed it, so the estimate is
made here, before: a file of a hundred bytes can ask for terabytes.
"""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import onnx_ir
from onnxscript.optimizer import fold_constants

from dovetail.ir import Graph
from dovetail.passes.base import GraphPass
from dovetail.passes.canonical.fold_size import MAX_FOLD_BYTES, estimated_bytes

MAX_TOTAL_BYTES = 256 << 20
"""Bytes that one run may add to a model by folding."""
MAX_SECONDS = 20.0
"""Time after which nothing more is folded in one run; what is left is computed at run time, as the model says."""

_KEEP = frozenset({"DequantizeLinear"})
"""A dequantized weight stays quantized: it is what the NPU wants, and a quarter of the bytes."""


@dataclass(frozen=True)
class FoldConstants(GraphPass):
    """Replace what depends on constants alone by its value, and an If with a constant condition by its branch.

    It does not fire where

    1. a result, or the inputs, would be larger than 64 MiB, or the results of the run together than 256 MiB,
    2. the run has taken 20 s,
    3. the node is DequantizeLinear, random, of a domain other than ONNX's own, or control flow whose condition is
       not constant.
    """

    name: ClassVar[str] = "fold-constants"

    def run(self, graph: Graph) -> bool:
        """See `GraphPass.run`."""
        return graph.rewrite(self.name, _fold)


def _fold(model: onnx_ir.Model) -> bool:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # overflow and division by zero give ONNX's results, and are no one's news
        result = fold_constants(
            model,
            should_fold=_Budget().allows,
            # in elements, so that they never bind: the budget decides, in bytes
            input_size_limit=MAX_FOLD_BYTES,
            output_size_limit=MAX_FOLD_BYTES,
        )
    return bool(result.modified)


@dataclass
class _Budget:
    """What one run may still spend."""

    left: int = MAX_TOTAL_BYTES
    clock: Callable[[], float] = time.monotonic
    deadline: float = field(default_factory=lambda: time.monotonic() + MAX_SECONDS)

    def allows(self, node: onnx_ir.Node) -> bool:
        if node.domain not in ("", "ai.onnx") or node.op_type in _KEEP or self.clock() > self.deadline:
            return False
        size = estimated_bytes(node)
        if size is None or size > min(MAX_FOLD_BYTES, self.left):
            return False
        self.left -= size
        return True
