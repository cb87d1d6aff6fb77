"""Every operator off its target's first device has a code with a page, the value that was found, and a cost."""

import math
from pathlib import Path
from typing import Final

import pytest
from tests.conftest import SAMPLE_MODELS

from dovetail.compiler import CompileOptions, compile_model
from dovetail.plan import Plan, TargetError, read_plan
from dovetail.plan.causes import unit_costs
from dovetail.plan.codes import find_code
from dovetail.report import summarize
from dovetail.report.codes import code_page
from dovetail.targets import target_names

OPTIONS: Final = CompileOptions(solver="fast")
NOT_PUBLIC: Final = ("cambricon-mlu370", "hailo-8")
"""Their makers publish no list of operators, so that nothing compiles for them as they stand."""


@pytest.mark.parametrize("target", [name for name in target_names() if name not in NOT_PUBLIC])
def test_every_displaced_operator_has_code_value_cost_and_fix(target: str) -> None:
    assert SAMPLE_MODELS
    for model in SAMPLE_MODELS:
        plan = compile_model(model, target, OPTIONS).plan
        assert faults(plan) == [], model.name
        shown = summarize(plan).displaced
        assert all(each.code and each.got and each.fix and each.latency_us is not None for each in shown), model.name


@pytest.mark.parametrize("target", NOT_PUBLIC)
def test_what_nobody_knows_is_not_compiled_for(target: str) -> None:
    with pytest.raises(TargetError, match="publishes no list of the operators"):
        compile_model(SAMPLE_MODELS[0], target, OPTIONS)


def faults(plan: Plan) -> list[str]:
    """What the operators off the first device lack, those in bodies among them."""
    costs, first = unit_costs(plan), plan.devices[0].id
    found = []
    for operator in plan.operators:
        if operator.device == first:
            continue
        why, cost = operator.fallback, costs.get(operator.unit, {})
        code = find_code(why.code) if why else None
        lacks = {
            "page": code is None or not code_page(code).page,
            "rule": code is None or why is None or code.rule != why.rule,
            "value": why is None or not why.got,
            "latency": not math.isfinite(cost.get("latency_us", math.nan)),
            "energy": not math.isfinite(cost.get("energy_uj", math.nan)),
        }
        found += [f"{operator.name} lacks its {what}" for what, is_missing in lacks.items() if is_missing]
    return found


def test_a_plan_that_was_written_has_them_too(tmp_path: Path) -> None:
    (model,) = [path for path in SAMPLE_MODELS if path.stem == "control_flow"]
    plan = read_plan(compile_model(model, "mediatek-mdla", OPTIONS).save(tmp_path / "c.plan"))

    assert any(operator.inside and operator.device != plan.devices[0].id for operator in plan.operators)
    assert faults(plan) == []
