"""The cost table of a tagged graph: every unit on every device, every tensor between them, every launch."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
import onnx_ir

from dovetail.compiler.crossing import Crossing, crossings
from dovetail.compiler.unit_facts import units_of
from dovetail.compiler.unit_work import (
    Member,
    constant_bytes,
    is_fused,
    largest_activations,
    members_of,
    precision_of,
    steps_on,
)
from dovetail.cost import (
    CostTable,
    LinkCoefficients,
    MachineCoefficients,
    UnitCost,
    coefficients_of,
    default_link,
    defaults,
    resident_share,
    unit_cost,
)
from dovetail.cost.table import Array
from dovetail.ir import Graph, is_constant
from dovetail.partition import Tensor
from dovetail.passes.tagging import UnitTag, VerdictTag
from dovetail.plan.schema import DeviceKind
from dovetail.targets import Target
from dovetail.targets.target import CostSource

Mask = npt.NDArray[np.bool_]

_STRENGTHS: Final[tuple[CostSource, ...]] = ("modelled", "vendor estimate", "measured")
_BY_VALUE = frozenset({"If", "Loop", "Scan", "SequenceMap", "NonMaxSuppression"})
"""Operators whose work depends on more than types, shapes and attributes: equal ones are not looked for."""


def make_costs(graph: Graph, target: Target, units: Sequence[Sequence[str]], tensors: Sequence[Tensor]) -> CostTable:
    """The modelled costs of a placement problem. O(V + E) once for each different unit, a look-up for the others.

    Args:
        graph: with the tags of `annotate-units` and `annotate-verdicts` for this target.
        target: its devices, in order.
        units: the nodes of each unit.
        tensors: what crosses them, as `crossing_tensors` gives it.

    Raises:
        ValueError: the tensors are not those of these units.
    """
    return Costing(graph, target, units).table(tensors)


def unit_terms(graph: Graph, target: Target, members: Sequence[str], device: str) -> UnitCost:
    """The cost of one unit of a tagged graph on one device, with the arithmetic of it in `.terms`.

    It reads the whole graph, to see whether the constants stay on the chip; keep a `Costing` to ask more often.

    Raises:
        KeyError: the target has no such device.
    """
    return Costing(graph, target, units_of(graph)).unit(members, device)


@dataclass(frozen=True, slots=True)
class _Kind:
    """What all equal units have in common: a number for each device."""

    members: tuple[Member, ...]
    memory: tuple[float, ...]
    """Bytes of constants."""
    activations: tuple[float, ...]
    """Bytes of the largest inputs and outputs of an operator, of one picture on an NPU."""


@dataclass(slots=True, eq=False)
class Costing:
    """The cost model of one graph on one target."""

    graph: Graph
    target: Target
    units: Sequence[Sequence[str]]
    machine: MachineCoefficients = field(init=False)
    _kinds: dict[Hashable, _Kind] = field(init=False, default_factory=dict)
    _values: dict[onnx_ir.Value, Hashable] = field(init=False, default_factory=dict)
    _keys: list[Hashable] = field(init=False, default_factory=list)
    _resident: tuple[float, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        """Read the work of every unit, equal ones once."""
        self.machine = coefficients_of(self.target)
        self._keys = [self._read(unit) for unit in self.units]
        totals = np.zeros(len(self.machine.devices))
        for key in self._keys:
            totals += self._kinds[key].memory
        largest = np.zeros(len(self.machine.devices))
        for kind in self._kinds.values():
            largest = np.maximum(largest, kind.activations)
        self._resident = tuple(
            resident_share(device, float(total), float(room))
            for total, room, device in zip(totals, largest, self.machine.devices, strict=True)
        )

    def unit(self, members: Sequence[str], device: str) -> UnitCost:
        """The cost of one unit on one device; KeyError where the target has no such device."""
        names = [each.id for each in self.machine.devices]
        if device not in names:
            raise KeyError(device)
        return self._cost(self._kinds[self._read(members)], names.index(device))

    def alone(self, members: Sequence[str], device: DeviceKind) -> tuple[UnitCost, float, float]:
        """The cost of a unit on a device, and the bytes of its constants and of its largest activations there."""
        index = [each.id for each in self.machine.devices].index(device)
        kind = self._kinds[self._read(members)]
        return self._cost(kind, index), kind.memory[index], kind.activations[index]

    def table(self, tensors: Sequence[Tensor]) -> CostTable:
        """The cost table; see `make_costs`."""
        devices = self.machine.devices
        costs = {key: [self._cost(kind, index) for index in range(len(devices))] for key, kind in self._kinds.items()}
        latency = {key: [cost.latency_us for cost in row] for key, row in costs.items()}
        energy = {key: [cost.energy_uj for cost in row] for key, row in costs.items()}
        shape = (len(self.units), len(devices))
        transfer = self._transfers(crossings(self.graph, self.units, tensors))
        launch = np.array([device.launch_us.value for device in devices])
        return CostTable(
            unit_latency=np.array([latency[key] for key in self._keys], dtype=float).reshape(shape),
            unit_energy=np.array([energy[key] for key in self._keys], dtype=float).reshape(shape),
            transfer_latency=transfer[0],
            transfer_energy=transfer[1],
            launch_latency=launch,
            launch_energy=launch * (self.machine.static_w.value + self.machine.launch_w.value),
            memory=np.array([self._kinds[key].memory for key in self._keys], dtype=float).reshape(shape),
            capacity=np.array([device.capacity.value if device.capacity else np.inf for device in devices]),
            static_power=self.machine.static_w.value,
            source=weakest(device.costs for device in devices),
        )

    def kind_numbers(self) -> tuple[int, ...]:
        """For each unit the number of its kind: equal units have equal costs."""
        number = {key: index for index, key in enumerate(self._kinds)}
        return tuple(number[key] for key in self._keys)

    def kind_costs(self) -> tuple[tuple[UnitCost, ...], ...]:
        """For each kind of unit its cost on each device."""
        devices = range(len(self.machine.devices))
        return tuple(tuple(self._cost(kind, index) for index in devices) for kind in self._kinds.values())

    def _cost(self, kind: _Kind, index: int) -> UnitCost:
        device = self.machine.devices[index]
        precision = precision_of(device, kind.members)
        steps = steps_on(kind.members, index, device, precision)
        return unit_cost(steps, device, precision, self.machine.static_w.value, self._resident[index])

    # --- equal units ---------------------------------------------------------------------------------------------

    def _read(self, unit: Sequence[str]) -> Hashable:
        """The key of a unit, under which what it does is kept."""
        key: Hashable = (self.graph.tag(unit[0], UnitTag).quantized, *(self._node_key(name) for name in unit))
        if key not in self._kinds:
            members = members_of(self.graph, unit)
            devices = self.machine.devices
            precisions = [precision_of(device, members) for device in devices]
            memory = tuple(constant_bytes(members, precision) for precision in precisions)
            activations = tuple(map(partial(largest_activations, members), devices, precisions))
            self._kinds[key] = _Kind(members, memory, activations)
        return key

    def _node_key(self, name: str) -> Hashable:
        node = self.graph.node(name)
        if node.op_type in _BY_VALUE:
            return name
        attributes = tuple((key, _plain(attribute)) for key, attribute in node.attributes.items())
        return (
            node.op_type,
            node.domain,
            attributes,
            tuple(map(self._value_key, node.inputs)),
            tuple(map(self._value_key, node.outputs)),
            tuple((verdict.state, verdict.engine) for _, verdict in self.graph.tag(name, VerdictTag).verdicts),
            is_fused(self.graph, name),
        )

    def _value_key(self, value: onnx_ir.Value | None) -> Hashable:
        if value is None:
            return None
        key = self._values.get(value)
        if key is None:
            shape = None if value.shape is None else tuple(value.shape)
            key = self._values[value] = (value.dtype, shape, is_constant(value))
        return key

    # --- tensors -------------------------------------------------------------------------------------------------

    def _transfers(self, tensors: Sequence[Crossing]) -> tuple[Array, Array]:
        """Latency and energy of every tensor from every device to every other, [tensors, devices, devices]."""
        count = len(self.machine.devices)
        sizes = np.array([tensor.bytes for tensor in tensors], dtype=float)
        widths = np.array([tensor.float_width for tensor in tensors], dtype=float)
        images = np.array([tensor.is_image for tensor in tensors], dtype=bool)
        latency, energy = (np.zeros((len(tensors), count, count)) for _ in range(2))
        for a in range(count):
            for b in range(count):
                for first, second in self._path(a, b):
                    hop = _Hop(self.machine, first, second)
                    converted = hop.changes_type(widths) | (images & self._changes_layout(first, second))
                    microseconds, microjoules = hop.cost(sizes, converted)
                    latency[:, a, b] += microseconds
                    energy[:, a, b] += microjoules
        return latency, energy

    def _path(self, a: int, b: int) -> tuple[tuple[int, int], ...]:
        """The hops from one device to another: one where they are linked or one is the CPU, else through the CPU."""
        if a == b:
            return ()
        cpu = len(self.machine.devices) - 1
        ids = (self.machine.devices[a].id, self.machine.devices[b].id)
        if ids in self.machine.links or cpu in (a, b):
            return ((a, b),)
        return ((a, cpu), (cpu, b))

    def _changes_layout(self, a: int, b: int) -> bool:
        kinds = {self.machine.devices[a].kind, self.machine.devices[b].kind}
        return bool(self.target.limits.layout) and "npu" in kinds and len(kinds) > 1


def weakest(sources: Iterable[CostSource]) -> CostSource:
    """What a figure is that is made of several: measured only where all of them are."""
    return min(sources, key=_STRENGTHS.index, default="modelled")


class _Hop:
    """One tensor over one link, for many tensors at once."""

    def __init__(self, machine: MachineCoefficients, a: int, b: int) -> None:
        self.static = machine.static_w.value
        self.a, self.b = machine.devices[a], machine.devices[b]
        self.link: LinkCoefficients = machine.links.get((self.a.id, self.b.id)) or default_link(self.a, self.b)

    def changes_type(self, widths: Array) -> Mask:
        """Whether floats of some widths are wider on one of the devices than on the other."""
        first, second = (np.minimum(widths, defaults.BYTES[device.numerics]) for device in (self.a, self.b))
        return np.not_equal(first, second)

    def cost(self, sizes: Array, converted: Mask) -> tuple[Array, Array]:
        """Microseconds, and microjoules with the static power."""
        latency = self.link.latency_us.value + np.where(converted, sizes, 0) / self.link.convert_gbps.value * 1e-3
        memory_pj = max(self.a.dram_pj_per_bit.value, self.b.dram_pj_per_bit.value)
        bits = 2 * 8 * np.where(converted, sizes, 0)
        picojoules = bits * memory_pj
        if self.link.gbps is not None:
            latency = latency + sizes / self.link.gbps.value * 1e-3
            pair = self.a.dram_pj_per_bit.value + self.b.dram_pj_per_bit.value + self.link.pj_per_bit.value
            picojoules = picojoules + 8 * sizes * pair
        return latency, picojoules * 1e-6 + self.static * latency


def _plain(attribute: onnx_ir.Attr) -> Hashable:
    """An attribute as part of a key; a tensor, whose values never change the work, by its type alone."""
    value = attribute.value
    if isinstance(value, list | tuple):
        return tuple(item for item in value if isinstance(item, int | float | str | bytes))
    return value if isinstance(value, int | float | str | bytes) else str(attribute.type)
