"""Budgets on plans: which hold, which do not, and what has no answer."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from dovetail.plan import Plan, PlanError, Predicted, as_variant
from dovetail.plan.totals import plan_totals
from dovetail.report.check import BUDGETS, CheckReport, check_plan
from dovetail.report.check_formats import render_check, render_check_github, render_check_json, render_junit


@pytest.fixture
def costed(plan: Plan) -> Plan:
    """The plan with every figure known: 2 of 6 operators and 3 of 4 ms on the NPU, 2 partitions, 16384 bytes."""
    first, second = plan.partitions
    return replace(
        plan,
        predicted=Predicted(latency_ms=4.0, energy_mj=10.0, source="modelled"),
        partitions=(
            replace(first, predicted={"latency_ms": 3.0, "energy_mj": 4.0}),
            replace(second, predicted={"latency_ms": 1.0, "energy_mj": 6.0}),
        ),
        transfers=plan.transfers[:2],
    )


def moved_to_cpu(plan: Plan, name: str) -> Plan:
    """The plan with one operator on the CPU."""
    return replace(
        plan,
        operators=tuple(
            replace(each, device="cpu", partition="001-cpu", reason=f"'{name}' ({each.op_type}): pinned")
            if each.name == name
            else each
            for each in plan.operators
        ),
    )


def verdicts(report: CheckReport) -> dict[str, bool]:
    return {check.budget: check.holds for check in report.checks}


@pytest.mark.parametrize(
    ("budget", "holding", "missed"),
    [
        ("min-npu-ops", 2 / 6, 0.34),
        ("min-npu-time", 0.75, 0.76),
        ("max-partitions", 2, 1),
        ("max-boundary-bytes", 16384, 16383),
        ("max-latency-ms", 4.0, 3.999),
        ("max-energy-mj", 10.0, 9.999),
    ],
)
def test_budget_holds_up_to_its_limit(costed: Plan, budget: str, holding: float, missed: float) -> None:
    assert verdicts(check_plan(costed, {budget: holding})) == {budget: True}
    report = check_plan(costed, {budget: missed})
    assert verdicts(report) == {budget: False}
    assert not report.holds


def test_one_missed_budget_of_several_fails_the_whole(costed: Plan) -> None:
    report = check_plan(costed, {"max-partitions": 9, "max-latency-ms": 1, "max-energy-mj": 99})

    assert verdicts(report) == {"max-partitions": True, "max-latency-ms": False, "max-energy-mj": True}
    assert not report.holds


@pytest.mark.parametrize("budget", ["min-npu-time", "max-boundary-bytes", "max-latency-ms", "max-energy-mj"])
def test_unknown_figure_does_not_hold(plan: Plan, budget: str) -> None:
    """No cost model has filled the plan, and a tensor has a symbolic size."""
    report = check_plan(plan, {budget: 0.0 if budget.startswith("min") else 1e12})

    (check,) = report.checks
    assert (check.holds, check.value) == (False, None)
    assert check.remedy
    assert "FAILED: not known; " in render_check(report, 200, color=False)


def test_plan_without_operators_has_no_share_on_the_npu(costed: Plan) -> None:
    assert not check_plan(replace(costed, operators=()), {"min-npu-ops": 0.0}).holds


def test_no_budget_is_an_error_that_lists_all(costed: Plan) -> None:
    with pytest.raises(PlanError, match="no budget to check") as error:
        check_plan(costed, {})
    assert all(f"--{budget.name}" in str(error.value) for budget in BUDGETS)


def test_every_batch_size_is_held_to_the_budgets(costed: Plan) -> None:
    slow = replace(costed, predicted=replace(costed.predicted, latency_ms=30.0))
    both = replace(costed, batch=1, variants=(as_variant(slow, 8, 0),))

    report = check_plan(both, {"max-latency-ms": 5})

    assert [(check.batch, check.holds) for check in report.checks] == [(1, True), (8, False)]
    assert "max-latency-ms (batch 8)" in render_check(report, 100, color=False)


class TestBaseline:
    def test_plan_is_no_worse_than_itself(self, costed: Plan) -> None:
        report = check_plan(costed, {}, costed)

        assert verdicts(report) == {f"baseline {budget.name}": True for budget in BUDGETS}
        assert (report.off_npu, report.notes) == ((), ())

    def test_operator_that_left_the_npu_is_named_with_its_reason(self, costed: Plan) -> None:
        report = check_plan(moved_to_cpu(costed, "relu_1"), {}, costed)

        assert [name for name, holds in verdicts(report).items() if not holds] == ["baseline min-npu-ops"]
        assert [(each.node, each.device, each.reason) for each in report.off_npu] == [("relu_1", "cpu", "pinned")]

    def test_operator_that_came_to_the_npu_is_not_named(self, costed: Plan) -> None:
        report = check_plan(costed, {}, moved_to_cpu(costed, "relu_1"))

        assert report.holds
        assert report.off_npu == ()

    @pytest.mark.parametrize(("latency", "tolerance", "holds"), [(4.2, 5, True), (4.21, 5, False), (4.0001, 0, False)])
    def test_tolerance_is_a_part_of_the_older_figure(
        self, costed: Plan, latency: float, tolerance: float, holds: bool
    ) -> None:
        slower = replace(costed, predicted=replace(costed.predicted, latency_ms=latency))

        assert check_plan(slower, {}, costed, tolerance).holds == holds

    def test_tolerance_of_a_count_is_a_whole_number(self, costed: Plan) -> None:
        limits = {check.budget: check.limit for check in check_plan(costed, {}, costed, 40).checks}

        assert limits["baseline max-partitions"] == 2
        assert check_plan(costed, {}, costed, 50).checks[2].limit == 3

    def test_by_how_much_it_is_worse_is_said(self, costed: Plan) -> None:
        slower = replace(costed, predicted=replace(costed.predicted, latency_ms=5.0))

        text = render_check(check_plan(slower, {}, costed), 200, color=False)

        assert "FAILED: worse by 1 ms (25 %) than 4 ms" in text
        assert text.endswith("FAILED: 1 of 6 budgets does not hold\n")

    def test_figure_that_the_baseline_lacks_is_noted_and_not_a_success(self, plan: Plan, costed: Plan) -> None:
        report = check_plan(costed, {}, plan)

        assert list(verdicts(report)) == ["baseline min-npu-ops", "baseline max-partitions"]
        assert "predicted latency can't be compared: not known in the baseline" in report.notes

    def test_figure_that_got_lost_does_not_hold(self, plan: Plan, costed: Plan) -> None:
        assert not verdicts(check_plan(plan, {}, costed))["baseline max-latency-ms"]

    def test_other_model_is_noted(self, costed: Plan) -> None:
        older = replace(costed, model=replace(costed.model, name="older.onnx"))

        assert check_plan(costed, {}, older).notes == ("the model: face.onnx, in the baseline older.onnx",)

    def test_other_target_is_an_error(self, costed: Plan) -> None:
        with pytest.raises(PlanError, match=r"'other-npu'.*'some-npu:b2'; give an older plan"):
            check_plan(costed, {}, replace(costed, target="other-npu"))

    @pytest.mark.parametrize(("old", "new"), [(1, 8), (None, 1), (1, None)])
    def test_other_batch_size_is_an_error(self, costed: Plan, old: int | None, new: int | None) -> None:
        with pytest.raises(PlanError, match="compile both with the same --batch"):
            check_plan(replace(costed, batch=new), {}, replace(costed, batch=old))


class TestFormats:
    @pytest.fixture
    def report(self, costed: Plan) -> CheckReport:
        worse = moved_to_cpu(costed, "relu_1")
        return check_plan(worse, {"max-partitions": 2, "max-latency-ms": 3.5}, costed)

    def test_text_ends_with_the_verdict(self, report: CheckReport) -> None:
        lines = render_check(report, 100, color=False).splitlines()

        assert max(map(len, lines)) <= 100
        assert lines[:3] == ["model      face.onnx", "target     some-npu:b2", "predicted  modelled"]
        assert lines[-1] == "FAILED: 2 of 8 budgets do not hold"
        assert any("at most 3.5 ms" in line and "FAILED: 0.5 ms (14.3 %) over" in line for line in lines)

    def test_text_lists_a_hundred(self, report: CheckReport) -> None:
        text = render_check(replace(report, off_npu=report.off_npu * 130), 100, color=False)

        assert text.count("relu_1") == 100
        assert "and 30 more; --format json lists all" in text

    def test_json_says_whether_all_holds(self, report: CheckReport) -> None:
        document = json.loads(render_check_json(report))

        assert (document["schema_version"], document["holds"], document["target"]) == (1, False, "some-npu:b2")
        assert [each["holds"] for each in document["checks"]] == [check.holds for check in report.checks]
        assert document["off_npu"][0]["node"] == "relu_1"

    def test_github_has_an_error_for_each_missed_budget(self, report: CheckReport) -> None:
        lines = render_check_github(report).splitlines()

        errors = [line.partition("::predicted")[0] for line in lines if line.startswith("::error")]
        assert len(errors) == 2
        assert errors[0] == "::error title=max-latency-ms"
        assert "::warning title=relu_1 is off the NPU::Relu runs on cpu now: pinned" in lines
        assert not any("::error title=max-partitions" in line for line in lines)

    def test_github_is_told_of_more_than_it_shows(self, report: CheckReport) -> None:
        lines = render_check_github(replace(report, off_npu=report.off_npu * 30)).splitlines()

        warnings = [line for line in lines if line.startswith("::warning")]
        assert len(warnings) == 10
        assert "21 more are off the NPU" in warnings[-1]

    def test_name_can_not_make_a_command_of_github(self, report: CheckReport) -> None:
        evil = replace(report.off_npu[0], node="x,file=a::\n::error::100%", reason="\r\n::set-output name=a::b")
        lines = render_check_github(replace(report, off_npu=(evil,))).splitlines()

        assert sum(line.startswith("::") for line in lines) == sum("title=" in line for line in lines)
        assert any("x%2Cfile=a%3A%3A\\n%3A%3Aerror%3A%3A100%25 is off the NPU::" in line for line in lines)

    def test_junit_has_a_case_for_each_budget(self, report: CheckReport) -> None:
        suite = ElementTree.fromstring(render_junit(report))[0]
        cases = suite.findall("testcase")

        assert [case.get("name") for case in cases] == [check.budget for check in report.checks]
        assert [case.find("failure") is None for case in cases] == [check.holds for check in report.checks]
        assert (suite.get("tests"), suite.get("failures")) == ("8", "2")
        assert suite.findtext("system-out") == "relu_1: Relu runs on cpu now: pinned"

    def test_junit_is_xml_whatever_a_name_holds(self, report: CheckReport) -> None:
        evil = replace(report, model="\x00<&]]>\ud7ff\ufffe", off_npu=(replace(report.off_npu[0], node="\x1b\x0b"),))

        (suite,) = ElementTree.fromstring(render_junit(evil))
        assert suite[0].get("classname", "").startswith("\\x00<&]]>")


def test_totals_leave_out_what_is_in_bodies(costed: Plan) -> None:
    totals = plan_totals(costed)

    assert (totals.operators, totals.npu_ops, totals.npu_time) == (6, 2 / 6, 0.75)
    assert (totals.transfers, totals.boundary_bytes) == (2, 16384)
