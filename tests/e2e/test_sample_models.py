"""The sample models on every shipped target: verdicts with reasons, and results equal to the whole model's."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from dovetail.compiler import Compilation, compile_model
from dovetail.lowering import run_reference
from dovetail.runtime import Executor
from dovetail.runtime.random_feeds import random_feeds
from dovetail.targets import target_names

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = sorted((ROOT / "sample_models").glob("*.onnx"))
CASES = [pytest.param(sample, target, id=f"{sample.stem}-{target}") for sample in SAMPLES for target in target_names()]

Array = npt.NDArray[Any]
Check = Callable[[Path, str], None]

QUANTUM = {"digits_qdq": 0.1, "mobilenet_v2_qdq": 0.6}
"""Integer models on the HTP differ by output quanta (0.037 each for the digits) and by the rounding of averages."""


@cache
def compiled(sample: Path, target: str) -> Compilation:
    return compile_model(sample, target)


@pytest.mark.parametrize(("sample", "target"), CASES)
def test_every_operator_has_a_verdict_for_every_device(sample: Path, target: str) -> None:
    plan = compiled(sample, target).plan
    devices = [device.id for device in plan.devices]
    assert plan.operators
    for operator in plan.operators:
        assert [verdict.device for verdict in operator.verdicts] == devices
        for verdict in operator.verdicts:
            assert verdict.reasons or verdict.state == "supported", (operator.name, verdict)
            for reason in verdict.reasons:
                assert all((reason.rule, reason.message, reason.got, reason.allowed)), (operator.name, reason)
        assert operator.reason or operator.device == devices[0]


@pytest.mark.parametrize(("sample", "target"), CASES)
def test_the_plan_computes_what_the_model_computes(sample: Path, target: str, tmp_path: Path) -> None:
    plan = compiled(sample, target).save(tmp_path / f"{sample.stem}.plan")
    with Executor(plan) as executor:
        feeds = random_feeds(executor.plan.inputs, seed=1)
        got = executor.run(feeds)
        on_cpu = set(executor.placement.values()) == {"cpu"}
    wanted = run_reference(sample, feeds, {}, list(got))
    limit = 1e-5 if on_cpu else QUANTUM.get(sample.stem, 1e-2)
    for name, array in wanted.items():
        difference = np.abs(got[name].astype(np.float64) - array.astype(np.float64))
        assert difference.max(initial=0) <= limit * max(1.0, float(np.abs(array).max(initial=0))), name


def test_an_npu_takes_one_model_whole() -> None:
    for target in ("qualcomm-hexagon-htp", "nvidia-orin-dla"):
        plan = compiled(ROOT / "sample_models" / "npu_whole.onnx", target).plan
        assert [partition.device for partition in plan.partitions] == ["npu"]
