"""Finding and reading target files: every mistake is one line that names file, line and field."""

from pathlib import Path

import pytest
import yaml

from dovetail.plan.errors import TargetError
from dovetail.targets import load_target, target_names
from dovetail.targets.document import Document
from dovetail.targets.load import parse_target

GOOD = """\
schema: 1
name: toy
vendor: Test
sources:
  A: the data sheet
default_variant: small
variants:
  small:
    title: small
    properties: {soc: 1}
  large:
    title: large
    properties: {soc: 2}
    devices:
      npu:
        name: large NPU
        numerics: int8
        figures:
          peak: {value: 2, unit: TOPS, source: A, verified: true}
rule_sets:
  flat: [{kind: rank, max: 4, source: A}]
limits: {max_partitions: {npu: 3}, uniform_batch: true}
links:
- between: [npu, cpu]
  figures:
    latency_us: {value: 50, unit: us}
devices:
- id: npu
  kind: npu
  name: small NPU
  backend: {provider: QNNExecutionProvider, options: {soc_model: '{soc}'}}
  numerics: fp16
  data_quality: high
  figures:
    peak: {value: 1, unit: TOPS, source: A, verified: true}
    power: {value: null, unit: W}
  ops:
    Relu:
      use: flat
      source: [A#3]
    Conv:
    - label: depthwise
      match: group > 1
    - rules:
      - {kind: attr_range, attr: strides, min: 1, max: 8}
- id: cpu
  kind: cpu
  name: host
  backend: {provider: CPUExecutionProvider}
  data_quality: high
  any_operator: {domains: [''], refusal: custom operator}
"""


def parse(text: str) -> str:
    with pytest.raises(TargetError) as caught:
        parse_target(Document("toy.yaml", text))
    message = str(caught.value)
    assert "\n" not in message
    return message


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def test_a_users_file_is_read_with_its_variants(tmp_path: Path) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(GOOD)
    small = load_target(str(path))
    assert (small.ref, small.variants) == ("toy:small", ("small", "large"))
    assert [device.id for device in small.devices] == ["npu", "cpu"]
    npu = small.device("npu")
    assert npu.backend is not None
    assert npu.backend.options == {"soc_model": "1"}
    assert (npu.name, npu.numerics, npu.op_types()) == ("small NPU", "fp16", ("Conv", "Relu"))
    assert npu.figures["power"].value is None
    assert not npu.figures["power"].verified
    assert small.limits.max_partitions == {"npu": 3}
    assert small.links[0].figures["latency_us"].value == 50
    large = load_target(f"{path}:large").device("npu")
    assert (large.name, large.numerics, large.figures["peak"].value) == ("large NPU", "int8", 2)
    with pytest.raises(KeyError):
        small.device("gpu")


def test_unknown_names_list_what_there_is_and_the_closest() -> None:
    with pytest.raises(TargetError, match=r"unknown target 'cpu-onyl'; did you mean 'cpu-only'\?"):
        load_target("cpu-onyl")
    with pytest.raises(TargetError, match=r"no variant 'sm8651'; did you mean 'sm8650'"):
        load_target("qualcomm-hexagon-htp:sm8651")
    with pytest.raises(TargetError, match=r"no variant 'x'; leave it out, there are none"):
        load_target("hailo-8:x")


def test_a_variant_in_the_place_of_a_target_is_told_where_it_belongs() -> None:
    with pytest.raises(TargetError, match=r"target 'sm8650': is a variant of one; give 'qualcomm-hexagon-htp:sm8650'$"):
        load_target("sm8650")


@pytest.mark.parametrize("ref", ["", ":", "nowhere/x.yaml", "/dev/null.yaml", "a:b:c", "..", "x.yaml:large"])
def test_a_reference_to_nothing_is_a_target_error(ref: str) -> None:
    with pytest.raises(TargetError):
        load_target(ref)


def test_names_are_known_without_reading_a_file() -> None:
    assert set(target_names()) >= {"arm-ethos-u85", "cpu-only", "nvidia-orin-dla", "qualcomm-hexagon-htp"}


@pytest.mark.parametrize(
    ("old", "new", "at", "field"),
    [
        ("kind: rank, max: 4", "kind: rank, max: many", "flat:", "rule_sets.flat.0.max"),
        ("kind: rank, max: 4", "kind: ranks, max: 4", "flat:", "rule_sets.flat.0"),
        ("  numerics: fp16", "  numerics: fp17", "fp17", "devices.0.numerics"),
        ("      use: flat", "      uses: flat", "uses", "devices.0.ops.Relu.uses"),
        ("      match: group > 1", "      match: group >", "match", "devices.0.ops.Conv.0.match"),
        ("      match: group > 1", "      match: exit()", "match", "devices.0.ops.Conv.0.match"),
        ("attr: strides, min: 1, max: 8", "attr: strides, min: 9, max: 8", "strides", "devices.0.ops.Conv.1.rules.0"),
        ("vendor: Test\n", "", "schema", "vendor"),
        ("schema: 1", "schema: 2", "schema", "schema"),
        ("name: toy", "name: Toy Target", "", "Toy Target"),
        ("default_variant: small", "default_variant: medium", "", "small large"),
        ("between: [npu, cpu]", "between: [npu, gpu]", "", "gpu is named"),
        ("max_partitions: {npu: 3}", "max_partitions: {npu: 3}, fun: 1", "limits", "limits.fun"),
        ("      use: flat", "      use: round", "use: round", "no rule set 'round'"),
        ("source: [A#3]", "source: [B#3]", "[B#3]", "no source 'B#3'"),
        ("- id: cpu\n  kind: cpu", "- id: gpu\n  kind: gpu", "", "end with the cpu"),
    ],
)
def test_a_mistake_names_file_line_and_field(old: str, new: str, at: str, field: str) -> None:
    assert old in GOOD
    text = GOOD.replace(old, new)
    message = parse(text)
    assert message.startswith("target file toy.yaml, line ")
    assert field in message
    if at:
        assert f"line {line_of(text, at)}:" in message


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: &x [1]\nb: *x\n", "line 1: anchors and aliases"),
        ("a: [1, 2\n", "not valid YAML"),
        ("- 1\n", "it must be a mapping"),
        ("", "it must be a mapping"),
        ("name: x\nname: y\n", "line 2: name is given twice"),
        ("a: " + "[" * 60 + "]" * 60, "nested deeper than 40"),
        ("a: !!python/object/apply:os.system [id]\n", "not valid YAML"),
        ("? [a, b]\n: 1\n", "a key must be plain text"),
        ("a: 2001-02-30\n", "can't be read"),
    ],
)
def test_yaml_beyond_plain_data_is_refused(text: str, problem: str) -> None:
    assert problem in parse(text)


def test_a_bomb_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60)]
    assert "anchors" in parse("\n".join(lines))
    assert "nested deeper" in parse("a: " + "[" * 900 + "]" * 900)


def test_a_huge_or_binary_file_is_refused(tmp_path: Path) -> None:
    huge = tmp_path / "huge.yaml"
    huge.write_text("# " + "x" * 2_000_001)
    with pytest.raises(TargetError, match="at most 2000000 are read"):
        load_target(str(huge))
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"name: \xff\xfe")
    with pytest.raises(TargetError, match="not UTF-8"):
        load_target(str(binary))


def test_the_good_file_is_good() -> None:
    assert parse_target(Document("toy.yaml", GOOD)).name == yaml.safe_load(GOOD)["name"]
