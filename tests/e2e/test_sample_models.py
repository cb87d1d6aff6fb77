"""The sample models on every shipped target: verdicts with reasons, and results equal to the whole model's."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from dovetail.compiler import CompileOptions, compile_graph, compile_model, prepare
from dovetail.ir import Graph
from dovetail.lowering import run_reference
from dovetail.plan import TargetError
from dovetail.plan.random_feeds import random_feeds
from dovetail.runtime import Executor
from dovetail.targets import Target, load_target, target_names

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = sorted((ROOT / "sample_models").glob("*.onnx"))
RUN_ON = ("qualcomm-hexagon-htp", "arm-ethos-u85", "nvidia-orin-dla", "cpu-only")

QUANTUM = {"digits_qdq": 0.07, "mobilenet_v2_qdq": 0.6}
"""Integer models on the HTP differ by output quanta (0.032 each for the digits) and by the rounding of averages."""


@cache
def prepared(sample: Path) -> Graph:
    return prepare(sample, CompileOptions())


@cache
def targets() -> tuple[Target, ...]:
    """Those that say which operators they take."""
    found = []
    for target in map(load_target, target_names()):
        try:
            target.require_operators()
        except TargetError:
            continue
        found.append(target)
    return tuple(found)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.stem)
def test_every_operator_has_a_verdict_for_every_device_of_every_target(sample: Path) -> None:
    assert len(targets()) >= len(RUN_ON)
    for target in targets():
        plan = compile_graph(prepared(sample), target, CompileOptions(solver="greedy")).plan
        devices = [device.id for device in plan.devices]
        assert plan.operators
        for operator in plan.operators:
            assert [verdict.device for verdict in operator.verdicts] == devices
            assert operator.reason or operator.device == devices[0]
            for verdict in operator.verdicts:
                assert verdict.reasons or verdict.state == "supported", (target.name, operator.name, verdict)
                for reason in verdict.reasons:
                    assert all((reason.rule, reason.message, reason.got, reason.allowed)), (target.name, reason)


@pytest.mark.parametrize("target", RUN_ON)
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.stem)
def test_the_plan_computes_what_the_model_computes(sample: Path, target: str, tmp_path: Path) -> None:
    plan = compile_graph(prepared(sample), load_target(target), CompileOptions(solver="greedy")).save(
        tmp_path / f"{sample.stem}.plan"
    )
    with Executor(plan) as executor:
        feeds = random_feeds(executor.plan.inputs, seed=1)
        got = executor.run(feeds)
        on_cpu = set(executor.placement.values()) == {"cpu"}
    wanted = run_reference(sample, feeds, {}, list(got))
    limit = 1e-5 if on_cpu else QUANTUM.get(sample.stem, 1e-2)
    for name, array in wanted.items():
        difference = np.abs(got[name].astype(np.float64) - array.astype(np.float64))
        assert difference.max(initial=0) <= limit * max(1.0, float(np.abs(array).max(initial=0))), name


@pytest.mark.parametrize("target", ["qualcomm-hexagon-htp", "nvidia-orin-dla"])
def test_an_npu_takes_one_model_whole(target: str) -> None:
    plan = compile_model(ROOT / "sample_models" / "npu_whole.onnx", target, CompileOptions(solver="greedy")).plan
    assert [partition.device for partition in plan.partitions] == ["npu"]
