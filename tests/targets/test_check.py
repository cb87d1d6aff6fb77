"""`targets check`: all mistakes of a file at once, each at its line, and what is doubtful."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dovetail.cli.main import program
from dovetail.targets.check import check_target
from dovetail.targets.shipped import shipped_file

GOOD = """\
schema: 1
name: toy
vendor: Test
default_variant: one
variants: {one: {title: one, properties: {arch: 3}}}
rule_sets:
  flat: [{kind: rank, max: 4}]
devices:
- id: npu
  kind: npu
  name: NPU
  data_quality: low
  ops:
    Relu: {use: flat}
    Conv:
      match: group == 1
      rules:
      - {kind: attr_range, attr: strides, min: 1, max: 8}
      - {kind: predicate, expr: X.C % 4 == 0, says: channels in fours, when: arch > 2}
- {id: cpu, kind: cpu, name: host, data_quality: high, any_operator: {domains: [''], refusal: custom operator}}
"""


def check(folder: Path, text: str) -> Result:
    path = folder / "toy.yaml"
    path.write_text(text)
    return CliRunner().invoke(program, ["targets", "check", str(path)])


def test_a_good_file_is_counted(tmp_path: Path) -> None:
    result = check(tmp_path, GOOD)
    assert (result.exit_code, result.stdout) == (0, "ok: 2 devices, 2 operators\n")


@pytest.mark.parametrize("name", ["arm-ethos-u85", "cpu-only", "nvidia-orin-dla", "qualcomm-hexagon-htp"])
def test_shipped_files_are_without_fault(name: str) -> None:
    report = check_target(shipped_file(name))
    assert (report.mistakes, report.warnings) == ((), ())


def test_all_mistakes_are_named_in_the_order_of_their_lines(tmp_path: Path) -> None:
    text = GOOD.replace("vendor: Test", "vendr: Test").replace("kind: rank", "kind: ranks").replace("low", "poor")
    text = text.replace("min: 1", "min: one").replace("X.C % 4 == 0", "exit()").replace("group == 1", "open('x') == 1")
    result = check(tmp_path, text)
    assert result.exit_code == 2
    assert [line.split(": ", 1)[0] for line in result.stdout.splitlines()] == [
        f"toy.yaml:{line}" for line in (1, 3, 7, 12, 16, 18, 19)
    ]
    assert "toy.yaml:3: vendr: no such field; did you mean vendor?" in result.stdout
    assert "toy.yaml:7: rule_sets.flat.0: no rule kind 'ranks'; did you mean rank? there are dtype, " in result.stdout
    assert "devices.0.data_quality: must be 'high', 'medium' or 'low', got 'poor'" in result.stdout
    assert "min: must be a valid number, unable to parse string as a number, got 'one'" in result.stdout
    assert "there is no function exit" in result.stdout
    assert "there is no function open" in result.stdout


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("__import__('os').system('id')", "only the language's own functions can be called"),
        ("X.__class__", "a tensor has no field __class__"),
        ("(lambda: 1)()", "only the language's own functions can be called"),
        ("X.C ** 9", "Pow is not part of the expression language"),
        ("import os", "is not an expression"),
        ("strids[0] == 1", "'strids' is no attribute, input or output of the operator"),
        ("Z.C == 1", "'Z' is no attribute, input or output of the operator"),
        ("'group == 1'", "one pair of quotes is too many"),
    ],
)
def test_a_predicate_that_reaches_for_more_is_a_mistake(tmp_path: Path, expression: str, problem: str) -> None:
    result = check(tmp_path, GOOD.replace("X.C % 4 == 0", f'"{expression}"'))
    assert result.exit_code == 2
    (line,) = result.stdout.splitlines()
    assert line.startswith("toy.yaml:19: devices.0.ops.Conv.rules.1")
    assert problem in line


@pytest.mark.parametrize(
    ("old", "new", "line", "problem"),
    [
        ("{kind: rank, max: 4}", "{kind: rank, max: 4, tensor: Z}", 7, "the operator has no tensor 'Z'; there are "),
        ("attr: strides", "attr: stride", 18, "the operator has no attribute 'stride'; did you mean strides?"),
        ("X.C % 4 == 0", "X.C * 0 == 0", 19, "no operator was found at this edge of the rule: false"),
        ("Relu: {use: flat}", "Relu: {}", 7, "rule_sets.flat: no operator uses this rule set"),
    ],
)
def test_what_is_doubtful_is_a_warning(tmp_path: Path, old: str, new: str, line: int, problem: str) -> None:
    assert old in GOOD
    result = check(tmp_path, GOOD.replace(old, new))
    assert result.exit_code == 0
    assert f"toy.yaml:{line}: warning: " in result.stdout
    assert problem in result.stdout
    assert result.stdout.endswith("ok: 2 devices, 2 operators\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1, 2\n", "toy.yaml:2: not valid YAML"),
        ("name: toy\nextends: toy.yaml\n", "toy.yaml:2: extends: goes in a circle: toy.yaml -> toy.yaml"),
        ("name: toy\nextends: cpu-only\nops: {}\n", "toy.yaml:3: ops: no such field"),
    ],
)
def test_a_file_that_can_not_be_read_to_its_end(tmp_path: Path, text: str, expected: str) -> None:
    result = check(tmp_path, text)
    assert result.exit_code == 2
    assert result.stdout.startswith(expected)


def test_changes_are_checked_where_they_stand(tmp_path: Path) -> None:
    text = "name: toy\nextends: nvidia-orin-dla\ndevices:\n  npu:\n    ops:\n      Conv: {match: stride == 1}\n"
    result = check(tmp_path, text)
    assert result.exit_code == 2
    assert result.stdout.startswith("toy.yaml:6: devices.npu.ops.Conv.match: 'stride' is no attribute")


def test_no_file_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(program, ["targets", "check", str(tmp_path / "none.yaml")])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith("none.yaml: no such file\n")
