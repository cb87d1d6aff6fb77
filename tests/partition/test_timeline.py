"""Timelines checked by other means: what links carry fits between the ends of makers and the starts of readers."""

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.partition.costed import costed_problems, every_placement

from dovetail.cost import CostTable
from dovetail.partition import (
    Partition,
    Placement,
    PlaceOptions,
    Problem,
    Tensor,
    Timeline,
    arrange,
    partition_concurrently,
    phases,
    place,
    schedule,
    verify_partitions,
)
from dovetail.plan.errors import PartitionError

some = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ANY = st.sampled_from([1, 2, 2, 3]).flatmap(lambda devices: costed_problems(devices, 12 // devices))


def check_links(problem: Problem, parts: tuple[Partition, ...], found: Timeline) -> None:
    """In no stretch of time does a link carry more than fits: transfers have a release, a length and a deadline."""
    assert problem.costs is not None
    cpu = len(problem.devices) - 1
    part_of = {unit: number for number, part in enumerate(parts) for unit in part.units}
    carried: dict[tuple[int, int], list[tuple[float, float, float]]] = defaultdict(list)
    for number, tensor in enumerate(problem.tensors):
        home = cpu if tensor.producer is None else parts[part_of[tensor.producer]].device
        release = 0.0 if tensor.producer is None else found.end[part_of[tensor.producer]]
        deadlines: dict[int, float] = {cpu: found.latency} if tensor.is_output else {}
        for reader in {part_of[unit] for unit in tensor.readers}:
            device = parts[reader].device
            deadlines[device] = min(found.start[reader], deadlines.get(device, np.inf))
        for device, deadline in deadlines.items():
            if device != home:
                length = float(problem.costs.transfer_latency[number, home, device])
                carried[home, device].append((release, length, deadline))
    for transfers in carried.values():
        for begin, _, _ in transfers:
            for _, _, end in transfers:
                inside = sum(length for release, length, deadline in transfers if begin <= release and deadline <= end)
                assert inside <= max(end - begin, 0.0) * (1 + 1e-9) + 1e-6


def check_work(problem: Problem, parts: tuple[Partition, ...], found: Timeline) -> None:
    """Every partition takes its launch and its units, and nothing is over before all is."""
    assert problem.costs is not None
    for number, part in enumerate(parts):
        work = float(problem.costs.launch_latency[part.device])
        work += sum(float(problem.costs.unit_latency[unit, part.device]) for unit in part.units)
        assert found.end[number] - found.start[number] == pytest.approx(work, abs=1e-6)
    assert found.latency >= max(found.end) - 1e-6


@some
@given(ANY, st.data())
def test_links_carry_one_tensor_at_a_time(problem: Problem, data: st.DataObject) -> None:
    every = every_placement(problem).device_of
    device_of = tuple(every[data.draw(st.integers(0, len(every) - 1))].tolist())
    parts = phases.partition(problem, Placement(device_of))
    check_links(problem, parts, schedule(problem, parts))
    check_work(problem, parts, schedule(problem, parts))
    price = data.draw(st.sampled_from([0.0, 2.0]))
    settled = partition_concurrently(problem, [(device,) for device in device_of], price)
    verify_partitions(replace(problem, limits={}), Placement(device_of), settled)
    check_links(problem, settled, schedule(problem, settled))
    check_work(problem, settled, schedule(problem, settled))


@some
@given(ANY, st.none() | st.integers(0, 20), st.none() | st.integers(0, 20))
def test_what_is_arranged_keeps_all_limits(problem: Problem, latency: int | None, energy: int | None) -> None:
    assert problem.costs is not None
    problem = replace(problem, costs=replace(problem.costs, static_power=0.1))
    everything = every_placement(problem)
    fast, frugal = (
        None if part is None else float(np.quantile(values, part / 20, method="lower")) * (1 + 1e-6) / 1e3
        for part, values in ((latency, everything.latency), (energy, everything.energy))
    )
    options = PlaceOptions(max_latency_ms=fast, max_energy_mj=frugal, solver="fast")
    try:
        placed = place(problem, options)
    except PartitionError:
        return
    found = arrange(problem, placed, options)
    verify_partitions(problem, found.placement, found.partitions)
    check_links(problem, found.partitions, found.timeline)
    assert problem.costs is not None
    assert all(used <= most for used, most in zip(found.serial.memory, problem.costs.capacity, strict=True))
    assert fast is None or found.timeline.latency <= 1e3 * fast * (1 + 1e-9)
    assert frugal is None or found.energy <= 1e3 * frugal * (1 + 1e-9) + 1e-9
    assert found.timeline.latency <= placed.value * (1 + 1e-9) + 1e-6


def test_two_tensors_on_one_link_wait_for_each_other() -> None:
    """Two inputs go to the NPU, 10 us each: the first reader starts at 10, the second one's tensor is there at 20."""
    away = np.broadcast_to(10.0 * (1 - np.eye(2)), (2, 2, 2))
    problem = Problem(
        devices=("npu", "cpu"),
        names=("a", "b"),
        allowed=((True, True),) * 2,
        edges=(),
        sizes=(1, 1),
        pins={},
        limits={},
        tensors=(Tensor(4, None, (0,)), Tensor(4, None, (1,))),
        costs=CostTable(
            np.full((2, 2), 3.0),
            np.zeros((2, 2)),
            away,
            away,
            np.array([1.0, 0.0]),
            np.zeros(2),
            np.zeros((2, 2)),
            np.full(2, np.inf),
        ),
    )
    apart = schedule(problem, (Partition(0, (0,)), Partition(0, (1,))))
    assert (apart.start, apart.end, apart.latency) == ((10, 20), (14, 24), 24)
    together = schedule(problem, (Partition(0, (0, 1)),))
    assert (together.start, together.latency) == ((20,), 27)
