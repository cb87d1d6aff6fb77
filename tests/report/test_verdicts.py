"""The verdicts of sample models: one screen from the compiler, one screen and one line from the runtime.

DOVETAIL_REWRITE_GOLDEN=1 pytest tests/report/test_verdicts.py    writes the golden file anew
"""

import os
from typing import Final

import pytest
from tests.conftest import ROOT

from dovetail.compiler import compile_model
from dovetail.plan import Plan, verdict_line, verdict_text
from dovetail.report import render_verdict, summarize

GOLDEN: Final = ROOT / "tests" / "golden" / "verdicts.txt"
CASES: Final = {
    "mobilenet_v2": "qualcomm-hexagon-htp",
    "ssd_detector": "ti-tidl",
    "transformer": "rockchip-rk3588",
    "digits_qdq": "arm-ethos-u85",
    "control_flow": "nvidia-orin-dla",
}
ONE_SCREEN: Final = 24
"""Lines."""


@pytest.fixture(scope="module")
def plans() -> dict[str, Plan]:
    return {
        model: compile_model(ROOT / "sample_models" / f"{model}.onnx", target).plan for model, target in CASES.items()
    }


def test_the_verdicts_are_as_they_were(plans: dict[str, Plan]) -> None:
    texts = (
        f"{render_verdict(summarize(plan))}\n{verdict_text(plan)}\n\n{verdict_line(plan)}\n" for plan in plans.values()
    )
    text = f"\n{'=' * 100}\n\n".join(texts)
    if os.environ.get("DOVETAIL_REWRITE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize("model", CASES)
def test_a_verdict_is_one_screen_and_names_all_that_is_asked_first(plans: dict[str, Plan], model: str) -> None:
    plan = plans[model]
    for lines in (render_verdict(summarize(plan)).splitlines(), verdict_text(plan).splitlines()):
        labels = {line[:11].strip() for line in lines}
        assert {"model", "target", "operators", "time", "partitions", "transfers", "predicted"} <= labels
        assert {"instead of", "best single"} & labels
        assert (f"not on {plan.devices[0].id}" in labels) == any(
            each.device != plan.devices[0].id for each in plan.operators
        )
    assert len(render_verdict(summarize(plan)).splitlines()) <= ONE_SCREEN
    assert max(map(len, render_verdict(summarize(plan)).splitlines())) <= 100


def test_compiler_and_runtime_agree_on_the_main_cause(plans: dict[str, Plan]) -> None:
    for plan in plans.values():
        causes = summarize(plan).causes
        if causes:
            assert f"{causes[0].label} (" in verdict_text(plan)
            assert f"top cause: {causes[0].label} (" in verdict_line(plan)
