from collections.abc import Callable

import pytest

from dovetail.partition import Placement, Problem, greedy, limits, phases, verify_partitions
from dovetail.plan.errors import PartitionError

ProblemFromText = Callable[..., Problem]
THREE = ("npu", "gpu", "cpu")
THREE_NPU_RUNS = "a*5:nc x:c b*2:nc y:c c*3:nc a>x x>b b>y y>c"


def enforced(problem: Problem) -> tuple[str, list[str]]:
    """Each unit's device as a letter, and the moves as text."""
    placement = limits.enforce(problem, greedy.place(problem))
    verify_partitions(problem, placement, phases.partition(problem, placement))
    letters = [device[0] for device in problem.devices]
    moves = [f"{problem.names[m.unit]}:{letters[m.from_device]}>{letters[m.to_device]}" for m in placement.moved]
    return "".join(letters[device] for device in placement.device_of), moves


@pytest.mark.parametrize(
    ("limit", "devices", "moves"),
    [
        (3, "ncncn", []),
        # the cheapest goes first
        (2, "ncccn", ["b:n>c"]),
        (1, "ncccc", ["b:n>c", "c:n>c"]),
        (0, "ccccc", ["b:n>c", "c:n>c", "a:n>c"]),
    ],
)
def test_cheapest_partitions_are_given_back(
    problem_from_text: ProblemFromText, limit: int, devices: str, moves: list[str]
) -> None:
    assert enforced(problem_from_text(THREE_NPU_RUNS, limits={"npu": limit})) == (devices, moves)


def test_no_limit_changes_nothing(problem_from_text: ProblemFromText) -> None:
    problem = problem_from_text(THREE_NPU_RUNS)
    placement = greedy.place(problem)
    assert limits.enforce(problem, placement) == placement


def test_cause_is_a_sentence(problem_from_text: ProblemFromText) -> None:
    problem = problem_from_text(THREE_NPU_RUNS, limits={"npu": 2})
    (move,) = limits.enforce(problem, greedy.place(problem)).moved
    assert move.cause == "limit of 2 partitions on npu: this partition of 2 operators given back"


def test_earlier_moves_are_kept(problem_from_text: ProblemFromText) -> None:
    problem = problem_from_text(THREE_NPU_RUNS, limits={"npu": 1})
    once = limits.enforce(problem, greedy.place(problem))
    assert limits.enforce(problem, once) == once


def test_next_device_then_the_one_after(problem_from_text: ProblemFromText) -> None:
    """b leaves the NPU for the GPU, finds that full too, and ends on the CPU: two moves, both recorded."""
    text = "a*9:ngc x:c b:ngc y:c c*9:gc z:c d*8:ngc a>x x>b b>y y>c c>z z>d"
    problem = problem_from_text(text, THREE, limits={"npu": 2, "gpu": 1})
    assert enforced(problem) == ("nccc" + "gcn", ["b:n>g", "b:g>c"])


def test_each_unit_goes_to_its_own_next_device(problem_from_text: ProblemFromText) -> None:
    problem = problem_from_text("a:nc b:ngc a>b", THREE, limits={"npu": 0})
    assert enforced(problem) == ("cg", ["a:n>c", "b:n>g"])


def test_pinned_partition_stays_though_cheapest(problem_from_text: ProblemFromText) -> None:
    problem = problem_from_text(THREE_NPU_RUNS, pins={"b": "npu"}, limits={"npu": 2})
    assert enforced(problem) == ("ncncc", ["c:n>c"])


def test_partition_with_a_pin_is_broken_up_last(problem_from_text: ProblemFromText) -> None:
    """Every NPU partition holds a pin, but without the free unit f two of them can be one."""
    text = "a:nc x:c f*4:nc k:c b:nc q:nc a>x x>f f>k k>b x>q"
    problem = problem_from_text(text, pins={"a": "npu", "b": "npu", "q": "npu"}, limits={"npu": 2})
    assert enforced(problem) == ("nccc" + "nn", ["f:n>c"])
    (move,) = limits.enforce(problem, greedy.place(problem)).moved
    assert move.cause == ("limit of 2 partitions on npu: the part that can move of a partition, 4 operators given back")


@pytest.mark.parametrize(
    ("text", "pins", "limit"),
    [
        (THREE_NPU_RUNS, {"a": "npu", "b": "npu", "c": "npu"}, 2),
        # no pins, but nothing else supports them
        ("a:n x:c b:n y:c c:n a>x x>b b>y y>c", {}, 2),
    ],
)
def test_limit_that_nothing_can_keep(
    problem_from_text: ProblemFromText, text: str, pins: dict[str, str], limit: int
) -> None:
    problem = problem_from_text(text, pins=pins, limits={"npu": limit})
    with pytest.raises(
        PartitionError, match=r"'npu': limit of 2 partitions on npu, got 3, .* 'a', 'b', 'c'; take pins"
    ):
        limits.enforce(problem, greedy.place(problem))


def test_limit_on_the_last_device(problem_from_text: ProblemFromText) -> None:
    problem = problem_from_text("x:c a:n y:c x>a a>y", limits={"cpu": 1})
    with pytest.raises(PartitionError, match="'cpu': limit of 1 partition on cpu, got 2"):
        limits.enforce(problem, Placement((1, 0, 1)))
