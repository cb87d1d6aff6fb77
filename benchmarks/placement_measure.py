"""What is measured of one placement problem: our solvers and every baseline, under one cost, over one bound."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from placement_baselines import BASELINES, waves, waves_of_onnxruntime

from dovetail.partition import (
    Partition,
    Placed,
    Placement,
    PlaceOptions,
    Problem,
    evaluate,
    greedy,
    limits,
    phases,
    place,
    verify_partitions,
)
from dovetail.partition.arrays import make_arrays, make_weights
from dovetail.partition.order import adjacency, topological_order
from dovetail.partition.phases import Grouper
from dovetail.partition.program import solve_program
from dovetail.plan.errors import PartitionError

OPTIONS = PlaceOptions(time_limit_s=60.0)
"""The limit is on the clock of the wall, three times the default: the machine may be shared."""
LARGEST_AUTO = 10_000
"""Units up to which `auto` is asked; beyond it does what `fast` does."""
LARGEST_PROGRAM = 10_000
LARGEST_CHECK = 3_000
"""Units up to which onnxruntime's own grouping is compared with its port."""
RUNS = 5
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Tried:
    """One way to place."""

    ratio: float
    """Value over the best bound."""
    seconds: float
    """Of processor time."""
    own_gap: float = 0.0
    solver: str = ""


@dataclass(slots=True)
class Row:
    """One problem."""

    name: str
    suite: str
    devices: int
    units: int
    bound: float
    tried: dict[str, Tried] = field(default_factory=dict)
    """`fast`, `auto`, `exact` where `auto` leaves a gap, and the baselines that gave an answer."""
    notes: list[str] = field(default_factory=list)
    """Why a baseline has none."""
    partitions: int = 0
    certificate: int = 0
    """One more than the most switches on a path of ours, the first device counted."""
    grouping_ms: float = 0.0
    with_structure_ms: float = 0.0
    peak_mb: float = 0.0
    """Growth of the peak of resident memory while `fast` ran; 0 where it was not measured."""

    @property
    def ours(self) -> Tried:
        """The better of ours: what is asked for by default."""
        return self.tried.get("auto", self.tried["fast"])


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """The result, and the seconds of processor time that it took: the machine may be shared."""
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def measure(name: str, suite: str, problem: Problem, memory: bool = False) -> Row:
    """Place with everything that there is."""
    units, devices = len(problem.names), len(problem.devices)
    ours: dict[str, tuple[Placed, float]] = {}
    if memory:
        reset_peak()
        before = peak_mb()
    ours["fast"] = timed(lambda: place(problem, replace(OPTIONS, solver="fast")))
    grown = peak_mb() - before if memory else 0.0
    if units <= LARGEST_AUTO:
        ours["auto"] = timed(lambda: place(problem, OPTIONS))
        if devices == 2 and ours["auto"][0].gap > OPTIONS.gap:
            ours["exact"] = timed(lambda: place(problem, replace(OPTIONS, solver="exact")))
    bound = max(placed.bound for placed, _ in ours.values())
    if devices > 2 and units <= LARGEST_PROGRAM and not problem.limits:
        bound = max(bound, linear_bound(problem))
    row = Row(name, suite, devices, units, float(bound), peak_mb=grown)
    for way, (placed, seconds) in ours.items():
        value = evaluate(problem, phases.partition(problem, placed.placement)).latency
        row.tried[way] = Tried(float(value / bound), seconds, float(placed.gap), placed.solver)
    _try_baselines(row, problem)
    _group(row, problem, list(ours.values())[-1][0].placement)
    return row


def linear_bound(problem: Problem) -> float:
    """The bound of the linear program; 0 where two minutes do not do."""
    weights = make_weights(problem, np.ones(len(problem.devices)), 0.0)
    deadline = time.monotonic() + 120
    return solve_program(make_arrays(problem), [weights], gap=1e-4, deadline=deadline, relax=True).bound


def _try_baselines(row: Row, problem: Problem) -> None:
    assert problem.costs is not None
    if row.units <= LARGEST_CHECK:
        _check_waves(row, problem)
    for baseline in BASELINES:
        if row.units > baseline.most_units:
            continue
        try:
            partitions, seconds = timed(lambda rule=baseline.partition: rule(problem))
        except ImportError as error:
            row.notes.append(f"{baseline.name}: {error}")
            continue
        except PartitionError:
            row.notes.append(f"{baseline.name}: its groups wait for one another")
            continue
        if partitions is None:
            continue
        verify_partitions(replace(problem, limits={}), _placement(row.units, partitions), partitions)
        found = evaluate(problem, partitions)
        fits = all(used <= most for used, most in zip(found.memory, problem.costs.capacity.tolist(), strict=True))
        if not (fits and limits.are_kept(problem, partitions)):
            row.notes.append(f"{baseline.name}: breaks a limit of the target")
            continue
        row.tried[baseline.name] = Tried(float(found.latency / row.bound), seconds)


def _check_waves(row: Row, problem: Problem) -> None:
    """Compare our port with onnxruntime's own code, where units are numbered in topological order."""
    if any(source > target for source, target in problem.edges):
        return
    taken = [allowed[0] for allowed in problem.allowed]
    if waves(row.units, problem.edges, taken) != waves_of_onnxruntime(row.units, problem.edges, taken):
        row.notes.append("onnxruntime: our port makes other groups than its own code")


def _placement(units: int, partitions: Sequence[Partition]) -> Placement:
    device_of = [0] * units
    for part in partitions:
        for unit in part.units:
            device_of[unit] = part.device
    return Placement(tuple(device_of))


# --- grouping -------------------------------------------------------------------------------------------------------


def _group(row: Row, problem: Problem, placement: Placement) -> None:
    grouper = Grouper(problem)
    row.partitions, row.certificate = len(grouper.partition(placement.device_of)), least_partitions(problem, placement)
    simple = greedy.place(problem)
    made, least = len(grouper.partition(simple.device_of)), least_partitions(problem, simple)
    if made != least and row.devices == 2:
        row.notes.append(f"grouping: {made} partitions for the greedy placement, {least} in the certificate")
    row.grouping_ms = _best_ms(lambda: grouper.partition(placement.device_of))
    row.with_structure_ms = _best_ms(lambda: Grouper(problem).partition(placement.device_of))


def least_partitions(problem: Problem, placement: Placement) -> int:
    """The fewest partitions of any run of a placement, on whatever device it starts: what the certificates prove."""
    return min(len(certificate(problem, placement, start)) for start in range(len(problem.devices)))


def _best_ms(work: Callable[[], object]) -> float:
    return 1e3 * min(timed(work)[1] for _ in range(RUNS))


def certificate(problem: Problem, placement: Placement, start: int) -> list[int]:
    """Units on one path, each with another device than the one before: no two are in one partition.

    Where the path does not begin on the device that the run starts with, -1 stands for the first partition.
    """
    device_of = placement.device_of
    successors, indegree = adjacency(len(device_of), problem.edges)
    switches = [int(device != start) for device in device_of]
    came = [-1] * len(device_of)
    for unit in topological_order(problem, successors, indegree):
        for reader in successors[unit]:
            there = switches[unit] + (device_of[reader] != device_of[unit])
            if there > switches[reader]:
                switches[reader], came[reader] = there, unit
    unit = switches.index(max(switches)) if switches else -1
    path = []
    while unit >= 0:
        if not path or device_of[path[-1]] != device_of[unit]:
            path.append(unit)
        unit = came[unit]
    return [*path, -1][::-1] if path and device_of[path[-1]] != start else path[::-1]


# --- memory ---------------------------------------------------------------------------------------------------------


def reset_peak() -> None:
    """Let the peak of resident memory start from now, on Linux."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass


def peak_mb() -> float:
    """The peak of resident memory of this process."""
    if os.path.exists("/proc/self/status"):
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) / 1e3 for line in file if line.startswith("VmHWM"))
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
