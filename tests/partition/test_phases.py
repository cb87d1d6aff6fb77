from collections.abc import Callable

import pytest

from dovetail.partition import Partition, Problem, greedy, phases, verify_partitions
from dovetail.plan.errors import PartitionError

ProblemFromText = Callable[..., Problem]
THREE = ("npu", "gpu", "cpu")


def as_text(problem: Problem, partitions: tuple[Partition, ...]) -> str:
    """For example `n(a b) c(x)`: the device's first letter, then its units."""
    return " ".join(
        f"{problem.devices[part.device][0]}({' '.join(problem.names[unit] for unit in part.units)})"
        for part in partitions
    )


TWO_DEVICES = {
    # nothing to do
    "empty": ("", ""),
    "one unit": ("a:n", "n(a)"),
    # all alike: one partition, whether its units touch or not
    "chain": ("a:n b:n c:n a>b b>c", "n(a b c)"),
    "all on the cpu": ("a:c b:c c:c a>b a>c", "c(a b c)"),
    "disconnected pieces, one device": ("a:n b:n c:n d:n a>b c>d", "n(a c b d)"),
    # a cut in the middle of a chain can't be avoided
    "chain with one on the cpu": ("a:n b:n x:c c:n a>b b>x x>c", "n(a b) c(x) n(c)"),
    "chain, alternating": ("a:n x:c b:n y:c a>x x>b b>y", "n(a) c(x) n(b) c(y)"),
    # a and d touch by the left arm but can't be together: the right arm would leave and come back
    "diamond blocked by an unsupported arm": (
        "a:n b:n x:c d:n a>b a>x b>d x>d",
        "n(a b) c(x) n(d)",
    ),
    # the edge a>d must not tempt anyone to merge a and d around x
    "skip over an unsupported unit": ("a:n x:c d:n a>x x>d a>d", "n(a) c(x) n(d)"),
    # two inputs, each with a branch: both tails wait for the same switch
    "two branches, unsupported at different depth": (
        "a:n b:n x:c c:n d:n y:c e:n a>b b>x x>c d>y y>e",
        "n(a d b) c(y x) n(e c)",
    ),
    # the branch without x does not make a partition of its own
    "unsupported in the middle of one branch": (
        "a:n b:n x:c c:n d:n e:n f:n a>b b>x x>c a>d d>e c>f e>f",
        "n(a b d e) c(x) n(c f)",
    ),
    # three arms with 0, 1 and 2 switches; all units of one device in the same phase are together
    "three branches": (
        "s:n a:n b:c c:c d:n t:n s>a s>b s>c c>d a>t b>t d>t",
        "n(s a) c(b c) n(d t)",
    ),
    # a late source joins the phase in which its device runs first
    "late source": ("a:n x:c b:n k:n a>x x>b k>b", "n(a k) c(x) n(b)"),
    # two results of one unit, one read on each device
    "multi-output": ("split:n a:n x:c b:n split>a split>x a>b x>b", "n(split a) c(x) n(b)"),
    # starting on the cpu is one switch less: c n c, against n c n c
    "start on the cpu": ("k:n x:c b:n y:c x>b b>y k>y", "c(x) n(k b) c(y)"),
    # a tie starts on the preferred device
    "disconnected pieces, a tie": ("x:c a:n", "n(a) c(x)"),
    # pre- and post-processing around an NPU core, with a side input
    "cpu at both ends": ("p:c a:n b:n q:c k:c p>a a>b b>q k>q", "c(p k) n(a b) c(q)"),
    # unit numbers are not in topological order
    "numbered backwards": ("c:n x:c a:n a>x x>c", "n(a) c(x) n(c)"),
}

THREE_DEVICES = {
    "chain": ("a:n b:g c:c d:g a>b b>c c>d", "n(a) g(b) c(c) g(d)"),
    # two arms with the same devices share their phases
    "two arms": ("a:n b:g c:n d:g e:c a>b c>d b>e d>e", "n(a c) g(b d) c(e)"),
    # g(b) first would need the gpu twice; the arm with more switches to go is served first
    "most remaining switches first": (
        "s:c a:n b:g t:g s>a s>b a>t",
        "c(s) n(a) g(b t)",
    ),
    # c is ready at once but waits, because its device is needed later anyway
    "cpu drained late": ("x:c a:n b:g y:c a>b b>y", "n(a) g(b) c(x y)"),
}


@pytest.mark.parametrize(("text", "expected"), TWO_DEVICES.values(), ids=TWO_DEVICES)
def test_two_devices(problem_from_text: ProblemFromText, text: str, expected: str) -> None:
    check(problem_from_text(text), expected)


@pytest.mark.parametrize(("text", "expected"), THREE_DEVICES.values(), ids=THREE_DEVICES)
def test_three_devices(problem_from_text: ProblemFromText, text: str, expected: str) -> None:
    check(problem_from_text(text, THREE), expected)


def check(problem: Problem, expected: str) -> None:
    placement = greedy.place(problem)
    partitions = phases.partition(problem, placement)
    verify_partitions(problem, placement, partitions)
    assert as_text(problem, partitions) == expected


def test_pin_splits_a_partition(problem_from_text: ProblemFromText) -> None:
    check(problem_from_text("a:nc b:nc c:nc a>b b>c", pins={"b": "cpu"}), "n(a) c(b) n(c)")


@pytest.mark.parametrize(
    ("text", "cycle"),
    [
        ("a:n a>a", "'a' <- 'a'"),
        ("a:n b:n c:n d:n a>b b>c c>b c>d", "'b' <- 'c' <- 'b'"),
    ],
)
def test_cycle_is_named(problem_from_text: ProblemFromText, text: str, cycle: str) -> None:
    problem = problem_from_text(text)
    with pytest.raises(PartitionError, match=f"units {cycle}: dependencies must have no cycle"):
        phases.partition(problem, greedy.place(problem))


def test_long_chain_needs_no_recursion() -> None:
    units = 20_000
    problem = Problem(
        devices=("npu", "cpu"),
        names=tuple(f"unit{unit}" for unit in range(units)),
        allowed=tuple((unit % 2 == 0, True) for unit in range(units)),
        edges=tuple((unit, unit + 1) for unit in range(units - 1)),
        sizes=(1,) * units,
        pins={},
        limits={},
    )
    assert len(phases.partition(problem, greedy.place(problem))) == units
