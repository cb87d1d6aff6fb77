"""`explain`: the page of a code, and operators as JSON."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.cli.calling import dovetail, refusal
from tests.conftest import ROOT

from dovetail.compiler import compile_model
from dovetail.report.json_schema import DOCUMENTS, json_schema

DETECTOR = ROOT / "sample_models" / "ssd_detector.onnx"
HTP = ("-t", "qualcomm-hexagon-htp")


def valid(name: str, *arguments: object) -> Any:
    """What a command prints as JSON, held to its published schema."""
    document = json.loads(dovetail("explain", *arguments, "--format", "json").stdout)
    (described,) = [each for each in DOCUMENTS if each.name == name]
    Draft202012Validator(json_schema(described)).validate(document)
    return document


@pytest.mark.parametrize("name", ["DV104", "dv104", "dtype"])
def test_a_code_or_its_rule_prints_the_page(name: str) -> None:
    result = dovetail("explain", name)

    assert result.exit_code == 0
    assert result.stdout.startswith("DV104 dtype: the element type is not taken\n")
    assert "What to do" in result.stdout
    assert "$ dovetail compile example.onnx -t example.yaml" in result.stdout


def test_a_code_as_json_has_its_page() -> None:
    page = valid("code", "DV114")

    assert list(page) == ["schema_version", "code", "rule", "title", "fix", "page"]
    assert (page["code"], page["rule"]) == ("DV114", "attr_range")
    assert page["page"].startswith("# DV114 attr_range: ")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("DV1044", "code 'DV1044': there is none, and no rule of this name; did you mean 'DV104'?"),
        ("dytpe", "code 'dytpe': there is none, and no rule of this name; did you mean 'dtype'?"),
        ("zzzzz", "give one from DV101 to DV404"),
        ("model.onnx", "'model.onnx': which operator is to be explained? give NODE"),
        (str(DETECTOR), "which operator is to be explained? give NODE"),
    ],
)
def test_what_is_neither_a_code_nor_a_model_with_an_operator_is_refused(name: str, words: str) -> None:
    assert words in refusal("explain", name)


def test_an_operator_as_json_has_verdicts_costs_fallback_and_pins() -> None:
    said = valid("explain", DETECTOR, "decode.exp", *HTP)

    (operator,) = said["operators"]
    assert (operator["name"], operator["device"], operator["fallback"]["code"]) == ("decode.exp", "cpu", "DV301")
    npu, cpu = operator["devices"]
    assert operator["latency_us"] == cpu["figures"]["latency_us"] > 0
    assert npu["figures"]["terms"]
    assert cpu["pinned"] is None
    assert npu["pinned"]["value"] >= said["value"]


def test_a_plans_operators_as_json_have_no_pins(tmp_path: Path) -> None:
    compile_model(DETECTOR, HTP[1]).save(tmp_path / "d.plan")

    said = valid("explain", tmp_path / "d.plan", "*")

    assert len(said["operators"]) > 50
    assert all(device["pinned"] is None for each in said["operators"] for device in each["devices"])


def test_operators_in_bodies_cost_what_their_holder_does() -> None:
    model = ROOT / "sample_models" / "control_flow.onnx"
    said = valid("explain", model, "*", "-t", "mediatek-mdla")

    by_name = {each["name"]: each for each in said["operators"]}
    inner = [each for each in by_name.values() if each["inside"]]
    assert inner
    for each in inner:
        assert each["latency_us"] == by_name[each["inside"]]["latency_us"] > 0
        assert each["name"] in by_name[each["inside"]]["bodies"]
        assert each["fallback"] is None or each["fallback"]["code"] == "DV203"


def test_what_is_said_of_many_operators_is_said_of_each(tmp_path: Path) -> None:
    compile_model(ROOT / "sample_models" / "control_flow.onnx", "mediatek-mdla").save(tmp_path / "c.plan")
    together = valid("explain", tmp_path / "c.plan", "*")["operators"]
    texts = dovetail("explain", tmp_path / "c.plan", "*").stdout

    assert any(each["bodies"] for each in together)
    for each in together[::7] + [one for one in together if one["bodies"]]:
        assert valid("explain", tmp_path / "c.plan", each["name"])["operators"] == [each]
        alone, _ = dovetail("explain", tmp_path / "c.plan", each["name"]).stdout.split("what pins would cost")
        assert alone in texts


def test_the_reason_of_a_placement_has_its_code_and_what_to_do() -> None:
    lines = dovetail("explain", DETECTOR, "decode.exp", *HTP).stdout.splitlines()

    (because,) = [line for line in lines if line.startswith("  because")]
    assert "DV301 cost: costs less here for the whole model" in because
    assert [line.split(maxsplit=1)[1] for line in lines if line.startswith("  fix ")] == [
        "nothing is wrong: on the device it would cost more"
    ]
