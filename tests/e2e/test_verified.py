"""Verified plans on Qualcomm's compiler and simulator: what it refuses or computes wrongly is found, and moves."""

from pathlib import Path

import numpy as np
import pytest

from dovetail.compiler import CompileOptions, Verified, compile_verified
from dovetail.plan import Plan

pytestmark = [pytest.mark.npu, pytest.mark.usefixtures("simulator", "own_cache")]
GREEDY = CompileOptions(solver="greedy")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOVETAIL_CACHE", str(tmp_path / "cache"))


def verified(models: Path, name: str, chip: str = "sm8650") -> Verified:
    return compile_verified(models / "cases" / f"{name}.onnx", f"qualcomm-hexagon-htp:{chip}", GREEDY)


def reasons(plan: Plan, rule: str) -> dict[str, str]:
    """Operator -> why it left the NPU, of those that verification moved by this rule."""
    return {
        operator.name: reason.message
        for operator in plan.operators
        for verdict in operator.verdicts
        for reason in verdict.reasons
        if verdict.device == "npu" and reason.rule == rule
    }


def test_a_matrix_product_that_is_computed_wrongly_is_found(models: Path) -> None:
    plan = verified(models, "transformer_qdq_u8").compilation.plan
    moved = reasons(plan, "numerics")
    assert any(name.startswith("f2_matmul") for name in moved)
    assert not any(name.startswith(("q_", "k_", "v_", "f1_matmul")) for name in moved)
    certificate = plan.certificate
    assert certificate is not None
    assert certificate.holds
    (whole,) = (check for check in certificate.checks if not check.partition)
    assert whole.max_abs_error is not None
    assert whole.max_abs_error <= 0.25  # 1.37 without, on a range of 8
    assert {partition.kind for partition in plan.partitions if partition.compiled_file} == {"npu"}


def test_a_model_that_the_provider_fails_on_has_a_plan(models: Path) -> None:
    for name in ("transformer", "cnn_nonzero"):
        certificate = verified(models, name, "sm8350").compilation.plan.certificate
        assert certificate is not None
        assert certificate.holds


def test_what_rounding_upsets_is_not_rounded_for(models: Path) -> None:
    """Unique tells values apart that differ in the last bit: what stands before it must not round."""
    plan = verified(models, "cnn_unique").compilation.plan
    assert plan.certificate is not None
    assert plan.certificate.holds
    moved = reasons(plan, "numerics")
    assert set(moved) >= {"conv0", "conv1"}
    assert all("'uniq'" in message for message in moved.values())
    assert any(partition.kind == "npu" for partition in plan.partitions)


def test_a_second_time_nothing_is_compiled(models: Path, tmp_path: Path) -> None:
    first, second = (verified(models, "cnn_nonzero").compilation for _ in range(2))
    assert first.plan.certificate is not None
    assert second.plan.certificate is not None
    assert (first.plan.certificate.compiles, second.plan.certificate.compiles) == (2, 0)
    binaries = [
        sorted(
            (path.name, path.read_bytes()) for path in (each.save(tmp_path / f"{number}.plan") / "partitions").iterdir()
        )
        for number, each in enumerate((first, second))
    ]
    assert np.all([one == other for one, other in zip(*binaries, strict=True)])
