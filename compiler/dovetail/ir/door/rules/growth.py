"""Constants that grow: shape inference carries their values along, and a chain of Concats doubles them."""

from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter

import onnx_ir

from dovetail.ir.door.budgets import MAX_CARRIED_ELEMENTS, MAX_RANK
from dovetail.ir.door.rules.operator import Operator

_CARRYING = frozenset({"Add", "Cast", "Concat", "Gather", "Mul", "Slice", "Squeeze", "Sub", "Unsqueeze"})
"""Operators whose output inference computes where it knows their inputs. Only Concat makes more of them."""


def check_growth(nodes: Iterable[onnx_ir.Node], shown: int, version: int) -> None:
    """Refuse Concats of known values that together have more elements than the budget. Linear in nodes.

    Args:
        nodes: The nodes of a model, in any order.
        shown: Constants up to this many elements are shown to shape inference.
        version: Opset version of ONNX's own domain.
    """
    carrying = [node for node in nodes if _carries(node)]
    sources = {node: [producer for value in node.inputs if (producer := _producer(value))] for node in carrying}
    elements: dict[onnx_ir.Node, int | None] = {}
    total = 0
    for node in TopologicalSorter(sources).static_order():
        counts = [_elements(value, elements, shown) for value in node.inputs if value is not None]
        known = [count for count in counts if count is not None]
        if len(known) < len(counts):
            elements[node] = None
        elif node.op_type != "Concat":
            elements[node] = max(known, default=0)
        else:
            elements[node] = sum(known)
            total += sum(known)
        if total > MAX_CARRIED_ELEMENTS:
            Operator(node, version).refuse(
                f"constants must not grow beyond {MAX_CARRIED_ELEMENTS} elements by Concat", total, "store them"
            )


def _producer(value: onnx_ir.Value | None) -> onnx_ir.Node | None:
    producer = None if value is None else value.producer()
    return producer if producer is not None and _carries(producer) else None


def _carries(node: onnx_ir.Node) -> bool:
    return node.domain == "" and node.op_type in _CARRYING


def _elements(value: onnx_ir.Value, elements: Mapping[onnx_ir.Node, int | None], shown: int) -> int | None:
    """How many elements inference knows of a value; None where it does not know them."""
    tensor = onnx_ir.convenience.get_const_tensor(value)
    if tensor is not None:
        return tensor.size if tensor.size <= shown else None
    producer = value.producer()
    if producer is None:
        return None
    if producer.domain == "" and producer.op_type in ("Shape", "Size"):
        return MAX_RANK
    return elements.get(producer)
