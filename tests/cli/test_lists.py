"""`targets` and `passes`."""

import pytest
from tests.cli.calling import dovetail, refusal

from dovetail.passes import registry
from dovetail.targets import load_target, target_names


def test_targets_are_listed_with_their_devices() -> None:
    result = dovetail("targets", "list")

    assert result.exit_code == 0
    for name in target_names():
        (row,) = (line for line in result.stdout.splitlines() if line.startswith(f"{name} "))
        assert load_target(name).vendor in row
        assert " ".join(device.id for device in load_target(name).devices) in row


@pytest.mark.parametrize("name", ["qualcomm-hexagon-htp", "qualcomm-hexagon-htp:sm8350"])
def test_a_target_in_the_place_of_a_command_is_proposed_to_be_shown(name: str) -> None:
    assert refusal("targets", name).endswith(f"did you mean 'show {name}'?")


def test_another_unknown_command_of_targets_is_refused() -> None:
    assert refusal("targets", "hexagon").endswith("see 'dovetail targets --help'")


def row_of(name: str) -> str:
    (row,) = (line for line in dovetail("targets", "list").stdout.splitlines() if line.startswith(f"{name} "))
    return " ".join(row.split())


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("cpu-only", "any cpu all high host +3"),
        ("hailo-8", "Hailo npu cpu not public low"),
        ("mediatek-mdla", "MediaTek npu cpu 24+ medium mt8188 +1"),
        ("nvidia-h200", "NVIDIA gpu cpu 146 high"),
    ],
)
def test_list_counts_operators_as_far_as_they_are_public(name: str, row: str) -> None:
    assert row_of(name) == f"{name} {row}"


def test_show_says_how_much_of_the_operator_list_is_public() -> None:
    assert "no public list" in dovetail("targets", "show", "cambricon-mlu370").stdout
    assert "the public list is not complete" in dovetail("targets", "show", "mediatek-mdla").stdout
    assert "public list" not in dovetail("targets", "show", "furiosa-warboy").stdout


@pytest.mark.parametrize("group", ["targets", "passes"])
def test_group_alone_is_its_list(group: str) -> None:
    assert dovetail(group).stdout == dovetail(group, "list").stdout != ""


@pytest.mark.parametrize("name", target_names())
def test_target_shows_devices_operators_and_marks_of_doubt(name: str) -> None:
    result = dovetail("targets", "show", name)

    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 100
    description = load_target(name).describe()
    for device in description.devices:
        assert f"{device.id}: {device.name}" in result.stdout
        assert all(f"  {form.op_type} " in result.stdout for form in device.operators)
        if any(not figure.verified for figure in device.figures.values()):
            assert "unverified" in result.stdout


def test_unknown_target() -> None:
    result = dovetail("targets", "show", "cpu-onyl")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "'cpu-onyl'" in result.stderr


@pytest.mark.parametrize("name", registry.pass_names())
def test_pass_is_listed_and_shown(name: str) -> None:
    assert name in dovetail("passes", "list").stdout
    assert dovetail("passes", "show", name).stdout == registry.describe_pass(name) + "\n"


def test_unknown_pass() -> None:
    result = dovetail("passes", "show", "fuse-batchnorm")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "error: no pass is named 'fuse-batchnorm'; did you mean 'fuse-batch-norm'?\n"
