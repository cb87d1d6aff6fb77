"""The report as SARIF: valid, one result for each operator off the first device, and the same from run to run."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

from dovetail.plan import Plan, Reason
from dovetail.plan.codes import CODES
from dovetail.report import render_sarif

SCHEMA = Path(__file__).parents[1] / "data/sarif/sarif-2.1.0-rtm.5.json"
MODEL = Path("models/face.onnx")


@cache
def validator() -> Draft4Validator:
    return Draft4Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def run_of(plan: Plan, path: Path = MODEL) -> dict[str, Any]:
    """The one run of the log, which is valid."""
    log = json.loads(render_sarif(plan, path))
    assert [error.message for error in validator().iter_errors(log)] == []
    run: dict[str, Any]
    (run,) = log["runs"]
    return run


def fingerprints(plan: Plan) -> dict[str, str]:
    return {
        result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"]: result["partialFingerprints"][
            "primaryLocationLineHash"
        ]
        for result in run_of(plan)["results"]
    }


def test_the_schema_refuses_what_is_no_sarif(plan: Plan) -> None:
    log = json.loads(render_sarif(plan, MODEL))

    log["runs"][0]["results"][0]["level"] = "fatal"

    assert not validator().is_valid(log)


def test_a_result_for_each_operator_off_the_first_device(plan: Plan) -> None:
    results = run_of(plan)["results"]

    names = [each["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] for each in results]
    assert names == ["conv_2", "conv_3", "relu_3", "loop"]
    first = results[0]
    assert (first["ruleId"], first["level"]) == ("DV114", "warning")
    assert first["message"]["text"] == ("'conv_2' (Conv): strides must be in [1, 3], got (4, 4); use two convolutions")
    assert first["properties"] | {"confidence": "low"} == {
        "op_type": "Conv",
        "device": "cpu",
        "partition": "001-cpu",
        "rule": "attr_range",
        "got": "(4, 4)",
        "allowed": "[1, 3]",
        "fix": "use two convolutions",
        "confidence": "low",
        "latency_us": None,
        "energy_uj": None,
        "share_of_time": None,
    }


def test_it_is_found_in_the_file_that_was_given(plan: Plan) -> None:
    for path, uri in (
        (MODEL, "models/face.onnx"),
        (Path("my models/50%.onnx"), "my%20models/50%25.onnx"),
        (Path("/tmp/face.onnx"), "file:///tmp/face.onnx"),
    ):
        run = run_of(plan, path)
        places = [each["locations"][0]["physicalLocation"] for each in run["results"]]
        assert {place["artifactLocation"]["uri"] for place in places} == {uri}
        assert run["artifacts"][places[0]["artifactLocation"]["index"]]["location"]["uri"] == uri


def test_every_rule_that_is_used_is_described(plan: Plan) -> None:
    (loop,) = (each for each in plan.operators if each.name == "loop")
    reasons = [Reason(code.rule, f"{code.rule} is broken", "this", "that") for code in CODES]
    operators = tuple(replace(loop, name=reason.rule, fallback=reason) for reason in reasons)

    run = run_of(replace(plan, operators=operators))

    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [code.code for code in CODES]
    assert [rule["shortDescription"]["text"] for rule in rules] == [code.title for code in CODES]
    for result, code in zip(run["results"], CODES, strict=True):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == code.code
        assert result["level"] == ("note" if code.code.startswith("DV3") else "warning")
        assert code.fix in result["message"]["text"]


def test_a_plan_without_codes_has_rules_all_the_same(plan: Plan) -> None:
    pinned = replace(plan.operators[0], device="cpu", reason="pinned by hand")

    run = run_of(replace(plan, operators=(pinned,)))

    (result,) = run["results"]
    assert (result["ruleId"], result["level"]) == ("placement", "note")
    assert run["tool"]["driver"]["rules"][0]["id"] == "placement"


def test_costs_stand_beside_their_share_of_the_time(plan: Plan) -> None:
    (conv,) = (each for each in plan.operators if each.name == "conv_2")
    costed = replace(conv, cost={"latency_us": 250.0, "energy_uj": 9.0})
    timed = tuple(replace(each, predicted={"latency_ms": 0.5}) for each in plan.partitions)
    predicted = replace(plan.predicted, latency_ms=1.0, energy_mj=1.0, source="measured")
    run = run_of(replace(plan, operators=(costed,), partitions=timed, predicted=predicted))

    (result,) = run["results"]

    found = {name: result["properties"][name] for name in ("latency_us", "energy_uj", "share_of_time")}
    assert found == {"latency_us": 250.0, "energy_uj": 9.0, "share_of_time": 0.25}
    assert run["properties"]["figures"] == "measured"


def test_nothing_off_the_device_is_no_result(plan: Plan) -> None:
    home = tuple(replace(each, device="npu", reason="", verdicts=()) for each in plan.operators)

    run = run_of(replace(plan, operators=home))

    assert (run["results"], run["tool"]["driver"]["rules"]) == ([], [])


def test_fingerprints_tell_results_apart_and_outlive_figures_and_order(plan: Plan) -> None:
    before = fingerprints(plan)
    later = tuple(
        replace(each, partition="001-cpu", unit=each.unit + 1, cost={"latency_us": 1.0, "energy_uj": 1.0})
        for each in reversed(plan.operators)
    )

    assert len(set(before.values())) == len(before) == 4
    assert fingerprints(replace(plan, operators=later, predicted=replace(plan.predicted, latency_ms=9.0))) == before
    assert not set(fingerprints(replace(plan, target="other-npu")).values()) & set(before.values())


def test_name_can_not_be_a_placeholder_or_a_link(hostile: tuple[Plan, str]) -> None:
    changed, name = hostile

    result = run_of(changed)["results"][0]

    assert [each["fullyQualifiedName"] for each in result["locations"][0]["logicalLocations"]] == [name, "conv_2"]
    text = result["message"]["text"]
    assert "](" not in text
    assert "{" not in text.replace("{{", "")


@pytest.mark.parametrize("code", ["DV104", "DV301"])
def test_the_help_says_what_to_do_and_where_more_stands(plan: Plan, code: str) -> None:
    (known,) = (each for each in CODES if each.code == code)
    reason = Reason(known.rule, "message", "got", "allowed")
    off = replace(plan.operators[0], device="cpu", fallback=reason)

    (rule,) = run_of(replace(plan, operators=(off,)))["tool"]["driver"]["rules"]

    assert rule["help"]["markdown"] == f"What to do as a rule: {known.fix}. `dovetail explain {code}` tells more."
