"""`dovetail check`: exit codes, formats, and budgets in pyproject.toml."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import Result
from tests.cli.calling import dovetail, error_of

from dovetail.cli.check import command
from dovetail.plan import Plan, Predicted, read_plan, write_plan
from dovetail.report.check import BUDGETS


def check(*arguments: object) -> Result:
    return dovetail("check", *arguments)


def change(folder: Path, edit: Callable[[Plan], Plan]) -> Path:
    write_plan(edit(read_plan(folder)), folder)
    return folder


@pytest.fixture
def costed(tiny_plan: Path) -> Path:
    """One of three operators and half of the time on the NPU, 64 bytes, 4 ms, 10 mJ, two partitions."""

    def fill(plan: Plan) -> Plan:
        return replace(
            plan,
            predicted=Predicted(latency_ms=4.0, energy_mj=10.0, source="modelled"),
            partitions=tuple(replace(each, predicted={"latency_ms": 2.0}) for each in plan.partitions),
            transfers=tuple(replace(each, bytes=64) for each in plan.transfers),
        )

    return change(tiny_plan, fill)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pyproject.toml two folders above the current one."""
    inner = tmp_path / "project/src/app"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    return tmp_path / "project/pyproject.toml"


HOLDS = {
    "--min-npu-ops": "0.33",
    "--min-npu-time": "0.5",
    "--max-partitions": "2",
    "--max-boundary-bytes": "64",
    "--max-latency-ms": "4",
    "--max-energy-mj": "10",
}
MISSED = {
    "--min-npu-ops": "0.34",
    "--min-npu-time": "0.51",
    "--max-partitions": "1",
    "--max-boundary-bytes": "63",
    "--max-latency-ms": "3.9",
    "--max-energy-mj": "0",
}
MALFORMED = {
    "--min-npu-ops": ("33", "-0.1", "nan", "half"),
    "--min-npu-time": ("1.01", "inf"),
    "--max-partitions": ("-1", "2.5", "two", "9" * 400),
    "--max-boundary-bytes": ("-1", "1kB"),
    "--max-latency-ms": ("-1", "nan", "inf", "4ms"),
    "--max-energy-mj": ("-0.5", ""),
}


def test_every_budget_is_an_option() -> None:
    options = {option for parameter in command.params for option in parameter.opts}

    assert set(HOLDS) == set(MISSED) == set(MALFORMED) == {f"--{budget.name}" for budget in BUDGETS}
    assert options >= set(HOLDS)


@pytest.mark.parametrize("option", HOLDS)
class TestExitCodes:
    def test_budget_that_holds(self, costed: Path, option: str) -> None:
        result = check(costed, option, HOLDS[option])

        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.endswith("ok: 1 budget holds\n")

    def test_budget_that_does_not(self, costed: Path, option: str) -> None:
        result = check(costed, option, MISSED[option])

        assert (result.exit_code, result.stderr) == (1, "")
        assert result.stdout.endswith("FAILED: 1 of 1 budget does not hold\n")

    def test_one_that_does_not_among_all(self, costed: Path, option: str) -> None:
        budgets = HOLDS | {option: MISSED[option]}

        assert check(costed, *(word for pair in budgets.items() for word in pair)).exit_code == 1

    def test_malformed_budget(self, costed: Path, option: str) -> None:
        for value in MALFORMED[option]:
            assert option in error_of(check(costed, f"{option}={value}"))

    def test_the_same_in_pyproject(self, costed: Path, project: Path, option: str) -> None:
        for value, code in ((HOLDS[option], 0), (MISSED[option], 1), ("'many'", 2), ("true", 2), ("-1", 2), ("nan", 2)):
            project.write_text(f"[tool.dovetail.check]\n{option.removeprefix('--')} = {value}\n")
            result = check(costed)

            assert result.exit_code == code, value
            if code == 2:
                assert option.removeprefix("--") in error_of(result)

    def test_symbolic_size_or_missing_cost_model_is_no_success(self, tiny_plan: Path, option: str) -> None:
        known = option in ("--min-npu-ops", "--max-partitions")

        assert check(tiny_plan, option, HOLDS[option]).exit_code == (0 if known else 1)


class TestInput:
    def test_no_budget_is_an_error(self, costed: Path) -> None:
        assert "no budget to check; give one of --min-npu-ops" in error_of(check(costed))

    def test_missing_plan(self, tmp_path: Path) -> None:
        assert "none.plan': does not exist; check the path" in error_of(
            check(tmp_path / "none.plan", "--max-partitions", 1)
        )

    def test_missing_baseline(self, costed: Path, tmp_path: Path) -> None:
        assert "is not a plan folder" in error_of(check(costed, "--baseline", tmp_path))

    def test_tolerance_without_a_baseline(self, costed: Path) -> None:
        line = error_of(check(costed, "--max-partitions", 2, "--tolerance", 3))

        assert "--tolerance belongs to --baseline; add it" in line

    def test_plan_for_another_target_is_an_error(self, costed: Path) -> None:
        line = error_of(check(costed, "--max-partitions", 2, "-t", "cpu-only"))

        assert "is for target 'null-npu', 'cpu-only:host' was asked for; compile the model with -t cpu-only" in line

    def test_plan_for_the_asked_target(self, costed: Path) -> None:
        change(costed, lambda plan: replace(plan, target="cpu-only:host"))

        assert check(costed, "--max-partitions", 2, "-t", "cpu-only").exit_code == 0

    def test_unknown_target(self, costed: Path) -> None:
        assert "cpu-only" in error_of(check(costed, "--max-partitions", 2, "-t", "cpu-onyl"))


class TestBaseline:
    @pytest.fixture
    def slower(self, costed: Path, tmp_path: Path) -> Path:
        """The plan with 10 % more latency; the older one lies beside it as `old.plan`."""
        costed.rename(tmp_path / "old.plan")
        shutil.copytree(tmp_path / "old.plan", tmp_path / "new.plan")
        return change(
            tmp_path / "new.plan", lambda plan: replace(plan, predicted=replace(plan.predicted, latency_ms=4.4))
        )

    def test_no_worse_than_itself(self, costed: Path) -> None:
        result = check(costed, "--baseline", costed)

        assert result.exit_code == 0
        assert result.stdout.endswith("ok: 6 budgets hold\n")

    @pytest.mark.parametrize(("tolerance", "code"), [((), 1), (("--tolerance", 9), 1), (("--tolerance", 10), 0)])
    def test_tolerance_is_in_percent(self, slower: Path, tolerance: tuple[object, ...], code: int) -> None:
        assert check(slower, "--baseline", slower.with_name("old.plan"), *tolerance).exit_code == code

    def test_by_how_much_is_said(self, slower: Path) -> None:
        result = check(slower, "--baseline", slower.with_name("old.plan"), "--format", "github")

        assert "worse by 0.4 ms (10 %25) than 4 ms" in result.stdout


class TestFormats:
    def test_json_is_one_document_also_when_it_fails(self, costed: Path) -> None:
        result = check(costed, "--max-partitions", 1, "--format", "json")

        document = json.loads(result.stdout)
        assert (result.exit_code, document["holds"]) == (1, False)
        assert document["checks"][0] | {"limit": 1, "value": 2, "holds": False} == document["checks"][0]

    def test_junit_is_written_beside_the_text(self, costed: Path, tmp_path: Path) -> None:
        result = check(costed, "--max-partitions", 1, "--junit", tmp_path / "out.xml")

        (suite,) = ElementTree.parse(tmp_path / "out.xml").getroot()
        assert result.exit_code == 1
        assert (suite.get("tests"), suite.get("failures")) == ("1", "1")

    def test_junit_that_can_not_be_written(self, costed: Path, tmp_path: Path) -> None:
        assert "--junit" in error_of(check(costed, "--max-partitions", 2, "--junit", tmp_path / "none/out.xml"))


class TestProjectFile:
    def test_budgets_stand_there(self, costed: Path, project: Path) -> None:
        project.write_text("[tool.dovetail.check]\nmax-partitions = 1\nmax-latency-ms = 4\n")

        result = check(costed)

        assert result.exit_code == 1
        assert re.search(r"max-partitions +at most 1 +2 +FAILED", result.stdout)

    def test_command_line_overrules(self, costed: Path, project: Path) -> None:
        project.write_text("[tool.dovetail.check]\nmax-partitions = 1\n")

        assert check(costed, "--max-partitions", 2).exit_code == 0

    def test_nearest_file_with_a_table_counts(self, costed: Path, project: Path) -> None:
        project.write_text("[tool.dovetail.check]\nmax-partitions = 1\n")
        (project.parent / "src/pyproject.toml").write_text("[tool.ruff]\nline-length = 9\n")
        assert check(costed).exit_code == 1
        (project.parent / "src/pyproject.toml").write_text("[tool.dovetail.check]\nmax-partitions = 2\n")
        assert check(costed).exit_code == 0

    def test_baseline_is_relative_to_the_file(self, costed: Path, project: Path) -> None:
        project.write_text('[tool.dovetail.check]\nbaseline = "old.plan"\ntolerance = 1\n')
        costed.rename(project.parent / "old.plan")

        assert check(project.parent / "old.plan").exit_code == 0

    def test_target_is_held_to(self, costed: Path, project: Path) -> None:
        project.write_text('[tool.dovetail.check]\nmax-partitions = 2\ntarget = "cpu-only"\n')

        assert "'cpu-only:host' was asked for" in error_of(check(costed))

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (
                "[tool.dovetail.check]\nmax_partitions = 3",
                "knows no key 'max_partitions'; did you mean 'max-partitions'?",
            ),
            ("[tool.dovetail.check]\nzzz = 3", "knows no key 'zzz'; choose one of 'min-npu-ops', "),
            ("[tool.dovetail.chek]\nmax-partitions = 3", "[tool.dovetail] knows no key 'chek'; did you mean 'check'?"),
            ("[tool.dovetail.check]\nmax-partitions = 'three'", "max-partitions: must be a whole number, got 'three'"),
            ("[tool.dovetail.check]\nmax-partitions = 2.5", "max-partitions: must be a whole number, got '2.5'"),
            ("[tool.dovetail.check]\nmax-partitions = true", "max-partitions: must be a whole number, got 'True'"),
            ("[tool.dovetail.check]\nmax-partitions = -1", "max-partitions: -1 is not in the range 0<=x<="),
            ("[tool.dovetail.check]\nmin-npu-ops = 95", "min-npu-ops: 95.0 is not in the range 0<=x<=1"),
            ("[tool.dovetail.check]\nmax-latency-ms = inf", "max-latency-ms: inf is not a finite number"),
            (f"[tool.dovetail.check]\nmax-latency-ms = {'9' * 400}", "is not a finite number"),
            ("[tool.dovetail.check]\nbaseline = 3", "baseline: must be a text, got '3'"),
            ("[tool.dovetail]\ncheck = 3", "'check' must be a table, got '3'"),
            ("[tool]\ndovetail = []", "'dovetail' must be a table, got '[]'"),
            ("[tool.dovetail.check", "is not valid TOML"),
            ("x = " + "[" * 5000, "is not valid TOML"),
            ("\xff", "is not valid TOML"),
        ],
    )
    def test_mistake_names_file_and_key(self, costed: Path, project: Path, text: str, message: str) -> None:
        project.write_text(text, encoding="latin-1")

        line = error_of(check(costed, "--max-partitions", 2))

        assert f"{project}: " in line
        assert message in line

    def test_empty_file_has_no_table(self, costed: Path, project: Path) -> None:
        project.write_text("[tool.dovetail.check]\nmax-partitions = 2\n")
        Path("pyproject.toml").write_text("")

        assert check(costed).exit_code == 0

    def test_empty_table_is_no_budget(self, costed: Path, project: Path) -> None:
        project.write_text("[tool.dovetail.check]\n")

        assert "no budget to check" in error_of(check(costed))
