"""Shapes of what a Loop carries around, by induction.

ONNX's inference says nothing of a carried value's shape, since an iteration may change it. Mostly none does: if the
body, given a value of the initial shape, hands back one of the same shape, then every iteration does, and so does
the loop. Without this, everything behind a Loop has an unknown rank, and no NPU takes any of it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import onnx_ir

from dovetail.ir.names import all_nodes, own_values
from dovetail.ir.nested import nested_graphs

MAX_ROUNDS = 4
"""A wrong assumption may hide the next one, so a loop could be made to need a round, an inference of the whole model,
for each value that it carries. Real ones settle in two."""


@dataclass(frozen=True, slots=True)
class _Carried:
    """One value that a Loop carries: before it, into the body, out of the body, and behind it."""

    initial: onnx_ir.Value
    entering: onnx_ir.Value
    leaving: onnx_ir.Value
    final: onnx_ir.Value

    def is_open(self) -> bool:
        """Whether there is something to find out."""
        known = self.final.shape is not None and self.final.shape.is_static()
        return not known and self.initial.shape is not None and self.initial.shape.is_static()


def infer_carried_shapes(model: onnx_ir.Model, infer_once: Callable[[], bool]) -> bool:
    """Find the carried values whose shape never changes. Returns whether any was found.

    Args:
        model: a model whose other shapes are inferred.
        infer_once: infers the shapes of the model again, bodies included.

    Every round gives up the assumptions that turn out wrong, with all that was inferred from them; after
    `MAX_ROUNDS` all that are left.
    """
    assumed = [carried for carried in _carried_values(model) if carried.is_open()]
    if not assumed:
        return False
    before = [(value, value.shape) for value in _values(model)]
    for _ in range(MAX_ROUNDS):
        if not assumed:
            break
        for carried in assumed:
            carried.entering.shape = _copy(carried.initial.shape)
        infer_once()
        held = [carried for carried in assumed if carried.leaving.shape == carried.initial.shape]
        if len(held) == len(assumed):
            for carried in assumed:
                carried.final.shape = _copy(carried.initial.shape)
            return True
        for value, shape in before:
            value.shape = shape
        assumed = held
    return False


def _carried_values(model: onnx_ir.Model) -> Iterable[_Carried]:
    for node in all_nodes(model.graph):
        if node.op_type != "Loop" or node.domain not in ("", "ai.onnx") or "body" not in node.attributes:
            continue
        body = node.attributes["body"].as_graph()
        for index, initial in enumerate(node.inputs[2:]):
            if initial is not None and index + 2 < len(body.inputs) and index < len(node.outputs):
                yield _Carried(initial, body.inputs[index + 2], body.outputs[index + 1], node.outputs[index])


def _values(model: onnx_ir.Model) -> Iterable[onnx_ir.Value]:
    graphs = [model.graph, *(inner for node in model.graph for inner in nested_graphs(node))]
    return (value for graph in graphs for value in own_values(graph))


def _copy(shape: onnx_ir.Shape | None) -> onnx_ir.Shape | None:
    """Shapes can be changed in place, so two values never share one."""
    return None if shape is None else shape.copy()
