"""What runs: evaluation, timelines, concurrent partitions, and the guarantees of `arrange`."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from tests.partition.costed import costed_problems

from dovetail.cost import CostTable
from dovetail.partition import (
    Arrangement,
    Partition,
    Placement,
    PlaceOptions,
    Problem,
    Tensor,
    Timeline,
    arrange,
    evaluate,
    partition_concurrently,
    phases,
    place,
    schedule,
    verify_partitions,
)
from dovetail.plan.errors import PartitionError

ANY = costed_problems(devices=2, max_units=10, limited=False)
THREE = costed_problems(devices=3, max_units=8, limited=False)


def two_branches(transfer: float = 1.0) -> Problem:
    """A stem, two equal branches, a join; every unit takes 10 us on either device, a launch 2 and 1."""
    edges = ((0, 1), (0, 2), (1, 3), (2, 3))
    readers = {0: (1, 2), 1: (3,), 2: (3,), 3: ()}
    tensors = (Tensor(4, None, (0,)), *(Tensor(4, unit, readers[unit], unit == 3) for unit in range(4)))
    away = (1 - np.eye(2)) * transfer
    return Problem(
        devices=("npu", "cpu"),
        names=("stem", "left", "right", "join"),
        allowed=((True, True),) * 4,
        edges=edges,
        sizes=(1,) * 4,
        pins={},
        limits={},
        tensors=tensors,
        costs=CostTable(
            unit_latency=np.full((4, 2), 10.0),
            unit_energy=np.full((4, 2), 5.0),
            transfer_latency=np.broadcast_to(away, (5, 2, 2)),
            transfer_energy=np.broadcast_to(away, (5, 2, 2)),
            launch_latency=np.array([2.0, 1.0]),
            launch_energy=np.array([3.0, 4.0]),
            memory=np.ones((4, 2)),
            capacity=np.full(2, np.inf),
            static_power=0.1,
        ),
    )


def test_evaluation_by_hand() -> None:
    problem = two_branches()
    parts = (Partition(1, (0,)), Partition(0, (1,)), Partition(1, (2, 3)))
    found = evaluate(problem, parts)
    # cpu: stem, right, join, two launches, and left's tensor; npu: left, its launch, and the stem's tensor, once
    assert found.loads == (10 + 2 + 1, 30 + 2 * 1 + 1)
    assert found.latency == 46
    assert found.energy == 4 * 5 + 2 * 4 + 3 + 2
    assert found.memory == (1, 3)


def test_a_tensor_goes_once_to_each_device() -> None:
    problem = two_branches()
    parts = (Partition(1, (0,)), Partition(0, (1, 2)), Partition(1, (3,)))
    assert evaluate(problem, parts).loads[0] == 20 + 2 + 1, "two readers on the npu, one transfer"


def test_a_timeline_by_hand() -> None:
    problem = two_branches()
    parts = (Partition(1, (0,)), Partition(0, (1,)), Partition(1, (2,)), Partition(1, (3,)))
    found = schedule(problem, parts)
    assert found.start == (0, 12, 11, 25)  # the stem's tensor takes 1 us to the npu; left's takes 1 us back
    assert found.end == (11, 24, 22, 36)
    assert found.latency == 36
    assert found.after == ((), (0,), (0,), (1, 2))
    assert found.overlaps(parts)


@settings(max_examples=150, deadline=None)
@given(ANY | THREE)
def test_a_timeline_is_possible_and_never_late(problem: Problem) -> None:
    placed = place(problem, PlaceOptions(solver="fast"))
    serial = phases.partition(problem, placed.placement)
    check_timeline(problem, serial, schedule(problem, serial))
    choices = [[d for d, may in enumerate(row) if may] for row in problem.allowed]
    for price, forks in ((0.0, False), (1.0, True)):
        parts = partition_concurrently(problem, choices, price, forks)
        check_timeline(problem, parts, schedule(problem, parts))
        verify_partitions(problem, placement_of(problem, parts), parts)


def placement_of(problem: Problem, parts: tuple[Partition, ...]) -> Placement:
    device_of = {unit: part.device for part in parts for unit in part.units}
    return Placement(tuple(device_of[unit] for unit in range(len(problem.names))))


def check_timeline(problem: Problem, parts: tuple[Partition, ...], found: Timeline) -> None:
    """One partition at a time on a device, each after what it reads is there; no slower than one after the other."""
    assert problem.costs is not None
    for device in range(len(problem.devices)):
        runs = sorted((found.start[n], found.end[n]) for n, part in enumerate(parts) if part.device == device)
        assert all(end <= start + 1e-6 for (_, end), (start, _) in pairwise(runs))
    part_of = {unit: number for number, part in enumerate(parts) for unit in part.units}
    for source, target in problem.edges:
        first, second = part_of[source], part_of[target]
        if first != second:
            assert found.start[second] >= found.end[first] - 1e-6
            assert first in found.after[second]
    for number, tensor in enumerate(problem.tensors):
        if tensor.producer is None:
            continue
        maker = part_of[tensor.producer]
        for reader in tensor.readers:
            there = part_of[reader]
            if there != maker:
                moved = problem.costs.transfer_latency[number, parts[maker].device, parts[there].device]
                assert found.start[there] >= found.end[maker] + moved - 1e-6
    serial = evaluate(problem, parts).latency
    assert found.latency <= serial * (1 + 1e-9) + 1e-6


def test_branches_run_at_the_same_time_where_that_is_faster() -> None:
    problem = two_branches()
    found = arrange(problem, place(problem, PlaceOptions()), PlaceOptions())
    alone = evaluate(problem, phases.partition(problem, Placement((1,) * 4))).latency
    assert alone == 41
    assert found.concurrent
    latency = found.timeline.latency
    assert latency <= 37, "both branches at once, and an end that the best schedule reaches in 36"
    assert found.energy == pytest.approx(found.serial.energy - 0.1 * (found.serial.latency - latency))


def test_branches_stay_together_where_transfers_cost_more() -> None:
    problem = two_branches(transfer=50.0)
    found = arrange(problem, place(problem, PlaceOptions()), PlaceOptions())
    assert not found.concurrent
    assert [part.device for part in found.partitions] == [1]


def test_concurrent_placements_keep_the_limits() -> None:
    problem = two_branches()
    assert problem.costs is not None
    full = replace(problem, costs=replace(problem.costs, capacity=np.array([0.0, np.inf])))
    found = arrange(full, place(full, PlaceOptions()), PlaceOptions())
    assert {part.device for part in found.partitions} == {1}


@settings(max_examples=100, deadline=None)
@given(ANY | THREE)
def test_what_is_arranged_is_never_slower_than_what_is_proven(problem: Problem) -> None:
    options = PlaceOptions(solver="fast")
    placed = place(problem, options)
    found: Arrangement = arrange(problem, placed, options)
    assert found.timeline.latency <= placed.value * (1 + 1e-9) + 1e-6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"value": 20.0}, "the solver counts 20 for the placement, the evaluation 41"),
        ({"bound": 50.0}, "the bound 50 is above the value 41"),
        ({"placement": Placement((0, 1, 0, 1)), "value": 60.0}, "the evaluation"),
    ],
)
def test_a_solver_that_errs_is_caught(change: dict[str, object], words: str) -> None:
    problem = two_branches()
    placed = place(problem, PlaceOptions())
    with pytest.raises(PartitionError, match=f"{words}.*please report it"):
        arrange(problem, replace(placed, **change), PlaceOptions())  # type: ignore[arg-type]


def test_a_placement_that_a_simple_one_beats_is_caught() -> None:
    problem = two_branches()
    placed = place(problem, PlaceOptions())
    worse = Placement((1, 1, 1, 0))
    value = evaluate(problem, phases.partition(problem, worse)).latency
    with pytest.raises(PartitionError, match=r"the placement '(greedy|all on cpu)' has .* please report it"):
        arrange(problem, replace(placed, placement=worse, value=value), PlaceOptions())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            PlaceOptions(max_latency_ms=0.02),
            "the latency must be at most 0.02 ms, but no placement has less than 0.041 ms",
        ),
        (
            PlaceOptions(max_latency_ms=0.0415, max_energy_mj=0.0235),
            "the energy must be at most 0.0235 mJ together with at most 0.0415 ms latency",
        ),
    ],
)
def test_limits_that_contradict_each_other_are_named(options: PlaceOptions, words: str) -> None:
    with pytest.raises(PartitionError, match=words):
        place(two_branches(), options)


def test_pins_that_no_memory_holds_are_named() -> None:
    problem = two_branches()
    assert problem.costs is not None
    costs = replace(problem.costs, capacity=np.array([1.0, np.inf]))
    with pytest.raises(PartitionError, match=r"the memory of npu must be at most 1e-06 MB, but .* 1e-06 MB more"):
        place(replace(problem, pins={1: 0, 2: 0}, costs=costs), PlaceOptions())
