"""BatchNormalization into the linear operator before it.

With s = scale / sqrt(var + epsilon), BatchNormalization(W x + b) = (s W) x + (s (b - mean) + bias): the same operator
with other constants. The rules are onnxscript's; they are only let fire where that equation holds.
"""

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir
from onnxscript.rewriter import MatchResult, RewriteRuleSet
from onnxscript.rewriter.rules.common import _fuse_batchnorm as rules

from dovetail.ir import Graph
from dovetail.passes.base import GraphPass

_LINEAR = frozenset({"Conv", "ConvTranspose", "Gemm"})
_BIAS = 2
"""Where these operators take their bias: the last of their inputs."""


@dataclass(frozen=True)
class FuseBatchNorm(GraphPass):
    """`BatchNormalization(Conv | ConvTranspose | Gemm)` -> `Conv | ConvTranspose | Gemm`.

    It does not fire where

    1. the linear operator's output is read by anything else, or is an output of the model,
    2. weights, bias or statistics are not constants, or the weights serve another node too,
    3. BatchNormalization trains (`training_mode`, `is_test=0`, a second output) or normalizes per element
       (`spatial=0`),
    4. weights and statistics are of different types.
    """

    name: ClassVar[str] = "fuse-batch-norm"

    def run(self, graph: Graph) -> bool:
        """See `GraphPass.run`."""
        return graph.rewrite(self.name, _fuse)


def _fuse(model: onnx_ir.Model) -> bool:
    shortened = _drop_absent_biases(model)
    if not any(node.op_type == "BatchNormalization" for node in model.graph.all_nodes()):
        return shortened
    return _RULES.apply_to_model(model) > 0 or shortened


def _drop_absent_biases(model: onnx_ir.Model) -> bool:
    """`Conv(x, W, "")` says the same as `Conv(x, W)`, and the rules know the latter only."""
    absent = [
        node
        for node in model.graph.all_nodes()
        if node.op_type in _LINEAR and node.domain == "" and len(node.inputs) > _BIAS and node.inputs[_BIAS] is None
    ]
    for node in absent:
        node.resize_inputs(_BIAS)
    return bool(absent)


class _OnlyAtInference:
    """What onnxscript's rules do not ask: whether BatchNormalization is the fixed affine map they take it for."""

    def check(
        self, context: object, x: onnx_ir.Value, inbound_out: onnx_ir.Value, batchnorm_out: onnx_ir.Value
    ) -> MatchResult:
        node = batchnorm_out.producer()
        inbound = inbound_out.producer()
        assert node is not None
        assert inbound is not None
        if len(node.outputs) > 1 or _attribute(node, "training_mode", 0):
            return MatchResult().fail("BatchNormalization trains")
        if not _attribute(node, "spatial", 1) or not _attribute(node, "is_test", 1):
            return MatchResult().fail("BatchNormalization is not a map per channel")
        if len({value.dtype for value in [*inbound.inputs[1:], *node.inputs[1:]] if value is not None}) > 1:
            return MatchResult().fail("weights and statistics are of different types")
        return super().check(context, x, inbound_out, batchnorm_out)  # type: ignore[misc, no-any-return]


def _attribute(node: onnx_ir.Node, name: str, default: int) -> int:
    attribute = node.attributes.get(name)
    return default if attribute is None else attribute.as_int()


class _IntoConv(_OnlyAtInference, rules.FuseBatchNormIntoConv):
    pass


class _IntoConvTranspose(_OnlyAtInference, rules.FuseBatchNormIntoConvTranspose):
    pass


class _IntoGemm(_OnlyAtInference, rules.FuseBatchNormIntoGemm):
    pass


_RULES = RewriteRuleSet(
    [kind.rule() for kind in (_IntoConv, _IntoConvTranspose, _IntoGemm)]  # type: ignore[no-untyped-call]
)
