"""What the PyTorch backend claims, against its table of kernels and the targets that it serves."""

import pytest

import dovetail.gpu.operators  # noqa: F401
from dovetail.gpu.registry import table
from dovetail.plan.torch_claims import CLAIMS, why_refused
from dovetail.targets import load_target


def _key(name: str) -> tuple[str, str]:
    domain, _, op_type = name.rpartition(":")
    return domain, op_type


def test_every_claimed_operator_has_a_kernel_and_every_kernel_a_claim() -> None:
    assert set(table()) == set(CLAIMS) - {("", "Constant")}


@pytest.mark.parametrize("target", ["nvidia-h200", "nvidia-a100", "nvidia-orin-dla", "intel-npu", "apple-ane-coreml"])
def test_every_operator_that_a_target_gives_to_a_gpu_is_claimed(target: str) -> None:
    gpus = [device for device in load_target(target).devices if device.kind == "gpu"]
    assert gpus
    assert not {name for device in gpus for name in device.op_types() if _key(name) not in CLAIMS}


def test_what_is_not_claimed_is_refused_with_a_sentence() -> None:
    assert "no kernel" in why_refused("", "Det", 17, ["float32"], {}, ["float32"])


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
