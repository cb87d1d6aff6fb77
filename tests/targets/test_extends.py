"""`extends`: what merges, what replaces, what removes, and mistakes that point into the user's own file."""

from dataclasses import replace
from pathlib import Path

import pytest

from dovetail.plan.errors import TargetError
from dovetail.targets import OperatorView, Target, TensorView, load_target

HEAD = "schema: 1\nname: mine\nextends: nvidia-orin-dla\n"


def load(folder: Path, text: str, name: str = "mine.yaml") -> Target:
    path = folder / name
    path.write_text(text)
    return load_target(str(path))


def mistake(folder: Path, text: str) -> str:
    with pytest.raises(TargetError) as caught:
        load(folder, text)
    message = str(caught.value)
    assert "\n" not in message
    return message


def relu(op_type: str = "Relu", rank: int = 4) -> OperatorView:
    image = TensorView("t", "float32", (1, 4, 8, 8, 8)[:rank], None)
    return OperatorView("op", op_type, "", 17, (image,), (image,), ("X",), ("Y",), {}, False, ("",), ())


def test_nothing_but_a_name_is_the_base_under_another_name(tmp_path: Path) -> None:
    mine, base = load(tmp_path, HEAD), load_target("nvidia-orin-dla")
    assert mine.ref == base.ref.replace(base.name, "mine")
    assert replace(mine.describe(), ref="", name="") == replace(base.describe(), ref="", name="")


def test_mappings_merge_and_lists_replace(tmp_path: Path) -> None:
    text = HEAD + (
        "limits: {max_partitions: {npu: 2}}\n"
        "notes: [only this]\n"
        "devices:\n- id: npu\n  name: my DLA\n  figures: {power_w: {value: 5}}\n"
        "  ops: {Relu: {rules: [{kind: rank, max: 2, source: S0}]}}\n"
    )
    mine, base = load(tmp_path, text), load_target("nvidia-orin-dla")
    assert mine.limits == replace(base.limits, max_partitions={"npu": 2})
    assert mine.notes == ("only this",)
    npu, old = mine.device("npu"), base.device("npu")
    assert (npu.name, npu.op_types()) == ("my DLA", old.op_types())
    assert npu.figures == {**old.figures, "power_w": replace(old.figures["power_w"], value=5)}
    assert npu.verdict(relu(rank=2)).state == "supported"
    assert [reason.got for reason in npu.verdict(relu(rank=3)).reasons] == ["X: rank 3"]
    assert mine.device("gpu").describe() == base.device("gpu").describe()


def test_null_removes_an_operator_a_figure_and_a_device(tmp_path: Path) -> None:
    text = HEAD + "devices:\n  gpu: null\n  npu: {ops: {Relu: null}, figures: {power_w: null}}\n"
    mine = load(tmp_path, text)
    assert [device.id for device in mine.devices] == ["npu", "cpu"]
    assert all("gpu" not in (link.source, link.destination) for link in mine.links)
    npu = mine.device("npu")
    assert "Relu" not in npu.op_types()
    assert "power_w" not in npu.figures
    assert npu.verdict(relu()).reasons[0].rule == "op_list"


def test_a_device_can_be_added_and_all_can_be_put_in_order(tmp_path: Path) -> None:
    gpu = "id: gpu, kind: gpu, name: G, data_quality: low, ops: {Relu: {}}"
    added = load(tmp_path, f"name: mine\nextends: cpu-only\ndevices:\n- {{{gpu}}}\n")
    assert [device.id for device in added.devices] == ["gpu", "cpu"]
    ordered = load(tmp_path, HEAD + "devices: [{id: gpu}, {id: npu}, {id: cpu}]\n")
    assert [device.id for device in ordered.devices] == ["gpu", "npu", "cpu"]


def test_a_file_extends_a_file_beside_it(tmp_path: Path) -> None:
    load(tmp_path, HEAD.replace("mine", "base") + "vendor: First\nsummary: first\n", "base.yaml")
    mine = load(tmp_path, "name: mine\nextends: base.yaml\nvendor: Second\n")
    assert (mine.name, mine.vendor, mine.summary) == ("mine", "Second", "first")
    assert mine.variants == load_target("nvidia-orin-dla").variants


@pytest.mark.parametrize(
    ("changes", "line", "problem"),
    [
        ("vendr: X\n", 4, "vendr: no such field; did you mean 'vendor'?"),
        ("devices:\n- id: gpu\n  nam: X\n", 6, "devices.0.nam: no such field; did you mean 'name'?"),
        (
            "devices:\n  gpu: {numerics: fp17}\n",
            5,
            "gpu.numerics: must be 'fp32', 'fp16' or 'int8', got 'fp17'",
        ),
        ("devices:\n  npu: {ops: {Relu: {rules: [{kind: ranks}]}}}\n", 5, "no rule kind 'ranks'; did you mean 'rank'?"),
        ("devices:\n  npu: {ops: {Rleu: null}}\n", 5, "devices.npu.ops.Rleu: null removes what the base has"),
        ("devices:\n  npu: {ops: {Relu: {use: flat}}}\n", 5, "no rule set 'flat'"),
        ("devices:\n  tpu: null\n", 5, "devices.tpu: null removes a device, and the base has no tpu"),
        ("devices: npu\n", 4, "devices: must be a list of devices, or a mapping from id to changes"),
        ("devices: [{name: X}]\n", 4, "each device must be a mapping, with an id"),
        ("devices: [{id: npu}, {id: npu}]\n", 4, "a device is given twice"),
        ("default_variant: other\n", 3, "default_variant must be one of agx-orin-64gb"),
        ("sources: {S0: null}\n", 3, "no source 'S0'"),
    ],
)
def test_a_mistake_points_into_the_users_own_file(tmp_path: Path, changes: str, line: int, problem: str) -> None:
    message = mistake(tmp_path, HEAD + changes)
    assert message.startswith(f"target file mine.yaml, line {line}: ")
    assert problem in message


@pytest.mark.parametrize(
    ("ref", "problem"),
    [
        ("nvidia-orin-dl", "unknown target 'nvidia-orin-dl'; did you mean 'nvidia-orin-dla'?"),
        ("none.yaml", "none.yaml': does not exist; check the path"),
        ("/none.yaml", "a path must be relative to the file"),
        ("[a, b]", "must be a target's name or a path, got ['a', 'b']"),
        ("''", "must be a target's name or a path, got ''"),
    ],
)
def test_a_base_that_is_not_there(tmp_path: Path, ref: str, problem: str) -> None:
    message = mistake(tmp_path, f"name: mine\nextends: {ref}\n")
    assert message.startswith("target file mine.yaml, line 2: extends: ")
    assert problem in message


def test_a_circle_names_its_files(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("name: other\nextends: ./mine.yaml\n")
    message = mistake(tmp_path, "name: mine\nextends: other.yaml\n")
    assert message.endswith("line 2: extends: goes in a circle: mine.yaml -> other.yaml -> mine.yaml; correct it")
    assert "mine.yaml -> mine.yaml" in mistake(tmp_path, "name: mine\nextends: mine.yaml\n")


def test_a_chain_has_an_end(tmp_path: Path) -> None:
    for number in range(8):
        (tmp_path / f"t{number}.yaml").write_text(f"name: t\nextends: t{number + 1}.yaml\n")
    (tmp_path / "t8.yaml").write_text("name: t\nextends: cpu-only\n")
    assert load_target(str(tmp_path / "t3.yaml")).name == "t"
    with pytest.raises(
        TargetError, match=r"goes over more than 8 files: t0.yaml -> t1.yaml -> .* -> t8.yaml; correct it$"
    ):
        load_target(str(tmp_path / "t0.yaml"))


def test_a_mistake_of_the_base_is_reported_there(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("name: base\nextends: cpu-only\nvendor: [1]\n")
    message = mistake(tmp_path, "name: mine\nextends: base.yaml\nvendor: X\n")
    assert message.startswith("target file base.yaml, line 3: vendor: ")


def test_a_name_of_its_own_is_needed(tmp_path: Path) -> None:
    assert "needs a name of its own" in mistake(tmp_path, "extends: cpu-only\n")
