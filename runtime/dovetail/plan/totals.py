"""The figures of a plan that budgets bound, and that plans are compared by."""

from dataclasses import dataclass

from dovetail.plan.schema import Plan


@dataclass(frozen=True, slots=True)
class Totals:
    """Figures of one request on one batch size. None: not known, and never taken for 0."""

    operators: int
    """Of the compiled top graph; those in bodies of If, Loop and Scan are not counted."""
    npu_ops: float | None
    """Share of them on NPUs, 0 to 1; None where there are no operators."""
    npu_time: float | None
    """Share of NPUs in the devices' time, the predicted time of all partitions, 0 to 1."""
    partitions: int
    transfers: int
    boundary_bytes: int | None
    """Bytes of all transfers; None where the size of a tensor depends on a symbolic dimension."""
    latency_ms: float | None
    energy_mj: float | None


def plan_totals(plan: Plan) -> Totals:
    """Return the figures of a plan's own batch size; see `dovetail.plan.for_batch` for the others."""
    npus = npu_devices(plan)
    devices = [operator.device for operator in plan.operators if not operator.inside]
    sizes = [transfer.bytes for transfer in plan.transfers]
    known = [size for size in sizes if size is not None]
    return Totals(
        operators=len(devices),
        npu_ops=sum(device in npus for device in devices) / len(devices) if devices else None,
        npu_time=_npu_time(plan),
        partitions=len(plan.partitions),
        transfers=len(sizes),
        boundary_bytes=sum(known) if len(known) == len(sizes) else None,
        latency_ms=plan.predicted.latency_ms,
        energy_mj=plan.predicted.energy_mj,
    )


def npu_devices(plan: Plan) -> frozenset[str]:
    """Return the ids of the devices that are NPUs."""
    return frozenset(device.id for device in plan.devices if device.kind == "npu")


def _npu_time(plan: Plan) -> float | None:
    times = [(each.kind, (each.predicted or {}).get("latency_ms")) for each in plan.partitions]
    known = [(kind, time) for kind, time in times if time is not None]
    total = sum(time for _, time in known)
    if len(known) < len(times) or total <= 0:
        return None
    return sum(time for kind, time in known if kind == "npu") / total
