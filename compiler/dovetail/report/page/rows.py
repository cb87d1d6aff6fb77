"""What a page knows of operators, tensors, partitions and transfers, as rows of numbers and numbers of strings.

The order of fields is that of the constants in `assets/model.js`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from dovetail.plan.causes import decisive_reason, nameless_message, short_reason
from dovetail.plan.codes import remedy
from dovetail.plan.schema import Plan, PlanOperator, PlanPartition, Reason, TensorSpec, Transfer
from dovetail.report.page.texts import Texts
from dovetail.report.words import UNKNOWN, shape_text, tensor_bytes

if TYPE_CHECKING:  # it loads ONNX, which the report of a plan does without
    from dovetail.lowering.joined import JoinedGraph

Row: TypeAlias = list[Any]


class Tensors:
    """Tensors by number, each once."""

    def __init__(self, texts: Texts, plan: Plan, graph: "JoinedGraph | None") -> None:
        """Know the types that the plan and the graph know."""
        self._texts = texts
        self._constants = graph.constants if graph else frozenset()
        self._specs: dict[str, TensorSpec] = dict(graph.tensors) if graph else {}
        self._specs.update((spec.name, spec) for spec in plan.slots)
        self._numbers: dict[str, int] = {}
        self.rows: list[Row] = []

    def number(self, name: str) -> int:
        """The number of a tensor; -1 for one that is left out."""
        if not name:
            return -1
        found = self._numbers.get(name)
        if found is None:
            found = self._numbers[name] = len(self.rows)
            self.rows.append(self._row(name))
        return found

    def numbers(self, names: Iterable[str]) -> list[int]:
        """The numbers of some tensors."""
        return [self.number(name) for name in names]

    def shape(self, name: str) -> str:
        """The shape of a tensor in words, empty where nothing is known."""
        spec = self._specs.get(name)
        return _shape(spec) if spec else ""

    def _row(self, name: str) -> Row:
        spec = self._specs.get(name)
        known = f"{spec.dtype} {_shape(spec)}" if spec else ""
        size = tensor_bytes(spec) if spec else None
        return [self._texts.number(name), self._texts.number(known), size, int(name in self._constants)]


def _shape(spec: TensorSpec) -> str:
    if not spec.shape:
        return shape_text(spec.shape)
    return "\N{MULTIPLICATION SIGN}".join(UNKNOWN if dim is None else str(dim) for dim in spec.shape)


class Reasons:
    """What decided where operators are, each reason once."""

    def __init__(self, texts: Texts, device: str) -> None:
        """Of operators that are not on a device, the first of the target."""
        self._texts = texts
        self._device = device
        self._numbers: dict[tuple[Any, ...], int] = {}

    def number(self, operator: PlanOperator) -> int:
        """The number of an operator's reason; -1 for one that is on the device."""
        if operator.device == self._device:
            return -1
        reason = decisive_reason(operator, self._device)
        return self._numbers.setdefault(self._row(operator, reason), len(self._numbers))

    def rows(self) -> list[Row]:
        """All reasons, in the order of their numbers."""
        return [list(row) for row in self._numbers]

    def _row(self, operator: PlanOperator, reason: Reason) -> tuple[int, ...]:
        message = nameless_message(operator, reason.message)
        if operator.fallback is None or reason.rule == "cost":
            message = short_reason(operator)
        words = (
            reason.code,
            reason.rule,
            message,
            reason.got,
            reason.allowed,
            remedy(reason.code, reason.fix),
            reason.source,
            reason.confidence,
        )
        return tuple(self._texts.number(text) for text in words)


def operator_rows(plan: Plan, graph: "JoinedGraph | None", texts: Texts, tensors: Tensors, reasons: Reasons) -> Row:
    """Return a row for each operator, those in bodies too, and the patterns of verdicts that the rows name."""
    wires = {node.name: node for node in graph.nodes} if graph else {}
    place = {partition.id: number for number, partition in enumerate(plan.partitions)}
    number = {operator.name: index for index, operator in enumerate(plan.operators) if not operator.inside}
    patterns: dict[tuple[tuple[str, int], ...], int] = {}
    rows = []
    for operator in plan.operators:
        wire = None if operator.inside else wires.get(operator.name)
        verdicts = tuple((each.state, -1 if each.cost is None else each.cost) for each in operator.verdicts)
        rows.append(
            [
                texts.number(operator.name),
                texts.number(f"{operator.domain}.{operator.op_type}" if operator.domain else operator.op_type),
                place.get(operator.partition, -1),
                operator.unit,
                _figure(operator.cost, "latency_us"),
                _figure(operator.cost, "energy_uj"),
                patterns.setdefault(verdicts, len(patterns)),
                reasons.number(operator),
                tensors.numbers(wire.inputs) if wire else [],
                tensors.numbers(wire.outputs) if wire else [],
                number.get(operator.inside, -1) if operator.inside else -1,
                [texts.number(name) for name in operator.origins if name != operator.name],
            ]
        )
    return [rows, [[list(pair) for pair in pattern] for pattern in patterns]]


def partition_rows(plan: Plan, texts: Texts, tensors: Tensors) -> list[Row]:
    """Return a row for each partition, in run order."""
    devices = {device.id: number for number, device in enumerate(plan.devices)}
    return [_partition_row(each, devices, texts, tensors) for each in plan.partitions]


def _partition_row(partition: PlanPartition, devices: Mapping[str, int], texts: Texts, tensors: Tensors) -> Row:
    figures = partition.predicted
    return [
        texts.number(partition.id),
        devices[partition.device],
        tensors.numbers(spec.name for spec in partition.inputs),
        tensors.numbers(spec.name for spec in partition.outputs),
        *(_figure(figures, name, 1e3) for name in ("start_ms", "end_ms", "latency_ms", "energy_mj")),
        int(partition.compiled_file is not None),
    ]


def transfer_rows(plan: Plan, tensors: Tensors) -> list[Row]:
    """Return a row for each transfer; the host has number -1 as a device."""
    devices = {device.id: number for number, device in enumerate(plan.devices)}
    place = {partition.id: number for number, partition in enumerate(plan.partitions)}
    return [_transfer_row(each, devices, place, tensors) for each in plan.transfers]


def _transfer_row(transfer: Transfer, devices: Mapping[str, int], place: Mapping[str, int], tensors: Tensors) -> Row:
    return [
        tensors.number(transfer.tensor),
        devices.get(transfer.source, -1),
        devices.get(transfer.destination, -1),
        transfer.bytes,
        _figure(transfer.cost, "latency_us"),
        _figure(transfer.cost, "energy_uj"),
        [place[name] for name in transfer.consumers if name in place],
    ]


def cost_rows(plan: Plan, texts: Texts) -> list[Row]:
    """Return what units cost on devices: the table that verdicts point into."""
    return [
        [_short(each.latency_us), _short(each.energy_uj), int(each.assumed), texts.number(each.source)]
        for each in plan.costs
    ]


def _figure(figures: Mapping[str, float] | None, name: str, scale: float = 1.0) -> float | None:
    value = figures.get(name) if figures else None
    return None if value is None else _short(scale * value)


def _short(value: float) -> float:
    """Six digits: more are never shown."""
    return float(f"{value:.6g}")


def device_rows(plan: Plan, texts: Texts, letters: Sequence[str]) -> list[Row]:
    """Return a row for each device of the target."""
    return [
        [texts.number(each.id), each.kind, texts.number(each.name), letter]
        for each, letter in zip(plan.devices, letters, strict=True)
    ]
