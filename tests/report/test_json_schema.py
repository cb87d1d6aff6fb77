"""The published JSON Schemas: current, shipped, and they take what the commands print and nothing else."""

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator

from dovetail.compiler import SweepRecord
from dovetail.compiler.granting import what_if
from dovetail.compiler.options import CompileOptions
from dovetail.plan import (
    Alternative,
    Certificate,
    CostTerm,
    Front,
    FrontPoint,
    Plan,
    PlanError,
    Predicted,
    Quantization,
    TensorCheck,
    UnitFigures,
    as_variant,
    plan_from_json,
    plan_to_json,
)
from dovetail.report import render_front_json
from dovetail.report.check import check_plan
from dovetail.report.check_formats import render_check_json
from dovetail.report.diff import diff_plans
from dovetail.report.diff_formats import render_diff_json
from dovetail.report.json_schema import DOCUMENTS, data_folder, json_schema, schema_files, write_schemas
from dovetail.report.sweep import SweepTable, render_sweep_json
from dovetail.report.whatif import render_what_if_json

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs/schemas"
MADE: Final = schema_files()
OTHER_VALUES: Final[tuple[Any, ...]] = (None, True, 7.5, "other", [], [None], {}, {"x": None})
"""Put in the place of what a plan holds. No 1.0: for JSON Schema it is an integer, for the plan it is not."""


@cache
def validator(name: str) -> Draft202012Validator:
    (document,) = (each for each in DOCUMENTS if each.name == name)
    return Draft202012Validator(json_schema(document))


def complaints(name: str, text: str) -> list[str]:
    return [error.message for error in validator(name).iter_errors(json.loads(text))]


@pytest.fixture
def full(plan: Plan) -> Plan:
    """The plan with everything that a plan may have."""
    check = TensorCheck("", "boxes", 0.1, 40.0, 1.0, 30.0, True)
    figures = UnitFigures(1.0, 2.0, False, "modelled", (CostTerm("compute", 1.0, "us", "manual"),))
    integers = Quantization(
        precision="int8",
        scheme="uint8 activations",
        taken=True,
        reason="it pays",
        samples=3,
        held_out=1,
        min_snr_db=20.0,
        snr_db={"boxes": 30.0},
        operators_db={"conv_1": 31.0},
        kept_float=("conv_3",),
        float_value=2.0,
        quantized_value=1.0,
        ranges={"image": (-1.0, 1.0)},
    )
    made = replace(
        plan,
        predicted=Predicted(1.0, 1.0, 2.0, alternatives=(Alternative("greedy", 3.0, 4.0),), source="modelled"),
        costs=(figures,),
        certificate=Certificate(True, ("vela",), {"onnxruntime": "1"}, 2, "0" * 64, 1, (check,)),
        quantization=integers,
        batch=1,
    )
    return replace(made, variants=(as_variant(made, 2, 1),))


@pytest.mark.parametrize("name", sorted(MADE))
def test_schema_is_current(name: str) -> None:
    for folder in (DOCS, data_folder()):
        path = folder / name
        current = path.is_file() and path.read_text(encoding="utf-8") == MADE[name]
        assert current, f"{folder.name}/{name} is not what the dataclasses say: run `make docs`"


def test_there_are_no_schemas_of_documents_that_are_gone(tmp_path: Path) -> None:
    assert {path.name for path in DOCS.iterdir()} == {path.name for path in data_folder().iterdir()} == set(MADE)
    (tmp_path / "old.schema.json").write_text("{}")
    (tmp_path / "own.json").write_text("{}")
    write_schemas(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*MADE, "own.json"}


def test_the_page_of_formats_leads_to_every_schema() -> None:
    page = (ROOT / "docs/formats.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(schemas/([\w.-]+)\)", page)) == set(MADE)


@pytest.mark.parametrize("name", sorted(MADE))
def test_schema_is_one_and_describes_every_record(name: str) -> None:
    schema = json.loads(MADE[name])
    Draft202012Validator.check_schema(schema)
    for record in (schema, *schema["$defs"].values()):
        assert record["description"]
        assert record["additionalProperties"] is False
        assert set(record["required"]) == set(record["properties"])
    assert schema["properties"]["schema_version"]["const"] >= 1


def test_docstrings_of_fields_are_in_it() -> None:
    (transfer,) = (
        record for name, record in json.loads(MADE["plan.schema.json"])["$defs"].items() if name == "Transfer"
    )
    assert transfer["properties"]["bytes"] == {
        "type": ["integer", "null"],
        "description": "None where a dimension is symbolic.",
    }


def test_plan_with_everything_is_taken(full: Plan) -> None:
    assert complaints("plan", plan_to_json(full)) == []


def test_plan_schema_takes_what_the_reader_takes(full: Plan) -> None:
    whole = _shortened(json.loads(plan_to_json(full)))
    agreed = {True: 0, False: 0}
    for changed in _changes(whole):
        taken = validator("plan").is_valid(changed)
        assert taken == _is_read(changed), changed
        agreed[taken] += 1
    assert min(agreed.values()) > 20, "changes that are refused, and changes that are none"


def test_other_documents_are_taken(plan: Plan, full: Plan) -> None:
    front = Front("m", "some-npu", ("npu", "cpu"), "modelled", (FrontPoint(1.0, 2.0, 1, {"conv_1": "npu"}),))
    found = what_if(
        ROOT / "sample_models/transformer.onnx", "qualcomm-hexagon-htp", CompileOptions(), [("op:Softmax", "cpu")]
    )
    moved = replace(plan, operators=tuple(replace(each, device="cpu", reason="pinned") for each in plan.operators))
    for name, text in (
        ("front", render_front_json(front)),
        ("what-if", render_what_if_json(found)),
        ("check", render_check_json(check_plan(full, {"max-partitions": 1, "max-latency-ms": 1}, full))),
        ("check", render_check_json(check_plan(moved, {"max-boundary-bytes": 1}, plan))),
        ("diff", render_diff_json(diff_plans(full, full))),
        ("diff", render_diff_json(diff_plans(plan, moved))),
        ("sweep", render_sweep_json(SweepTable("edp", (SweepRecord("m", 8, "some-npu", "its reason"),)))),
    ):
        assert complaints(name, text) == []
        assert complaints(name, json.dumps(json.loads(text) | {"schema_version": 99})) == ["1 was expected"]


def _is_read(document: Any) -> bool:
    try:
        plan_from_json(json.dumps(document))
    except PlanError:
        return False
    return True


def _changes(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the document with each of its values replaced, taken away, or given a companion."""
    for path in _paths(document):
        for value in OTHER_VALUES:
            changed = copy.deepcopy(document)
            _at(changed, path[:-1])[path[-1]] = value
            yield changed
        less = copy.deepcopy(document)
        del _at(less, path[:-1])[path[-1]]
        yield less
        more = copy.deepcopy(document)
        if isinstance(found := _at(more, path), dict):
            found["surprise"] = None
            yield more


def _shortened(value: Any) -> Any:
    """The document with one entry of each list."""
    if isinstance(value, dict):
        return {key: _shortened(child) for key, child in value.items()}
    return [_shortened(child) for child in value[:1]] if isinstance(value, list) else value


def _paths(value: Any, *start: int | str) -> Iterator[tuple[int | str, ...]]:
    """Yield the way to every value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*start, key)
        yield from _paths(child, *start, key)


def _at(value: Any, path: tuple[int | str, ...]) -> Any:
    for step in path:
        value = value[step]
    return value
