from collections.abc import Callable

import pytest

from dovetail.partition import DeviceLimits, Placement, Problem, greedy, limits, phases, verify_partitions
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


@pytest.mark.parametrize(
    ("text", "limits_of_npu", "devices", "causes"),
    [
        # --- one connected subgraph: the piece of the most operators stays
        pytest.param(
            "a*2:nc b*3:nc",
            DeviceLimits(contiguous=True),
            "cn",
            ["a: one connected subgraph on npu: that of 3 operators is kept, this one of 2 operators given back"],
            id="two pieces of one partition",
        ),
        pytest.param(
            "a*3:nc b*3:nc",
            DeviceLimits(contiguous=True),
            "nc",
            ["b: one connected subgraph on npu: that of 3 operators is kept, this one of 3 operators given back"],
            id="equal pieces, the first in run order stays",
        ),
        pytest.param(
            "a:nc x:c b:nc c:nc a>x x>b b>c",
            DeviceLimits(contiguous=True),
            "ccnn",
            ["a: one connected subgraph on npu: that of 2 operators is kept, this one of 1 operator given back"],
            id="two partitions of a chain",
        ),
        pytest.param(
            # a and d touch, but only around x: they are two partitions all the same
            "a*2:nc x:c d:nc a>x x>d a>d",
            DeviceLimits(contiguous=True),
            "ncc",
            ["d: one connected subgraph on npu: that of 2 operators is kept, this one of 1 operator given back"],
            id="touching around another device",
        ),
        pytest.param("a:nc b:nc c:nc a>c b>c", DeviceLimits(contiguous=True), "nnn", [], id="joined at the end"),
        # --- the start of the model
        pytest.param(
            "a:nc b:nc x:c c:nc d:nc e:nc a>b b>x x>c c>d a>e",
            DeviceLimits(prefix_only=True),
            "nnc" + "cc" + "n",
            [
                f"{unit}: only the start of the model on npu, which ends at 'x': what comes after it given back"
                for unit in "cd"
            ],
            id="what comes after x goes, another branch stays",
        ),
        pytest.param(
            "x:c a:nc x>a",
            DeviceLimits(prefix_only=True),
            "cc",
            ["a: only the start of the model on npu, which ends at 'x': what comes after it given back"],
            id="starts elsewhere, so nothing stays",
        ),
        pytest.param(
            "q!:c a:nc b:nc x:c q>a a>b b>x", DeviceLimits(prefix_only=True), "cnnc", [], id="the host quantizes inputs"
        ),
        pytest.param("a:nc b:nc x:c a>b b>x", DeviceLimits(prefix_only=True), "nnc", [], id="a prefix already"),
        # --- one batch size in a partition
        pytest.param(
            "a@1:nc b@1:nc c@8:nc d:nc a>b b>c c>d",
            DeviceLimits(uniform_batch=True),
            "nncn",
            ["c: one batch size in a partition on npu: 1 is kept, operators of 8 given back"],
            id="the batch of most operators stays, a unit without fits any",
        ),
        pytest.param(
            "a@1:nc b*3@8:nc a>b",
            DeviceLimits(uniform_batch=True),
            "cn",
            ["a: one batch size in a partition on npu: 8 is kept, operators of 1 given back"],
            id="operators count, not units",
        ),
        pytest.param(
            "a@8:nc b@1:nc a>b",
            DeviceLimits(uniform_batch=True),
            "cn",
            ["a: one batch size in a partition on npu: 1 is kept, operators of 8 given back"],
            id="a tie keeps the smaller batch",
        ),
        pytest.param(
            "a@1:nc r@1@8:nc b@8:nc a>r r>b",
            DeviceLimits(uniform_batch=True),
            "ncc",
            [
                "r: one batch size in a partition on npu: 1 is kept, operators of 1 and 8 given back",
                "b: one batch size in a partition on npu: 1 is kept, operators of 8 given back",
            ],
            id="a unit of two batch sizes fits in no partition",
        ),
        pytest.param(
            "r@1@8:nc",
            DeviceLimits(uniform_batch=True),
            "c",
            ["r: one batch size in a partition on npu: operators of 1 and 8 given back"],
            id="nothing to keep",
        ),
        pytest.param(
            "a@1:nc x:c b@8:nc a>x x>b", DeviceLimits(uniform_batch=True), "ncn", [], id="a batch for each partition"
        ),
        # --- one precision on the device
        pytest.param(
            "a*2=int8:nc x:c b=float32:nc d:nc a>x x>b b>d",
            DeviceLimits(one_precision=True),
            "nccn",
            ["b: one precision on npu: int8 is kept, operators of float32 given back"],
            id="over all partitions",
        ),
        # --- partitions that are too small
        pytest.param(
            "a*2:nc x:c b:nc a>x x>b",
            DeviceLimits(min_operators=2),
            "ncc",
            ["b: at least 2 operators in a partition on npu: this partition of 1 given back"],
            id="fewer operators than asked",
        ),
        pytest.param(
            "a*2:nc x:c b:nc y:c c:nc a>x/64 x>b/16 b>y/63 y>c/?",
            DeviceLimits(min_tensor_bytes=64),
            "nccc" + "n",
            ["b: a tensor of at least 64 bytes in a partition on npu: this partition given back, whose largest has 63"],
            id="all its tensors are smaller; an unknown one may be large enough",
        ),
        pytest.param(
            "a:nc b:nc x:c a>b/64 b>x/1", DeviceLimits(min_tensor_bytes=64), "nnc", [], id="one inside is large enough"
        ),
        # --- several limits at once, until all are kept
        pytest.param(
            "a@1:nc b@1:nc c@8:nc d@1:nc a>b b>c c>d",
            DeviceLimits(uniform_batch=True, min_operators=2),
            "nncc",
            [
                "c: one batch size in a partition on npu: 1 is kept, operators of 8 given back",
                "d: at least 2 operators in a partition on npu: this partition of 1 given back",
            ],
            id="what one limit leaves is too small for the next",
        ),
        pytest.param(
            "a:nc b*2@8:nc c*2@1:nc d:nc a>b b>c c>d",
            DeviceLimits(uniform_batch=True, contiguous=True, max_partitions=1),
            "ccnn",
            [
                "b: one batch size in a partition on npu: 1 is kept, operators of 8 given back",
                "a: one connected subgraph on npu: that of 3 operators is kept, this one of 1 operator given back",
            ],
            id="batch, then the connected rest",
        ),
    ],
)
def test_limit_is_kept_with_its_cause(
    problem_from_text: ProblemFromText, text: str, limits_of_npu: DeviceLimits, devices: str, causes: list[str]
) -> None:
    problem = problem_from_text(text, limits={"npu": limits_of_npu})
    placed, _ = enforced(problem)
    placement = limits.enforce(problem, greedy.place(problem))
    assert placed == devices
    assert [f"{problem.names[move.unit]}: {move.cause}" for move in placement.moved] == causes


@pytest.mark.parametrize(
    ("text", "pins", "limits_of_npu", "devices"),
    [
        # the pinned piece stays, though another has more operators
        pytest.param("a*9:nc b:nc", {"b": "npu"}, DeviceLimits(contiguous=True), "cn", id="subgraph"),
        pytest.param("a*9@8:nc b@1:nc a>b", {"b": "npu"}, DeviceLimits(uniform_batch=True), "cn", id="batch"),
        pytest.param(
            "a*9=int8:nc b=float32:nc a>b", {"b": "npu"}, DeviceLimits(one_precision=True), "cn", id="precision"
        ),
        # too small, but the user asked for it
        pytest.param("x:c b:nc x>b", {"b": "npu"}, DeviceLimits(min_operators=2, min_tensor_bytes=9), "cn", id="small"),
    ],
)
def test_pins_go_first(
    problem_from_text: ProblemFromText,
    text: str,
    pins: dict[str, str],
    limits_of_npu: DeviceLimits,
    devices: str,
) -> None:
    assert enforced(problem_from_text(text, pins=pins, limits={"npu": limits_of_npu}))[0] == devices


@pytest.mark.parametrize(
    ("text", "pins", "limits_of_npu", "message"),
    [
        ("a:nc b:nc", ["a", "b"], DeviceLimits(contiguous=True), "'npu': one connected subgraph on npu, .* 'a', 'b'"),
        ("x:c b:nc x>b", ["b"], DeviceLimits(prefix_only=True), "only the start of the model on npu, .* 'x', .* 'b'"),
        ("a@1:nc b@8:nc a>b", ["a", "b"], DeviceLimits(uniform_batch=True), "one batch size .* on npu, .* with 'b'"),
        ("a@1@8:nc", ["a"], DeviceLimits(uniform_batch=True), "one batch size in a partition on npu, .* with 'a'"),
        ("a=int8:n b=int16:n", [], DeviceLimits(one_precision=True), "one precision on npu, .* with 'a'"),
    ],
    ids=["subgraph", "prefix", "batch", "two batches in one", "no other device"],
)
def test_limits_that_pins_contradict(
    problem_from_text: ProblemFromText, text: str, pins: list[str], limits_of_npu: DeviceLimits, message: str
) -> None:
    problem = problem_from_text(text, pins=dict.fromkeys(pins, "npu"), limits={"npu": limits_of_npu})
    with pytest.raises(PartitionError, match=message) as error:
        limits.enforce(problem, greedy.place(problem))
    assert "\n" not in str(error.value)
    assert "take pins away" in str(error.value)


def test_what_the_npu_gives_back_counts_for_the_gpu(problem_from_text: ProblemFromText) -> None:
    """b leaves the NPU for its batch; with it the GPU has two partitions and gives back the smaller."""
    text = "a*9@1:ngc b@8:ngc c*9@1:ngc x:c d*9:gc a>b b>c c>x x>d"
    problem = problem_from_text(
        text, THREE, limits={"npu": DeviceLimits(uniform_batch=True), "gpu": DeviceLimits(max_partitions=1)}
    )
    assert enforced(problem) == ("ncncg", ["b:n>g", "b:g>c"])


def test_long_chain_of_alternating_batches_takes_one_round() -> None:
    units = 20_000
    problem = Problem(
        devices=("npu", "cpu"),
        names=tuple(f"unit{unit}" for unit in range(units)),
        allowed=((True, True),) * units,
        edges=tuple((unit, unit + 1) for unit in range(units - 1)),
        sizes=(1,) * units,
        pins={},
        limits={0: DeviceLimits(uniform_batch=True)},
        batches=tuple((1 + unit % 2,) for unit in range(units)),
    )
    placement = limits.enforce(problem, greedy.place(problem))
    assert placement.device_of == (0, 1) * (units // 2)
