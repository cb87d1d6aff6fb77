from collections.abc import Callable

import pytest

from dovetail.partition import Problem, greedy
from dovetail.plan.errors import PartitionError

ProblemFromText = Callable[..., Problem]
THREE = ("npu", "gpu", "cpu")


@pytest.mark.parametrize(
    ("text", "pins", "expected"),
    [
        ("", {}, ""),
        ("a:ngc b:gc c:c d:nc", {}, "n g c n"),
        # the first device in order, not the first in common with the neighbours
        ("a:c b:nc c:c a>b b>c", {}, "c n c"),
        # a pin wins over the order, and moves nothing else
        ("a:ngc b:ngc c:ngc", {"b": "cpu"}, "n c n"),
        ("a:ngc", {"a": "gpu"}, "g"),
    ],
)
def test_first_device_that_allows(
    problem_from_text: ProblemFromText, text: str, pins: dict[str, str], expected: str
) -> None:
    problem = problem_from_text(text, THREE, pins)
    placement = greedy.place(problem)
    assert " ".join(problem.devices[d][0] for d in placement.device_of) == expected
    assert placement.moved == ()


def test_pin_on_a_device_that_does_not_allow_the_unit(problem_from_text: ProblemFromText) -> None:
    with pytest.raises(PartitionError) as error:
        greedy.place(problem_from_text("a:ngc conv:gc", THREE, {"conv": "npu"}))
    message = str(error.value)
    assert "'conv'" in message
    assert "'npu'" in message
    assert "gpu or cpu" in message
    assert "\n" not in message


@pytest.mark.parametrize("pins", [{}, {"loop": "cpu"}])
def test_unit_that_no_device_allows(problem_from_text: ProblemFromText, pins: dict[str, str]) -> None:
    with pytest.raises(PartitionError, match=r"unit 'loop': .* none of npu, gpu, cpu"):
        greedy.place(problem_from_text("a:ngc loop:", THREE, pins))
