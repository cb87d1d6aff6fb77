"""The verifier refuses every kind of broken result, and says which rule and which units."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from dovetail.partition import DeviceLimits, Partition, Placement, Problem, greedy, phases, verify_partitions
from dovetail.plan.errors import PartitionError

ProblemFromText = Callable[..., Problem]
NPU, CPU = 0, 1
A, X, B, C = range(4)
GOOD = (Partition(NPU, (A, C)), Partition(CPU, (X,)), Partition(NPU, (B,)))


@pytest.fixture(scope="module")
def problem(problem_from_text: ProblemFromText) -> Problem:
    return problem_from_text("a:nc x:c b:nc c:nc a>x x>b a>c c>b")


@pytest.fixture(scope="module")
def placement(problem: Problem) -> Placement:
    return greedy.place(problem)


def test_good(problem: Problem, placement: Placement) -> None:
    verify_partitions(problem, placement, GOOD)
    assert phases.partition(problem, placement) == GOOD


def test_empty(problem_from_text: ProblemFromText) -> None:
    verify_partitions(problem_from_text(""), Placement(()), ())


BROKEN = {
    "missing unit": ((GOOD[0], GOOD[1]), "'cover'.*'b'"),
    "no partition": ((), "'cover'.*'a', 'x', 'b' and 1 more"),
    "unit in two partitions": ((*GOOD, Partition(NPU, (A,))), "'disjoint'.*'a'"),
    "unit twice in one partition": ((GOOD[0], GOOD[1], Partition(NPU, (B, B))), "'disjoint'.*'b'"),
    "unknown unit": ((*GOOD, Partition(NPU, (4,))), "'cover'.*4"),
    "negative unit": ((*GOOD, Partition(NPU, (-1,))), "'cover'.*-1"),
    "empty partition": ((*GOOD, Partition(CPU, ())), "'cover'.*partition 3"),
    "partition on another device": ((GOOD[0], Partition(NPU, (X,)), GOOD[2]), "'device'.*npu.*'x'"),
    "mixed partition": ((Partition(NPU, (A, C, X)), GOOD[2]), "'device'.*'x' is placed elsewhere"),
    "unknown device": ((GOOD[0], GOOD[1], Partition(7, (B,))), "'device'.*device 7"),
    "path leaves and comes back": ((Partition(NPU, (A, C, B)), GOOD[1]), "'convex'.*partition 0.*'b'"),
    "partitions in wrong order": ((GOOD[1], GOOD[0], GOOD[2]), "'run order'.*'x' needs 'a'"),
    "units in wrong order": ((Partition(NPU, (C, A)), *GOOD[1:]), "'run order'.*'c' needs 'a'"),
}


@pytest.mark.parametrize(("partitions", "message"), BROKEN.values(), ids=BROKEN)
def test_broken_partitions(
    problem: Problem, placement: Placement, partitions: tuple[Partition, ...], message: str
) -> None:
    with pytest.raises(PartitionError, match=f"breaks the rule {message}"):
        verify_partitions(problem, placement, partitions)


def test_partitions_that_wait_for_each_other(problem_from_text: ProblemFromText) -> None:
    """Both are convex: no path leaves either and comes back, as no path is longer than one edge."""
    problem = problem_from_text("a:nc b:nc c:nc d:nc a>b c>d")
    partitions = (Partition(NPU, (0, 3)), Partition(NPU, (1, 2)))
    with pytest.raises(PartitionError, match=r"'acyclic'"):
        verify_partitions(problem, greedy.place(problem), partitions)


def test_device_that_does_not_allow_a_unit(problem: Problem) -> None:
    partitions = (Partition(NPU, (A, X, C, B)),)
    with pytest.raises(PartitionError, match=r"'device'.*does not allow 'x'"):
        verify_partitions(problem, Placement((NPU,) * 4), partitions)


def test_placement_of_another_length(problem: Problem) -> None:
    with pytest.raises(PartitionError, match=r"'device'.*4 units need a device each, got 3"):
        verify_partitions(problem, Placement((NPU, CPU, NPU)), GOOD)


def test_pinned_unit_elsewhere(problem: Problem, placement: Placement) -> None:
    with pytest.raises(PartitionError, match=r"'device'.*'c' is pinned elsewhere"):
        verify_partitions(replace(problem, pins={C: CPU}), placement, GOOD)


def test_too_many_partitions(problem: Problem, placement: Placement) -> None:
    verify_partitions(
        replace(problem, limits={NPU: DeviceLimits(max_partitions=2), CPU: DeviceLimits(max_partitions=1)}),
        placement,
        GOOD,
    )
    with pytest.raises(PartitionError, match=r"'limit'.*npu can hold 1 partitions, got 2, with 'a', 'b'"):
        verify_partitions(replace(problem, limits={NPU: DeviceLimits(max_partitions=1)}), placement, GOOD)


ALL = DeviceLimits(
    max_partitions=1,
    contiguous=True,
    prefix_only=True,
    uniform_batch=True,
    one_precision=True,
    min_operators=2,
    min_tensor_bytes=64,
)


def test_every_limit_kept(problem_from_text: ProblemFromText) -> None:
    problem = problem_from_text("a@1=int8:nc b@1=int8:nc x:c a>b b>x/64", limits={"npu": ALL})
    placement = greedy.place(problem)
    verify_partitions(problem, placement, phases.partition(problem, placement))


@pytest.mark.parametrize(
    ("text", "limit", "message"),
    [
        ("a:nc x:c b:nc a>x x>b", DeviceLimits(contiguous=True), "'contiguous': npu runs one subgraph, got 2"),
        ("a:nc b:nc", DeviceLimits(contiguous=True), "'contiguous': .* got pieces of 'a', 'b'"),
        ("x:c b:nc c:nc x>b b>c", DeviceLimits(prefix_only=True), "'prefix': npu runs the start .* 'b' after"),
        (
            "a@1:nc b@8:nc a>b",
            DeviceLimits(uniform_batch=True),
            "'uniform': one batch size .* got 1 and 8, with 'a', 'b'",
        ),
        ("a@1@8:nc", DeviceLimits(uniform_batch=True), "'uniform': one batch size .* got 1 and 8"),
        (
            "a=int8:nc x:c b=int16:nc a>x x>b",
            DeviceLimits(one_precision=True),
            "'uniform': one precision on npu: got int8 and int16",
        ),
        ("a:nc b:nc", DeviceLimits(min_operators=3), "'size': .* at least 3 operators, got 2, with 'a', 'b'"),
        ("a:nc x:c a>x/63", DeviceLimits(min_tensor_bytes=64), "'size': .* at least 64 bytes, got none in that of 'a'"),
    ],
)
def test_broken_limits(problem_from_text: ProblemFromText, text: str, limit: DeviceLimits, message: str) -> None:
    problem = problem_from_text(text, limits={"npu": limit})
    placement = greedy.place(problem)
    with pytest.raises(PartitionError, match=f"breaks the rule {message}"):
        verify_partitions(problem, placement, phases.partition(problem, placement))


@pytest.mark.parametrize(("text", "pins"), [("a:nc", {"a": "npu"}), ("a:n", {})])
def test_small_partitions_of_units_that_cannot_leave(
    problem_from_text: ProblemFromText, text: str, pins: dict[str, str]
) -> None:
    problem = problem_from_text(text, pins=pins, limits={"npu": DeviceLimits(min_operators=3, min_tensor_bytes=9)})
    placement = greedy.place(problem)
    verify_partitions(problem, placement, phases.partition(problem, placement))


def test_cycle_in_the_graph(problem_from_text: ProblemFromText) -> None:
    problem = problem_from_text("a:n b:n a>b b>a")
    with pytest.raises(PartitionError, match=r"'graph'.*'a'.*'b'"):
        verify_partitions(problem, greedy.place(problem), (Partition(NPU, (0, 1)),))


def test_beyond_the_direct_check_of_convexity() -> None:
    """Too many units and partitions for it: the other rules still catch a path that returns."""
    units = 24_000
    problem = Problem(
        devices=("npu", "cpu"),
        names=tuple(f"unit{unit}" for unit in range(units)),
        allowed=tuple((unit % 2 == 0, True) for unit in range(units)),
        edges=tuple((unit, unit + 1) for unit in range(units - 1)),
        sizes=(1,) * units,
        pins={},
        limits={},
    )
    placement = greedy.place(problem)
    partitions = phases.partition(problem, placement)
    verify_partitions(problem, placement, partitions)
    returning = (Partition(NPU, (0, 2)), partitions[1], *partitions[3:])
    with pytest.raises(PartitionError, match=r"'acyclic'"):
        verify_partitions(problem, placement, returning)
