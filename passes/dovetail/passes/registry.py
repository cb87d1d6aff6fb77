"""Every pass by name, without importing any of them."""

import inspect
from importlib import import_module

from dovetail.passes.base import GraphPass
from dovetail.plan.errors import PassError
from dovetail.plan.naming import meant, shown

_PASSES = {
    "decompose-square": "canonical.decompose_square:DecomposeSquare",
    "eliminate-common-subexpressions": "canonical.eliminate_common_subexpressions:EliminateCommonSubexpressions",
    "eliminate-dead-nodes": "canonical.eliminate_dead_nodes:EliminateDeadNodes",
    "eliminate-dropout": "canonical.eliminate_dropout:EliminateDropout",
    "eliminate-identity": "canonical.eliminate_identity:EliminateIdentity",
    "fold-constants": "canonical.fold_constants:FoldConstants",
    "fuse-batch-norm": "canonical.fuse_batch_norm:FuseBatchNorm",
    "fuse-reduce-mean": "canonical.fuse_reduce_mean:FuseReduceMean",
    "legalize-reshape": "legalize.legalize_reshape:LegalizeReshape",
    "legalize-shared-dequantize": "legalize.legalize_shared_dequantize:LegalizeSharedDequantize",
    "annotate-units": "tagging.annotate_units:AnnotateUnits",
    "annotate-verdicts": "tagging.annotate_verdicts:AnnotateVerdicts",
}


def pass_names() -> tuple[str, ...]:
    """The names of all passes, canonical ones first, then legalizing, then tagging."""
    return tuple(_PASSES)


def pass_class(name: str) -> type[GraphPass]:
    """The class behind a name.

    Raises:
        PassError: there is no such pass.
    """
    if name not in _PASSES:
        raise PassError(f"no pass is named {shown(name)}; {meant(name, _PASSES)}")
    module, _, attribute = _PASSES[name].partition(":")
    found = getattr(import_module(f"dovetail.passes.{module}"), attribute)
    assert isinstance(found, type)
    assert issubclass(found, GraphPass)
    return found


def describe_pass(name: str) -> str:
    """The documentation of a pass, as its class states it."""
    return inspect.getdoc(pass_class(name)) or ""
