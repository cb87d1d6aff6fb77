"""What a sweep says of one model on one target, and which target it recommends."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dovetail.partition import Objective
from dovetail.plan.verdict import figure


@dataclass(frozen=True, slots=True)
class SweepRecord:
    """A row: a model with a batch size on a target. Figures are those of one request; None where they are not known."""

    model: str
    """The file's name without its ending, or as much of its path as tells it from the others."""
    batch: int | None
    """None: the model as it is."""
    target: str
    """`name:variant`."""
    error: str = ""
    """Why there are no figures, in one line; empty where there are."""
    recommended: bool = False
    """Of the targets for this model and batch size, the best by the objective."""
    latency_ms: float | None = None
    energy_mj: float | None = None
    period_ms: float | None = None
    """Between two requests in a pipeline."""
    operators: int | None = None
    """Of the compiled top graph; those in bodies of If, Loop and Scan are not counted."""
    npu_ops: float | None = None
    """Share of them on NPUs, 0 to 1."""
    npu_time: float | None = None
    """Share of NPUs in the devices' time, the predicted time of all partitions, 0 to 1."""
    partitions: int | None = None
    transfers: int | None = None
    """Tensors that cross between devices, inputs and outputs of the model included."""
    boundary_bytes: int | None = None
    """Of all transfers; None also where the size of one depends on a symbolic dimension."""
    single: str = ""
    """The best device for the whole model, by the objective; empty where none takes it alone."""
    single_latency_ms: float | None = None
    single_energy_mj: float | None = None
    gap: float | None = None
    """The placement is at most so much above the proven bound: (value - bound) / bound."""
    timed_out: bool = False
    """The time limit ended the solver's search: another run may find another placement."""
    source: str = ""
    """Of the times: `modelled`, `vendor estimate` or `measured`; energies are modelled."""


def recommend(records: Sequence[SweepRecord], objective: Objective) -> tuple[SweepRecord, ...]:
    """Mark the best target of each model and batch size; of equal ones the first. Rows without figures are left out."""
    best: dict[tuple[str, int | None], tuple[tuple[float, float], int]] = {}
    for number, record in enumerate(records):
        merit = _merit(record, objective)
        if merit is not None:
            key = record.model, record.batch
            best[key] = min(best.get(key, (merit, number)), (merit, number))
    chosen = {number for _, number in best.values()}
    return tuple(replace(record, recommended=number in chosen) for number, record in enumerate(records))


def _merit(record: SweepRecord, objective: Objective) -> tuple[float, float] | None:
    """The objective's figure, and what decides between equal ones: energy, where that is no part of it."""
    if record.error or record.latency_ms is None or record.energy_mj is None or record.period_ms is None:
        return None
    first = figure(objective, record.latency_ms, record.energy_mj, record.period_ms)
    return first, record.latency_ms if objective == "energy" else record.energy_mj
