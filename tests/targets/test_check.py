"""`targets check`: all mistakes of a file at once, each at its line, and what is doubtful."""

import re
import tempfile
from pathlib import Path

import onnx
import onnx.parser
import pytest
from click.testing import Result
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cli.calling import dovetail

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

EXTENDING = """\
name: mine
extends: nvidia-orin-dla
limits: {max_partitions: {npu: 3}}
devices:
  gpu: null
  npu:
    figures: {power_w: {value: 3}}
    ops:
      Relu: null
      Conv: {rules: [{kind: attr_range, attr: strides, max: 2}]}
"""
WRONG = [
    "null",
    "5",
    "[]",
    "{}",
    "[1]",
    "{a: b}",
    "''",
    "true",
    "-1",
    "npu",
    "cpu",
    ".nan",
    "2020-01-01",
    "{1: 2}",
    "",
    " ",
]
MODEL = """
<ir_version: 8, opset_import: ["": 17]>
tiny (float[1, 2] x) => (float[1, 2] y) { [relu] y = Relu(x) }
"""


def check(folder: Path, text: str) -> Result:
    path = folder / "toy.yaml"
    path.write_text(text)
    return dovetail("targets", "check", path)


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
    assert "toy.yaml:3: vendr: no such field; did you mean 'vendor'?" in result.stdout
    assert "toy.yaml:7: rule_sets.flat.0: no rule kind 'ranks'; did you mean 'rank'?" in result.stdout
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
        (
            "{kind: rank, max: 4}",
            "{kind: rank, max: 4, tensor: Z}",
            7,
            "the operator has no tensor 'Z'; choose one of ",
        ),
        ("attr: strides", "attr: stride", 18, "the operator has no attribute 'stride'; did you mean 'strides'?"),
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


def test_operators_that_onnx_does_not_know_are_taken_at_their_word(tmp_path: Path) -> None:
    custom = "    my.own:Sorcery: {rules: [{kind: predicate, expr: wand.C > depth, says: enough wood}]}\n    Conv:"
    result = check(tmp_path, GOOD.replace("    Conv:", custom))
    assert (result.exit_code, result.stdout) == (0, "ok: 2 devices, 3 operators\n")


def test_changes_are_checked_where_they_stand(tmp_path: Path) -> None:
    text = "name: toy\nextends: nvidia-orin-dla\ndevices:\n  npu:\n    ops:\n      Conv: {match: stride == 1}\n"
    result = check(tmp_path, text)
    assert result.exit_code == 2
    assert result.stdout.startswith("toy.yaml:6: devices.npu.ops.Conv.match: 'stride' is no attribute")


def test_no_file_is_one_line(tmp_path: Path) -> None:
    result = dovetail("targets", "check", tmp_path / "none.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith("none.yaml': does not exist; check the path\n")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ("vendr: X\n", "line 3: vendr: no such field; did you mean 'vendor'?"),
        ("rule_sets: {a: [{kind: ranks}]}\n", "line 3: rule_sets.a.0: no rule kind 'ranks'; did you mean 'rank'?"),
        ("rule_sets: {a: [{kind: predicate, says: x, expr: eval(1)}]}\n", "there is no function eval"),
        ("rule_sets: {a: [{kind: predicate, says: x, expr: import os}]}\n", "is not an expression"),
        ("extends: toy.yaml\n", "extends is given twice"),
    ],
)
def test_a_bad_target_stops_a_command_with_one_line(tmp_path: Path, changes: str, problem: str) -> None:
    target, model = tmp_path / "toy.yaml", tmp_path / "model.onnx"
    target.write_text("name: toy\nextends: cpu-only\n" + changes)
    onnx.save(onnx.parser.parse_model(MODEL), model)
    for arguments in (["inspect", model, "-t", target], ["targets", "show", target]):
        result = dovetail(*arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        (line,) = result.stderr.splitlines()
        assert line.startswith("error: target file toy.yaml, line ")
        assert problem in line


def test_a_circle_stops_a_command_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: a\nextends: b.yaml\n")
    (tmp_path / "b.yaml").write_text("name: b\nextends: a.yaml\n")
    result = dovetail("targets", "show", tmp_path / "a.yaml")
    assert result.exit_code == 2
    assert result.stderr.endswith("extends: goes in a circle: a.yaml -> b.yaml -> a.yaml; correct it\n")


def test_a_target_that_extends_another_compiles(tmp_path: Path) -> None:
    target, model = tmp_path / "toy.yaml", tmp_path / "model.onnx"
    target.write_text("name: toy\nextends: qualcomm-hexagon-htp\ndevices: {npu: {ops: {Relu: null}}}\n")
    onnx.save(onnx.parser.parse_model(MODEL), model)
    result = dovetail("explain", model, "relu", "-t", target)
    assert result.exit_code == 0
    assert "it is not in the operator list" in result.stdout


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_text_crashes_the_check(data: st.DataObject) -> None:
    """One or two places of a good file are replaced by something else."""
    text = data.draw(st.sampled_from([GOOD, EXTENDING]))
    for _ in range(data.draw(st.integers(1, 2))):
        spans = [match.span() for match in re.finditer(r"[\w%.'=]+|: |\n|[\[\]{},]", text)]
        start, end = data.draw(st.sampled_from(spans))
        text = text[:start] + data.draw(st.sampled_from(WRONG)) + text[end:]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "toy.yaml"
        path.write_text(text)
        report = check_target(path)
    assert all(finding.line >= 1 and "\n" not in finding.problem for finding in report.mistakes + report.warnings)
