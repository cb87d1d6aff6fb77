"""Annotations of GitHub: few enough to be shown, and read back as they were meant."""

import re
from collections import Counter
from dataclasses import replace

import pytest

from dovetail.plan import Plan, Reason
from dovetail.report import render_annotations
from dovetail.report.annotations import command


def read(text: str) -> list[tuple[str, str, str]]:
    """(level, title, message) of every line, as GitHub's runner reads a workflow command."""
    found = []
    for line in text.splitlines():
        matched = re.fullmatch(r"::(error|warning|notice) title=([^:,]*)::(.*)", line)
        assert matched, line
        level, title, message = matched.groups()
        title = title.replace("%3A", ":").replace("%2C", ",").replace("%25", "%")
        found.append((level, title, message.replace("%25", "%")))
    return found


def shown(name: str) -> str:
    """The start of a name, control characters as escapes."""
    return re.sub(r"[\x00-\x1f]", lambda found: found.group().encode("unicode_escape").decode(), name[:30])


def with_causes(plan: Plan, count: int, rule: str) -> Plan:
    """The plan with that many operators off the NPU, each for a reason of its own."""
    (conv,) = (each for each in plan.operators if each.name == "conv_2")
    made = []
    for index in range(count):
        reason = Reason(rule, f"cause {'i' * index}", f"got {index}", "something else")
        verdicts = conv.verdicts if rule == "cost" else (replace(conv.verdicts[0], reasons=(reason,)), conv.verdicts[1])
        if rule == "cost":
            verdicts = (replace(conv.verdicts[0], state="supported", reasons=()), conv.verdicts[1])
        made.append(replace(conv, name=f"n{index}", verdicts=verdicts, reason=reason.message, fallback=reason))
    return replace(plan, operators=tuple(made))


def test_a_warning_for_each_cause_and_the_verdict_as_a_notice(plan: Plan) -> None:
    first, second, *_, verdict = read(render_annotations(plan))

    assert first == (
        "warning",
        "DV114 attr_range: 2 operators not on npu",
        "strides must be in [1, 3], got (4, 4) ('conv_2' and 1 more: Conv 2); use two convolutions",
    )
    assert second[:2] == ("warning", "DV101 op_list: 1 operator not on npu")
    assert verdict[:2] == ("notice", "face.onnx on some-npu:b2")
    assert verdict[2].startswith("6 operators: npu 2, cpu 4; 2 partitions, 3 transfers")


@pytest.mark.parametrize(("rule", "level"), [("dtype", "warning"), ("cost", "notice")])
def test_what_github_would_drop_is_counted(plan: Plan, rule: str, level: str) -> None:
    for count in (1, 8, 9, 10, 30):
        lines = read(render_annotations(with_causes(plan, count, rule)))
        levels = Counter(each[0] for each in lines)
        assert max(levels.values()) <= 10
        said = sum(title.startswith("DV") for _, title, _ in lines)
        rest = [int(message.split()[0]) for _, title, message in lines if title == "Dovetail"]
        assert said + sum(rest) == count
        assert {each[0] for each in lines[:-1]} == {level}


def test_nothing_off_the_device_is_the_verdict_alone(plan: Plan) -> None:
    home = tuple(replace(each, device="npu", reason="", verdicts=()) for each in plan.operators)

    ((level, _, _),) = read(render_annotations(replace(plan, operators=home)))

    assert level == "notice"


def test_name_can_not_make_a_command(hostile: tuple[Plan, str]) -> None:
    changed, name = hostile
    text = render_annotations(changed)

    lines = read(text)
    assert [level for level, _, _ in lines] == ["warning", "warning", "notice", "notice"]
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) < 4096
    assert shown(name) in lines[0][2]


@pytest.mark.parametrize("text", ["100 %", "%0A", "a:b,c", "x\ny\rz", "::error::", "%253A"])
def test_a_message_is_read_back(text: str) -> None:
    ((_, title, message),) = read(command("warning", text, text))
    shown = text.replace("\n", "\\n").replace("\r", "\\r")

    assert (title, message) == (shown, shown)
