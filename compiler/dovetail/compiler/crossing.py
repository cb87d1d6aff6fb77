"""What the cost of a transfer depends on, for each tensor of a placement problem."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import onnx_ir

from dovetail.compiler.schedule import HOST
from dovetail.ir import Graph, dtype_name, is_constant, read_values, shape_of
from dovetail.partition import Problem, Tensor
from dovetail.plan.schema import Transfer
from dovetail.targets.facts import FLOATS, MissingFactError, bytes_of

_IMAGE_RANKS: Final = (4, 5)
"""Of tensors whose layout a device may want otherwise."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """A tensor on its way between devices."""

    bytes: float
    """Unknown dimensions count as 1; 0 where not even the rank or the type is known."""
    float_width: float
    """Bytes of an element that is a float, else 0."""
    is_image: bool


def crossings(graph: Graph, units: Sequence[Sequence[str]], tensors: Sequence[Tensor]) -> list[Crossing]:
    """What crosses the units, in the order of `crossing_tensors`. O(V + E).

    Raises:
        ValueError: the tensors are not those of these units.
    """
    unit_of = {name: index for index, unit in enumerate(units) for name in unit}
    found = [_crossing(value) for value in _crossing_values(graph, unit_of)]
    if len(found) != len(tensors):
        raise ValueError(f"{len(found)} tensors cross the units of the graph, but {len(tensors)} are given")
    return found


def with_costs(
    transfers: Sequence[Transfer], graph: Graph, problem: Problem, units: Sequence[Sequence[str]]
) -> tuple[Transfer, ...]:
    """The transfers of a placement with what each costs, as the problem of the same graph and units has it."""
    costs = problem.costs
    assert costs is not None, "a plan has figures"
    unit_of = {name: index for index, unit in enumerate(units) for name in unit}
    number = {str(value.name): index for index, value in enumerate(_crossing_values(graph, unit_of))}
    device = {name: index for index, name in enumerate(problem.devices)} | {HOST: len(problem.devices) - 1}
    made = []
    for transfer in transfers:
        place = number[transfer.tensor], device[transfer.source], device[transfer.destination]
        latency, energy = costs.transfer_latency[place], costs.transfer_energy[place]
        made.append(replace(transfer, cost={"latency_us": float(latency), "energy_uj": float(energy)}))
    return tuple(made)


def _crossing_values(graph: Graph, unit_of: dict[str, int]) -> list[onnx_ir.Value]:
    """The values that one unit hands to others, or that enter or leave the model, by makers."""
    foreign: dict[onnx_ir.Value, bool] = dict.fromkeys(graph.inputs, False)
    results = set(graph.outputs)
    for node in graph.nodes():
        unit = unit_of[str(node.name)]
        for value in read_values(node):
            if not is_constant(value):
                maker = value.producer()
                foreign[value] = foreign.get(value, False) or maker is None or unit_of[str(maker.name)] != unit
        for value in node.outputs:
            foreign[value] = foreign.get(value, False) or value in results
    return [value for value, crosses in foreign.items() if crosses]


def _crossing(value: onnx_ir.Value) -> Crossing:
    dtype, shape = dtype_name(value), shape_of(value)
    try:
        element = bytes_of(dtype or "")
    except MissingFactError:
        element = 0.0
    if shape is None:
        return Crossing(0.0, 0.0, False)
    elements = math.prod(dim if isinstance(dim, int) else 1 for dim in shape)
    return Crossing(elements * element, element if dtype in FLOATS else 0.0, len(shape) in _IMAGE_RANKS)
