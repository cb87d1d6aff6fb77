"""Passes that bring a model into its simplest form, whatever it will run on."""

from dovetail.passes.canonical.decompose_square import DecomposeSquare
from dovetail.passes.canonical.eliminate_common_subexpressions import EliminateCommonSubexpressions
from dovetail.passes.canonical.eliminate_dead_nodes import EliminateDeadNodes
from dovetail.passes.canonical.eliminate_dropout import EliminateDropout
from dovetail.passes.canonical.eliminate_identity import EliminateIdentity
from dovetail.passes.canonical.fold_constants import FoldConstants
from dovetail.passes.canonical.fuse_batch_norm import FuseBatchNorm
from dovetail.passes.canonical.fuse_reduce_mean import FuseReduceMean

CANONICAL_PASSES = (
    FoldConstants(),
    EliminateIdentity(),
    EliminateDropout(),
    FuseBatchNorm(),
    FuseReduceMean(),
    DecomposeSquare(),
    EliminateCommonSubexpressions(),
    EliminateDeadNodes(),
)
"""In the order in which they run, over and over: see `run_to_fixpoint`."""

__all__ = [
    "CANONICAL_PASSES",
    "DecomposeSquare",
    "EliminateCommonSubexpressions",
    "EliminateDeadNodes",
    "EliminateDropout",
    "EliminateIdentity",
    "FoldConstants",
    "FuseBatchNorm",
    "FuseReduceMean",
]
