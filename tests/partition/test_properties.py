"""Partitioning of random graphs against exhaustive search, a second algorithm, and networkx."""

from dataclasses import replace
from random import Random

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.partition import (
    DeviceLimits,
    Partition,
    Placement,
    Problem,
    Tensor,
    greedy,
    limits,
    phases,
    verify_partitions,
)
from dovetail.plan.errors import PartitionError


@st.composite
def problems(draw: st.DrawFn, devices: int = 2, max_units: int = 24) -> Problem:
    """Random graphs numbered in topological order; the last device allows everything."""
    units = draw(st.integers(0, max_units))
    pairs = [(source, target) for target in range(units) for source in range(target)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=3 * units)) if pairs else []
    flags = st.tuples(*[st.booleans()] * (devices - 1), st.just(True))
    return Problem(
        devices=tuple(f"device{device}" for device in range(devices)),
        names=tuple(f"unit{unit}" for unit in range(units)),
        allowed=tuple(draw(flags) for _ in range(units)),
        edges=tuple(edges),
        sizes=tuple(draw(st.integers(1, 9)) for _ in range(units)),
        pins={},
        limits={},
    )


def runs(devices: list[int]) -> int:
    """Number of stretches of equal devices."""
    return sum(1 for i, device in enumerate(devices) if i == 0 or device != devices[i - 1])


def fewest_runs(problem: Problem, device_of: tuple[int, ...]) -> int:
    """The fewest runs over all topological orders, by trying every one (sharing equal prefixes)."""
    units = range(len(device_of))
    needs = [{source for source, target in problem.edges if target == unit} for unit in units]
    fewest: dict[tuple[frozenset[int], int], int] = {(frozenset(), -1): 0}
    for _ in units:
        longer: dict[tuple[frozenset[int], int], int] = {}
        for (done, last), count in fewest.items():
            for unit in units:
                if unit not in done and needs[unit] <= done:
                    state = (done | {unit}, device_of[unit])
                    switched = count + (device_of[unit] != last)
                    longer[state] = min(switched, longer.get(state, switched))
        fewest = longer
    return min(fewest.values())


def longest_switch_path(problem: Problem, device_of: tuple[int, ...], start: int) -> int:
    """The most changes of device on any path that begins at an imaginary unit, on `start`, before all."""
    most = [int(device != start) for device in device_of]
    for source, target in sorted(problem.edges):
        most[target] = max(most[target], most[source] + (device_of[source] != device_of[target]))
    return max(most)


def renumbered(problem: Problem, new_number: list[int]) -> Problem:
    old_number = sorted(range(len(new_number)), key=new_number.__getitem__)
    return Problem(
        devices=problem.devices,
        names=tuple(problem.names[unit] for unit in old_number),
        allowed=tuple(problem.allowed[unit] for unit in old_number),
        edges=tuple((new_number[source], new_number[target]) for source, target in problem.edges),
        sizes=tuple(problem.sizes[unit] for unit in old_number),
        pins={},
        limits={},
    )


@given(st.integers(1, 4).flatmap(problems))
def test_verifier_accepts(problem: Problem) -> None:
    placement = greedy.place(problem)
    verify_partitions(problem, placement, phases.partition(problem, placement))


@given(problems(max_units=9))
def test_two_devices_equal_exhaustive_search(problem: Problem) -> None:
    placement = greedy.place(problem)
    assert len(phases.partition(problem, placement)) == fewest_runs(problem, placement.device_of)


@given(problems(devices=3, max_units=9))
def test_three_devices_never_beat_exhaustive_search(problem: Problem) -> None:
    placement = greedy.place(problem)
    assert len(phases.partition(problem, placement)) >= fewest_runs(problem, placement.device_of)


@given(problems())
def test_two_devices_equal_the_longest_switch_path(problem: Problem) -> None:
    """The certificate of optimality: no split can have fewer partitions than a path has stretches."""
    placement = greedy.place(problem)
    paths = [longest_switch_path(problem, placement.device_of, start) for start in (0, 1) if problem.names]
    assert len(phases.partition(problem, placement)) == 1 + min(paths, default=-1)


@given(problems())
def test_never_more_than_cutting_the_given_order(problem: Problem) -> None:
    placement = greedy.place(problem)
    assert len(phases.partition(problem, placement)) <= runs(list(placement.device_of))


@given(problems(devices=3), st.randoms(use_true_random=False))
def test_same_result_again_and_same_count_when_renumbered(problem: Problem, random: Random) -> None:
    placement = greedy.place(problem)
    partitions = phases.partition(problem, placement)
    assert phases.partition(problem, placement) == partitions

    new_number = list(range(len(problem.names)))
    random.shuffle(new_number)
    other = renumbered(problem, new_number)
    other_partitions = phases.partition(other, greedy.place(other))
    by_name = [(p.device, {problem.names[unit] for unit in p.units}) for p in partitions]
    assert [(p.device, {other.names[unit] for unit in p.units}) for p in other_partitions] == by_name


@given(problems(devices=3), st.integers(0, 3), st.integers(0, 3))
def test_limits_are_kept_by_moves_to_later_devices(problem: Problem, first: int, second: int) -> None:
    limited = Problem(
        problem.devices,
        problem.names,
        problem.allowed,
        problem.edges,
        problem.sizes,
        pins={},
        limits={0: DeviceLimits(max_partitions=first), 1: DeviceLimits(max_partitions=second)},
    )
    before = greedy.place(limited)
    after = limits.enforce(limited, before)
    verify_partitions(limited, after, phases.partition(limited, after))

    assert replay(before, after) == after.device_of


def replay(before: Placement, after: Placement) -> tuple[int, ...]:
    """The devices that the recorded moves lead to."""
    device_of = list(before.device_of)
    for move in after.moved:
        assert device_of[move.unit] == move.from_device < move.to_device
        device_of[move.unit] = move.to_device
    return tuple(device_of)


@st.composite
def limited_problems(draw: st.DrawFn) -> Problem:
    """Random graphs on three devices with any limits on the first two, facts of every unit, and tensors on edges."""
    problem = draw(problems(devices=3, max_units=16))
    units = len(problem.names)
    limit = st.builds(
        DeviceLimits,
        max_partitions=st.none() | st.integers(0, 3),
        contiguous=st.booleans(),
        prefix_only=st.booleans(),
        uniform_batch=st.booleans(),
        one_precision=st.booleans(),
        min_operators=st.integers(1, 12),
        min_tensor_bytes=st.integers(0, 4),
    )
    tensors = [
        Tensor(draw(st.none() | st.integers(0, 5)), source, (target,), draw(st.booleans()))
        for source, target in problem.edges
    ]
    return replace(
        problem,
        limits={device: draw(limit) for device in draw(st.sets(st.sampled_from([0, 1])))},
        batches=tuple(draw(st.tuples() | st.sampled_from([(1,), (8,), (1, 8)])) for _ in range(units)),
        precisions=tuple(draw(st.tuples() | st.sampled_from([("int8",), ("float32",)])) for _ in range(units)),
        tensors=tuple(tensors),
        entrances=frozenset(range(units)) - {target for _, target in problem.edges}
        if draw(st.booleans())
        else frozenset(),
    )


@given(limited_problems())
def test_every_limit_is_kept_by_moves_to_later_devices(problem: Problem) -> None:
    before = greedy.place(problem)
    after = limits.enforce(problem, before)
    verify_partitions(problem, after, phases.partition(problem, after))
    assert replay(before, after) == after.device_of
    assert limits.enforce(problem, after) == after
    assert limits.enforce(problem, before) == after


@given(limited_problems())
def test_verifier_finds_whatever_enforcing_changes(problem: Problem) -> None:
    """The two share no code: a placement that `enforce` leaves alone is accepted, any other is refused."""
    placement = greedy.place(problem)
    partitions = phases.partition(problem, placement)
    if limits.enforce(problem, placement) == placement:
        verify_partitions(problem, placement, partitions)
    else:
        with pytest.raises(PartitionError, match=r"breaks the rule '(limit|contiguous|prefix|uniform|size)'"):
            verify_partitions(problem, placement, partitions)


@given(problems(max_units=8), st.randoms(use_true_random=False))
def test_verifier_agrees_with_networkx_on_random_groups(problem: Problem, random: Random) -> None:
    """Units of one device thrown into random groups: refused by the first rule that networkx finds broken."""
    units = list(range(len(problem.names)))
    random.shuffle(units)
    groups: dict[int, list[int]] = {}
    for unit in units:
        groups.setdefault(random.randrange(3), []).append(unit)
    partitions = tuple(Partition(1, tuple(group)) for group in groups.values())
    placement = Placement((1,) * len(units))

    rule = first_broken_rule(problem, partitions)
    if rule is None:
        verify_partitions(problem, placement, partitions)
    else:
        with pytest.raises(PartitionError, match=f"breaks the rule '{rule}'"):
            verify_partitions(problem, placement, partitions)


def first_broken_rule(problem: Problem, partitions: tuple[Partition, ...]) -> str | None:
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(len(problem.names)))
    graph.add_edges_from(problem.edges)
    for part in partitions:
        members = set(part.units)
        outside_after = {unit for member in members for unit in nx.descendants(graph, member)} - members
        if any(nx.descendants(graph, unit) & members for unit in outside_after):
            return "convex"
    part_of = {unit: index for index, part in enumerate(partitions) for unit in part.units}
    quotient: nx.DiGraph[int] = nx.DiGraph()
    quotient.add_edges_from((part_of[s], part_of[t]) for s, t in problem.edges if part_of[s] != part_of[t])
    if not nx.is_directed_acyclic_graph(quotient):
        return "acyclic"
    run = [unit for part in partitions for unit in part.units]
    in_order = all(run.index(source) < run.index(target) for source, target in problem.edges)
    return None if in_order else "run order"
