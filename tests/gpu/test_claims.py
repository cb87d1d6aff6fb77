"""What the PyTorch backend claims, against its table of kernels and the targets that it serves."""

import pytest

import dovetail.gpu.operators  # noqa: F401
from dovetail.gpu.registry import table
from dovetail.plan.torch_claims import CLAIMS, why_refused
from dovetail.targets import load_target

_LEFT_OUT = {
    "com.microsoft:MoE",
}
"""Operators that the target gives to a GPU and the backend refuses."""


def _key(name: str) -> tuple[str, str]:
    domain, _, op_type = name.rpartition(":")
    return domain, op_type


def test_every_claimed_operator_has_a_kernel_and_every_kernel_a_claim() -> None:
    assert set(table()) == set(CLAIMS) - {("", "Constant")}


def test_operators_of_the_target_are_claimed_but_for_those_that_are_listed() -> None:
    names = set(load_target("nvidia-h200").device("gpu").op_types())
    assert {name for name in names if _key(name) not in CLAIMS} == _LEFT_OUT


@pytest.mark.parametrize("name", sorted(_LEFT_OUT))
def test_what_is_left_out_is_refused_with_a_sentence(name: str) -> None:
    assert "no kernel" in why_refused(*_key(name), 17, ["float32"], {}, ["float32"])


@pytest.mark.parametrize(
    ("op_type", "dtypes", "attributes", "words"),
    [
        ("Conv", ["int32", "int32"], {}, "not of int32"),
        ("MaxPool", ["float32"], {"storage_order": 1}, "storage_order"),
        ("Resize", ["float32"], {"antialias": 1}, "antialias"),
        ("Dropout", ["float32", "float32", "bool"], {}, "inputs"),
    ],
)
def test_forms_that_are_not_taken_are_refused(
    op_type: str, dtypes: list[str | None], attributes: dict[str, object], words: str
) -> None:
    assert words in why_refused("", op_type, 17, dtypes, attributes, ["float32"])
