"""A plan boiled down to what its user asks first: what runs where, why, and what crosses."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from dovetail.plan import device_totals
from dovetail.plan.causes import (
    Cause,
    decisive_reason,
    displaced_operators,
    rank_causes,
    reasons_against,
    short_message,
    unit_costs,
)
from dovetail.plan.codes import label, remedy
from dovetail.plan.schema import (
    Certificate,
    DeviceKind,
    Plan,
    PlanOperator,
    PlanPartition,
    Predicted,
    Quantization,
    TensorSpec,
    Transfer,
)
from dovetail.report.figures import BatchRow, batch_rows
from dovetail.report.words import counted, tensor_bytes


@dataclass(frozen=True, slots=True)
class DeviceShare:
    """What one device of the target got."""

    id: str
    kind: DeviceKind
    name: str
    numerics: str
    has_backend: bool
    """False: no host runs this device; its partitions are emulated or move to the next device."""
    operators: int
    """Operators of the top graph. Those in bodies of If, Loop and Scan are not counted."""
    share: float
    """Part of all operators of the top graph, 0 to 1."""
    partitions: int
    latency_ms: float | None
    """Predicted, of its partitions with their launches; None where the plan has no figures."""
    time_share: float | None
    """Part of the devices' time, the predicted time of all partitions, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """The tensors on one side of a partition."""

    tensors: int
    bytes: int | None
    """None where any of them has a symbolic size."""


@dataclass(frozen=True, slots=True)
class PartitionRow:
    """One device subgraph, in run order."""

    id: str
    device: str
    kind: DeviceKind
    operators: int
    inputs: Boundary
    outputs: Boundary
    first: str
    """Name of its first node."""
    last: str
    latency_ms: float | None = None
    """As predicted, with its launch."""
    energy_mj: float | None = None
    concurrent: bool = False
    """Another device is predicted to work at the same time."""


@dataclass(frozen=True, slots=True)
class TransferTotals:
    """Tensors that cross from one device to another, once per destination device."""

    count: int
    bytes: int
    """Sum over the tensors of known size."""
    unknown: int
    """Number of tensors of symbolic size, which `bytes` leaves out."""
    latency_ms: float | None = None
    """Sum of the predicted times; None without a figure."""


@dataclass(frozen=True, slots=True)
class DisplacedOperator:
    """An operator that is not on the preferred device."""

    name: str
    op_type: str
    device: str
    reason: str
    """The sentence of what decided, without the operator's name."""
    others: int
    """Rules that speak against it beside that one."""
    code: str
    """Of what decided: `DV104`; empty for a plan of an older schema that knows no rule."""
    rule: str
    got: str
    """The value that the rule found."""
    latency_us: float | None
    """Predicted, of its unit where it is; None where the plan has no figures."""
    fix: str

    @property
    def label(self) -> str:
        """`DV104 dtype`."""
        return label(self.code, self.rule)


@dataclass(frozen=True, slots=True)
class Body:
    """The operators in the bodies of one If, Loop or Scan; they run where it runs."""

    parent: str
    parent_type: str
    device: str
    op_types: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All that the text report shows."""

    model: str
    bindings: tuple[str, ...]
    """The loading options, as they were written: `--dim batch=1`."""
    target: str
    objective: str
    predicted: Predicted
    operators: int
    """Operators of the compiled top graph."""
    eliminated: int
    """Nodes of the model that folded away."""
    devices: tuple[DeviceShare, ...]
    partitions: tuple[PartitionRow, ...]
    transfers: tuple[Transfer, ...]
    totals: TransferTotals
    causes: tuple[Cause, ...]
    displaced: tuple[DisplacedOperator, ...]
    """What takes longest first: as much as that could be gained by moving it."""
    bodies: tuple[Body, ...]
    notes: tuple[str, ...]
    batches: tuple[BatchRow, ...] = ()
    """One for each batch size, where there are several."""
    certificate: Certificate | None = None
    compiled: int = 0
    """Partitions that the devices' own compilers have compiled."""
    quantization: Quantization | None = None
    """How the choice between float and integers went; None where it was not asked for."""


def summarize(plan: Plan) -> Report:
    """Return the figures of `plan` in the form that reports show."""
    return Report(
        model=plan.model.name,
        bindings=tuple(f"--{option.removeprefix('--')}={value}" for option, value in plan.model.bindings.items()),
        target=plan.target,
        objective=plan.objective,
        predicted=plan.predicted,
        operators=sum(not operator.inside for operator in plan.operators),
        eliminated=len(plan.model.eliminated),
        devices=_device_shares(plan),
        partitions=_partition_rows(plan),
        transfers=plan.transfers,
        totals=_transfer_totals(plan),
        causes=rank_causes(plan),
        displaced=_displaced(plan),
        bodies=_bodies(plan),
        notes=(*plan.notes, *_size_notes(plan), *_device_notes(plan), *_confidence_notes(plan)),
        batches=batch_rows(plan),
        certificate=plan.certificate,
        compiled=sum(partition.compiled_file is not None for partition in plan.partitions),
        quantization=plan.quantization,
    )


def _device_shares(plan: Plan) -> tuple[DeviceShare, ...]:
    return tuple(
        DeviceShare(
            id=device.id,
            kind=device.kind,
            name=device.name,
            numerics=device.numerics,
            has_backend=device.backend is not None,
            operators=total.operators,
            share=total.share,
            partitions=total.partitions,
            latency_ms=total.latency_ms,
            time_share=total.time_share,
        )
        for device, total in zip(plan.devices, device_totals(plan), strict=True)
    )


def _displaced(plan: Plan) -> tuple[DisplacedOperator, ...]:
    costs, first = unit_costs(plan), plan.devices[0].id
    found = [_displaced_operator(operator, first, costs.get(operator.unit)) for operator in displaced_operators(plan)]
    return tuple(sorted(found, key=lambda each: -(each.latency_us or 0.0)))


def _displaced_operator(operator: PlanOperator, first: str, cost: Mapping[str, float] | None) -> DisplacedOperator:
    why = decisive_reason(operator, first)
    return DisplacedOperator(
        name=operator.name,
        op_type=operator.op_type,
        device=operator.device,
        reason=short_message(operator, why),
        others=max(len(reasons_against(operator, first)) - 1, 0),
        code=why.code,
        rule=why.rule,
        got=why.got,
        latency_us=cost["latency_us"] if cost else None,
        fix=remedy(why.code, why.fix),
    )


def _partition_rows(plan: Plan) -> tuple[PartitionRow, ...]:
    operators = Counter(operator.partition for operator in plan.operators if not operator.inside)
    return tuple(_partition_row(partition, operators[partition.id]) for partition in plan.partitions)


def _partition_row(partition: PlanPartition, operators: int) -> PartitionRow:
    return PartitionRow(
        id=partition.id,
        device=partition.device,
        kind=partition.kind,
        operators=operators,
        inputs=boundary(partition.inputs),
        outputs=boundary(partition.outputs),
        first=partition.nodes[0] if partition.nodes else "",
        last=partition.nodes[-1] if partition.nodes else "",
        latency_ms=(partition.predicted or {}).get("latency_ms"),
        energy_mj=(partition.predicted or {}).get("energy_mj"),
        concurrent=bool(partition.concurrent),
    )


def boundary(tensors: tuple[TensorSpec, ...]) -> Boundary:
    """Return the number of tensors on one side of a partition, and their bytes."""
    sizes = [tensor_bytes(tensor) for tensor in tensors]
    known = [size for size in sizes if size is not None]
    return Boundary(len(sizes), sum(known) if len(known) == len(sizes) else None)


def _transfer_totals(plan: Plan) -> TransferTotals:
    known = [transfer.bytes for transfer in plan.transfers if transfer.bytes is not None]
    times = [transfer.cost["latency_us"] / 1e3 for transfer in plan.transfers if transfer.cost]
    between = sum(times) if times else None
    return TransferTotals(len(plan.transfers), sum(known), len(plan.transfers) - len(known), between)


def _bodies(plan: Plan) -> tuple[Body, ...]:
    types = {operator.name: operator.op_type for operator in plan.operators}
    members: dict[tuple[str, str], list[str]] = {}
    for operator in plan.operators:
        if operator.inside:
            members.setdefault((operator.inside, operator.device), []).append(operator.op_type)
    return tuple(
        Body(parent, types.get(parent, ""), device, tuple(Counter(op_types).most_common()))
        for (parent, device), op_types in members.items()
    )


def _device_notes(plan: Plan) -> list[str]:
    used = {partition.device for partition in plan.partitions}
    return [
        f"{device.id} ({device.name}) runs on no host: `run` moves its partitions to the next device, "
        "`run --emulate` computes them on the CPU with the device's numerics"
        for device in plan.devices
        if device.backend is None and device.id in used
    ]


def _size_notes(plan: Plan) -> list[str]:
    """Say how many operators the predicted figures know too little of."""
    unknown = sum(
        verdict.device == operator.device and verdict.cost is not None and plan.costs[verdict.cost].assumed
        for operator in plan.operators
        for verdict in operator.verdicts
    )
    if not unknown:
        return []
    operators = counted(unknown, "operator")
    return [f"of {operators} a size or a number of iterations is not known and counts as 1; see --dim"]


def _confidence_notes(plan: Plan) -> list[str]:
    """Say how many verdicts that decided something rest on facts of low confidence."""
    notes = []
    for device in plan.devices:
        doubtful = sum(
            verdict.device == device.id and any(reason.confidence == "low" for reason in verdict.reasons)
            for operator in plan.operators
            for verdict in operator.verdicts
        )
        if doubtful:
            verdicts = counted(doubtful, "verdict")
            notes.append(f"{verdicts} on {device.id} from facts of low confidence; see `dovetail explain`")
    return notes


def operators_in(plan: Plan, partition: str) -> int:
    """Number of operators of a partition, those in bodies not counted."""
    return sum(operator.partition == partition and not operator.inside for operator in plan.operators)
