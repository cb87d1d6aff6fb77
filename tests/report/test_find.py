"""What a query for an operator names."""

import pytest

from dovetail.plan import ModelError, Plan
from dovetail.report import find_operators


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("conv_2", ["conv_2"]),
        ("bn_1", ["conv_1"]),  # folded into it, so it is both eliminated and an origin
        ("conv_*", ["conv_1", "conv_2", "conv_3"]),
        ("relu_?", ["relu_1", "relu_3"]),
        ("/add", ["loop/add"]),
        ("loop", ["loop"]),  # the exact name wins over being a part of another
    ],
)
def test_found(plan: Plan, query: str, names: list[str]) -> None:
    assert [operator.name for operator in find_operators(plan, query).operators] == names


def test_folded_away(plan: Plan) -> None:
    match = find_operators(plan, "dropout_1")

    assert (match.operators, match.eliminated) == ((), ("dropout_1",))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("conv", "'conv' must name one operator, got 3, among them 'conv_1', 'conv_2', 'conv_3'"),
        ("konv_2", "no operator is named 'konv_2'; did you mean 'conv_2'?"),
        ("zzz*", "no operator is named 'zzz*'; see 'dovetail inspect --format json'"),
        ("", "an empty name names no operator; give a name or a glob"),
    ],
)
def test_not_found(plan: Plan, query: str, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        find_operators(plan, query)
    assert message in str(caught.value)
    assert "'face.onnx'" in str(caught.value)
