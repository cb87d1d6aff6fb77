"""The GitHub Action: its script, without GitHub, and its page."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from dovetail.plan import read_plan, write_plan

ROOT = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
SCRIPT = (ROOT / "action.sh").read_text(encoding="utf-8")
PAGE = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
CHECK: dict[str, Any] = ACTION["runs"]["steps"][-1]

needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="composite actions run in bash")


def test_every_input_is_a_variable_of_the_script_and_never_a_part_of_it() -> None:
    inputs = {name.upper(): f"${{{{ inputs.{name} }}}}" for name in ACTION["inputs"]}

    assert CHECK["env"] == inputs
    assert all(f"${name}" in SCRIPT or f"${{{name}" in SCRIPT for name in inputs)
    assert all("${{" not in step["run"] for step in ACTION["runs"]["steps"])


def test_every_output_is_one_of_the_script() -> None:
    written = re.findall(r"(?:'|\\n)(\w+)=%s", SCRIPT)

    assert [output["value"] for output in ACTION["outputs"].values()] == [
        f"${{{{ steps.{CHECK['id']}.outputs.{name} }}}}" for name in written
    ]


def test_page_describes_every_input_and_its_workflow_uses_known_ones() -> None:
    documented = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    workflow = yaml.safe_load(re.findall(r"```yaml\n(name: .*?)```", PAGE, re.DOTALL)[0])
    (used,) = (step["with"] for step in workflow["jobs"]["placement"]["steps"] if "dovetail" in step["uses"])

    assert documented == set(ACTION["inputs"])
    assert set(used) <= set(ACTION["inputs"])


@needs_bash
class TestScript:
    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        (tmp_path / "runner").mkdir()
        (tmp_path / "bin").mkdir()
        command = tmp_path / "bin/dovetail"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dovetail.cli "$@"\n')
        command.chmod(0o755)
        return tmp_path

    def run(self, place: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
        given = {name: str(spec.get("default", "")) for name, spec in ACTION["inputs"].items()} | inputs
        environment = {
            **os.environ,
            **{name.upper(): value for name, value in given.items()},
            "PATH": f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "RUNNER_TEMP": str(place / "runner"),
            "GITHUB_STEP_SUMMARY": str(place / "summary.md"),
            "GITHUB_OUTPUT": str(place / "output"),
        }
        bash = ["bash", str(ROOT / "action.sh")]
        return subprocess.run(
            bash, cwd=place, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    def test_budgets_that_hold(self, place: Path, tiny_plan: Path) -> None:
        result = self.run(place, plan=str(tiny_plan), budgets="--max-partitions 2", junit="out.xml")

        assert (result.returncode, result.stderr) == (0, "")
        shown = (place / "summary.md").read_text()
        assert "ok: 1 budget holds" in shown
        assert "### tiny.onnx on null-npu\n" in shown
        assert "<summary>2 operators not on npu, the slowest first</summary>" in shown
        assert (place / "out.xml").is_file()
        summary = place / "runner/dovetail-summary.md"
        assert (place / "output").read_text() == f"plan={tiny_plan}\nsummary={summary}\n"

    def test_missed_budget_and_the_difference_from_the_baseline(self, place: Path, tiny_plan: Path) -> None:
        shutil.copytree(tiny_plan, place / "old.plan")
        old = read_plan(place / "old.plan")
        write_plan(replace(old, transfers=()), place / "old.plan")

        result = self.run(place, plan=str(tiny_plan), budgets="\n--max-partitions 1\n", baseline="old.plan")

        assert result.returncode == 1
        assert "::error title=max-partitions::partitions: at most 1 wanted, got 2" in result.stdout
        summary = (place / "summary.md").read_text()
        assert "FAILED: " in summary
        assert "| transfers | 0 | 1 | +1 |" in summary

    def test_no_name_ends_the_block_that_quotes_it(self, place: Path, tiny_plan: Path) -> None:
        name = "`" * 400
        plan = read_plan(tiny_plan)
        named = [replace(each, name=name) if each.name == "scale" else each for each in plan.operators]
        write_plan(replace(plan, operators=tuple(named)), tiny_plan)
        shutil.copytree(tiny_plan, place / "old.plan")
        before = [replace(each, device="npu") if each.name == name else each for each in named]
        write_plan(replace(plan, operators=tuple(before)), place / "old.plan")

        self.run(place, plan=str(tiny_plan), budgets="--max-partitions 2", baseline="old.plan")

        shown = (place / "summary.md").read_text()
        begin, *_, end = re.finditer(r"^ {0,3}```+.*$", shown.partition("\n### ")[0], re.MULTILINE)
        assert (begin[0], end[0]) == ("```text", "```")
        assert "off the NPU since the baseline" in shown[begin.end() : end.start()]
        assert "FAILED: " in shown[begin.end() : end.start()]
        assert "`" not in shown[begin.end() : end.start()]

    def test_model_and_baseline_are_compiled_for_the_target(self, place: Path, tiny_model: Path) -> None:
        result = self.run(
            place,
            model=str(tiny_model),
            target="cpu-only",
            options="--dim batch=4",
            budgets="--max-partitions 1",
            baseline=str(tiny_model),
        )

        assert result.returncode == 0
        assert read_plan(place / "dovetail.plan").model.bindings == {"dim batch": "4"}
        assert "no difference" in (place / "summary.md").read_text()

    def test_model_without_a_target(self, place: Path, tiny_model: Path) -> None:
        result = self.run(place, model=str(tiny_model), budgets="--max-partitions 1")

        assert result.returncode == 2
        assert "input 'target' is empty" in result.stdout

    def test_bad_input_fails_and_writes_no_summary(self, place: Path, tiny_plan: Path) -> None:
        result = self.run(place, plan=str(tiny_plan))

        assert result.returncode == 2
        assert "no budget to check" in result.stderr
        assert not (place / "summary.md").exists()

    def test_inputs_are_never_run(self, place: Path, tiny_plan: Path) -> None:
        words = "$(touch run1) ; touch run2 `touch run3`"
        result = self.run(place, plan=str(tiny_plan), budgets=f"--max-partitions 2 {words}", target=words)

        assert result.returncode == 2
        assert not list(place.glob("run[0-9]"))
