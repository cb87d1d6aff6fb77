"""What a plan says of costs: figures of units and partitions, of the whole, and of simpler placements."""

from collections.abc import Sequence
from dataclasses import dataclass

from dovetail.compiler.costing import Costing, weakest
from dovetail.partition import (
    Arrangement,
    Objective,
    Partition,
    Placed,
    PlaceOptions,
    Problem,
    evaluate,
    phases,
    simple_placements,
)
from dovetail.plan.schema import Alternative, CostTerm, Predicted, UnitFigures


@dataclass(frozen=True, slots=True)
class UnitCosts:
    """The plan's table of unit costs."""

    table: tuple[UnitFigures, ...]
    place: tuple[tuple[int, ...], ...]
    """For each unit and device an index into the table."""


def unit_costs(costing: Costing) -> UnitCosts:
    """The costs of all kinds of units on all devices, with their arithmetic."""
    kinds = costing.kind_costs()
    devices = len(costing.machine.devices)
    table = tuple(
        UnitFigures(
            latency_us=cost.latency_us,
            energy_uj=cost.energy_uj,
            assumed=cost.assumed,
            source=cost.device.costs,
            terms=tuple(CostTerm(term.name, term.value, term.unit, term.source) for term in cost.terms),
        )
        for row in kinds
        for cost in row
    )
    place = tuple(tuple(range(kind * devices, (kind + 1) * devices)) for kind in costing.kind_numbers())
    return UnitCosts(table, place)


def predicted(
    problem: Problem, placed: Placed, found: Arrangement, options: PlaceOptions, costing: Costing
) -> Predicted:
    """The figures of one request.

    They are called what those of the weakest device in use are; launches and tensors that cross are modelled always.
    """
    devices = {partition.device for partition in found.partitions}
    proven = placed.bound > 0
    return Predicted(
        latency_ms=1e-3 * found.timeline.latency,
        serial_latency_ms=1e-3 * found.serial.latency,
        energy_mj=1e-3 * found.energy,
        period_ms=1e-3 * max(found.serial.loads, default=0.0),
        value=plan_value(placed.value, options.objective),
        lower_bound=plan_value(placed.bound, options.objective) if proven else None,
        gap=placed.gap if proven else None,
        solver=placed.solver,
        timed_out=placed.timed_out,
        concurrent=found.concurrent,
        alternatives=_alternatives(problem),
        source=weakest(costing.machine.devices[device].costs for device in devices),
    )


def plan_value(value: float, objective: Objective) -> float:
    """A value of `Placed` in the units of the plan: milliseconds, millijoules, or their product."""
    return (1e-6 if objective == "edp" else 1e-3) * value


def _alternatives(problem: Problem) -> tuple[Alternative, ...]:
    found = []
    for name, placement in simple_placements(problem):
        serial = evaluate(problem, phases.partition(problem, placement))
        found.append(Alternative(name, 1e-3 * serial.latency, 1e-3 * serial.energy))
    return tuple(found)


def partition_figures(problem: Problem, found: Arrangement) -> tuple[dict[str, float], ...]:
    """For each partition when it starts and ends, and what its units and its launch cost."""
    costs = problem.costs
    assert costs is not None
    rows = []
    for part, start, end in zip(found.partitions, found.timeline.start, found.timeline.end, strict=True):
        units = list(part.units)
        energy = float(costs.unit_energy[units, part.device].sum() + costs.launch_energy[part.device])
        rows.append(
            {
                "start_ms": 1e-3 * start,
                "end_ms": 1e-3 * end,
                "latency_ms": 1e-3 * (end - start),
                "energy_mj": 1e-3 * energy,
            }
        )
    return tuple(rows)


def overlapping(partitions: Sequence[Partition], start: Sequence[float], end: Sequence[float]) -> list[list[int]]:
    """For each partition those of other devices that run at the same time. O(P log P + pairs found)."""
    found: list[list[int]] = [[] for _ in partitions]
    running: list[int] = []
    for index in sorted(range(len(partitions)), key=start.__getitem__):
        running = [other for other in running if end[other] > start[index]]
        for other in running:
            if partitions[other].device != partitions[index].device and end[index] > start[index]:
                found[other].append(index)
                found[index].append(other)
        running.append(index)
    return [sorted(each) for each in found]
