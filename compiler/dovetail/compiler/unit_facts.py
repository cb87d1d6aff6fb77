"""What the limits of a target ask of a unit: its batch sizes, its precisions, and the tensors that it exchanges."""

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Final

import onnx_ir

from dovetail.ir import Graph, border, byte_size, dtype_name, is_constant, read_values, shape_of, tensor_spec
from dovetail.partition import Tensor
from dovetail.passes.quantize import is_quantize
from dovetail.passes.tagging import UnitTag

_CONVERTERS: Final = frozenset({"Cast", "CastLike", "DequantizeLinear", "DynamicQuantizeLinear", "QuantizeLinear"})
"""Operators between two precisions, which belong to neither."""
_IMAGE_DIMS: Final = 3
"""Channels, height and width."""


def units_of(graph: Graph) -> tuple[tuple[str, ...], ...]:
    """The nodes of every unit, in topological order, by the unit's index."""
    units: dict[int, list[str]] = {}
    for name in graph:
        units.setdefault(graph.tag(name, UnitTag).index, []).append(name)
    return tuple(tuple(units[index]) for index in range(len(units)))


def batch_sizes(graph: Graph, units: Sequence[Sequence[str]]) -> tuple[tuple[int, ...], ...]:
    """For each unit, the batch sizes of the tensors that it exchanges, in ascending order. O(V + E).

    The batch of an image is the product of all dimensions before channels, height and width; of another tensor its
    first dimension. A vector and a scalar have none, and one that is not known counts as none.
    """
    weights = _computed_from_constants(graph)
    return tuple(tuple(sorted(_batches(_exchanged(graph, unit, weights)))) for unit in units)


def _batches(values: Iterable[onnx_ir.Value]) -> set[int]:
    sizes = set()
    for value in values:
        shape = shape_of(value) or ()
        leading = shape[: max(1, len(shape) - _IMAGE_DIMS)]
        known = [dim for dim in leading if isinstance(dim, int)]
        if len(shape) > 1 and len(known) == len(leading):
            sizes.add(math.prod(known))
    return sizes


def precisions(
    graph: Graph, units: Sequence[Sequence[str]], rewrites: Mapping[str, str]
) -> tuple[tuple[str, ...], ...]:
    """For each unit, the element types that it computes in, in alphabetical order. O(V + E).

    Integers count in Q/DQ groups only, without regard to their sign: elsewhere they are indices. Operators that
    convert from one type to another have none.

    Args:
        graph: the whole.
        units: the nodes of each unit.
        rewrites: element types that the device computes in another one.
    """
    weights = _computed_from_constants(graph)
    return tuple(tuple(sorted(_precisions(graph, unit, weights, rewrites))) for unit in units)


def _precisions(
    graph: Graph, unit: Sequence[str], weights: Set[onnx_ir.Value], rewrites: Mapping[str, str]
) -> set[str]:
    quantized = graph.tag(unit[0], UnitTag).quantized
    if not quantized and any(graph.node(name).op_type in _CONVERTERS for name in unit):
        return set()
    dtypes = {dtype_name(value) or "" for value in _exchanged(graph, unit, weights)}
    if quantized:
        whole = {dtype.removeprefix("u") for dtype in dtypes}
        return {dtype for dtype in whole if dtype.startswith(("int", "float8"))}
    return {rewrites.get(dtype, dtype) for dtype in dtypes if "float" in dtype}


def _computed_from_constants(graph: Graph) -> set[onnx_ir.Value]:
    """Values that nodes compute from constants alone, such as weights behind a DequantizeLinear."""
    fixed: set[onnx_ir.Value] = set()
    for node in graph.nodes():
        values = read_values(node)
        if values and all(is_constant(value) or value in fixed for value in values):
            fixed.update(node.outputs)
    return fixed


def _exchanged(graph: Graph, unit: Sequence[str], weights: Set[onnx_ir.Value]) -> list[onnx_ir.Value]:
    """What a unit reads and hands on, weights apart."""
    edge = border(graph, unit)
    return [value for value in (*edge.inputs, *edge.outputs) if value not in weights]


def entrances(graph: Graph, units: Sequence[Sequence[str]]) -> frozenset[int]:
    """The units that only quantize inputs of the model."""
    inputs = set(graph.inputs)
    return frozenset(
        index
        for index, unit in enumerate(units)
        if all(is_quantize(graph.node(name)) for name in unit) and inputs.issuperset(border(graph, unit).inputs)
    )


def crossing_tensors(graph: Graph, unit_of: Mapping[str, int]) -> tuple[Tensor, ...]:
    """The tensors that cross units or enter or leave the model, in the order of their makers. O(V + E)."""
    results = set(graph.outputs)
    readers: dict[onnx_ir.Value, dict[int, None]] = {value: {} for value in graph.inputs}
    for node in graph.nodes():
        for value in read_values(node):
            if not is_constant(value):
                readers.setdefault(value, {})[unit_of[str(node.name)]] = None
        for value in node.outputs:
            readers.setdefault(value, {})
    tensors = []
    for value, units in readers.items():
        maker = value.producer()
        producer = None if maker is None else unit_of[str(maker.name)]
        others = tuple(unit for unit in units if unit != producer)
        is_output = value in results and producer is not None
        if others or is_output:
            tensors.append(Tensor(byte_size(tensor_spec(value)), producer, others, is_output))
    return tuple(tensors)
