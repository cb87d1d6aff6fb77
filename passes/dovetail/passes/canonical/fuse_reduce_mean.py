"""A sum divided by its count is a mean.

sum(x) * c = mean(x) where c = 1 / n and n is the number of elements that are summed. On a device that keeps tensors
in float16 the two differ: the sum passes 65504 and is lost, the mean does not (magika's LayerNorm sums squares to
171846; with the sum, the Hexagon NPU answers 131008 for a probability, with the mean it is right to 6e-4).
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir

from dovetail.ir import Graph, is_constant, opset_version
from dovetail.passes.base import GraphPass

_AXES_AS_INPUT = 18
"""From this opset on ReduceMean takes its axes as an input, as ReduceSum does from 13 on."""


@dataclass(frozen=True)
class FuseReduceMean(GraphPass):
    """`Mul(ReduceSum(x), 1/n)` and `Div(ReduceSum(x), n)` -> `ReduceMean(x)`.

    It does not fire where

    1. n, the product of the reduced dimensions, is not known, or the factor is not 1/n to 1e-6,
    2. the sum is read by anything else, or is an output of the model,
    3. axes or factor are not constants, or the tensor is not of floats.
    """

    name: ClassVar[str] = "fuse-reduce-mean"

    def run(self, graph: Graph) -> bool:
        """See `GraphPass.run`."""
        return graph.rewrite(self.name, _fuse)


def _fuse(model: onnx_ir.Model) -> bool:
    version = opset_version(model, "")
    return sum(_fuse_one(node, version) for node in list(model.graph.all_nodes()) if _is(node, "ReduceSum")) > 0


def _is(node: onnx_ir.Node, op_type: str) -> bool:
    return node.op_type == op_type and node.domain in ("", "ai.onnx")


def _fuse_one(node: onnx_ir.Node, version: int) -> bool:
    total, source = node.outputs[0], node.inputs[0]
    readers = list(total.uses())
    if source is None or len(readers) != 1 or total.is_graph_output() or not _is_float(source):
        return False
    scaling, axes = readers[0].node, _axes(node, source)
    if axes is None or scaling.graph is not node.graph or not _divides_by(scaling, total, _count(source, axes)):
        return False
    mean = _reduce_mean(node, source, axes, version)
    result = scaling.outputs[0]
    mean.outputs[0].name, mean.outputs[0].type, mean.outputs[0].shape = result.name, result.type, result.shape
    graph = scaling.graph
    assert graph is not None
    onnx_ir.convenience.replace_nodes_and_values(graph, scaling, [node, scaling], [mean], [result], mean.outputs)
    return True


def _is_float(value: onnx_ir.Value) -> bool:
    return value.dtype in (onnx_ir.DataType.FLOAT, onnx_ir.DataType.FLOAT16, onnx_ir.DataType.DOUBLE)


def _axes(node: onnx_ir.Node, source: onnx_ir.Value) -> list[int] | None:
    """The reduced axes, non-negative. None where they or the rank are not known, or nothing is reduced."""
    if source.shape is None:
        return None
    given = node.inputs[1] if len(node.inputs) > 1 else None
    if "axes" in node.attributes:
        axes = list(node.attributes["axes"].as_ints())
    elif given is None:
        axes = []
    elif is_constant(given) and given.const_value is not None:
        axes = given.const_value.numpy().tolist()
    else:
        return None
    noop = node.attributes.get("noop_with_empty_axes")
    if not axes and noop is not None and noop.as_int():
        return None
    rank = len(source.shape)
    return sorted({axis % rank for axis in axes}) if axes and rank else list(range(rank))


def _count(source: onnx_ir.Value, axes: list[int]) -> int | None:
    assert source.shape is not None
    dims = [source.shape[axis] for axis in axes]
    sizes = [dim for dim in dims if isinstance(dim, int)]
    return math.prod(sizes) if len(sizes) == len(dims) else None


def _divides_by(node: onnx_ir.Node, total: onnx_ir.Value, count: int | None) -> bool:
    """Whether a node multiplies `total` by 1/count or divides it by count."""
    if not count or not (_is(node, "Mul") or _is(node, "Div")) or len(node.inputs) != 2:
        return False
    if _is(node, "Div") and node.inputs[0] is not total:
        return False
    other = node.inputs[1] if node.inputs[0] is total else node.inputs[0]
    if other is None or not is_constant(other) or other.const_value is None or other.const_value.size != 1:
        return False
    if total.shape is None or len(other.const_value.shape) > len(total.shape):
        return False
    factor = float(np.asarray(other.const_value.numpy()).astype(np.float64).item())
    ratio = factor * count if _is(node, "Mul") else factor / count
    return math.isclose(ratio, 1.0, rel_tol=1e-6)


def _reduce_mean(node: onnx_ir.Node, source: onnx_ir.Value, axes: list[int], version: int) -> onnx_ir.Node:
    keepdims = node.attributes.get("keepdims")
    attributes = [onnx_ir.AttrInt64("keepdims", 1 if keepdims is None else keepdims.as_int())]
    if version < _AXES_AS_INPUT:
        return onnx_ir.Node("", "ReduceMean", [source], [*attributes, onnx_ir.AttrInt64s("axes", axes)])
    given = [node.inputs[1]] if len(node.inputs) > 1 else []
    return onnx_ir.Node("", "ReduceMean", [source, *given], attributes)
