"""Text and back; every damage is one line with the place in the document."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.plan import Certificate, ModelInfo, Plan, PlanError, Predicted, TensorSpec, plan_from_json, plan_to_json


def test_round_trip(plan: Plan) -> None:
    text = plan_to_json(plan)
    assert plan_from_json(text) == plan
    assert plan_to_json(plan_from_json(text)) == text
    assert text.endswith("}\n")
    assert '"ä"' in text


def test_text_is_that_of_the_standard_library(plan: Plan) -> None:
    for each in (plan, EMPTY, dataclasses.replace(EMPTY, notes=('\u2028 "\\ \x00',), predicted=Predicted(0.1, 1e300))):
        expected = json.dumps(dataclasses.asdict(each), indent=1, ensure_ascii=False, allow_nan=False)
        assert plan_to_json(each) == expected + "\n"


EMPTY = Plan(
    dovetail_version="0",
    model=ModelInfo("m", ""),
    target="t",
    objective="latency",
    predicted=Predicted(),
    devices=(),
    inputs=(),
    outputs=(),
    slots=(),
    partitions=(),
    steps=(),
    operators=(),
    transfers=(),
)

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
specs = st.builds(
    TensorSpec,
    names,
    names,
    st.none() | st.lists(st.integers() | names | st.none(), max_size=3).map(tuple),
)


@given(
    st.lists(specs).map(tuple), st.lists(names).map(tuple), st.dictionaries(names, names), st.floats(allow_nan=False)
)
def test_any_content_comes_back(
    slots: tuple[TensorSpec, ...], notes: tuple[str, ...], versions: dict[str, str], figure: float
) -> None:
    certificate = Certificate(True, (), versions, 1, "", 0, ())
    plan = dataclasses.replace(
        EMPTY, slots=slots, notes=notes, certificate=certificate, predicted=Predicted(latency_ms=figure)
    )
    if abs(figure) == float("inf"):
        with pytest.raises(PlanError, match="can't be written as JSON"):
            plan_to_json(plan)
    else:
        assert plan_from_json(plan_to_json(plan)) == plan


def _set(*path: str | int) -> Any:
    """A change of one place in the document."""

    def change(document: Any, value: object) -> None:
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "value", "message"),
    [
        (_set("partitions", 1, "file"), 7, "partitions[1].file: expected str, got 7"),
        (_set("slots", 0, "shape", 0), 1.5, "slots[0].shape[0]: expected int or str, got 1.5"),
        (_set("slots", 0, "shape", 0), True, "slots[0].shape[0]: expected int or str, got true"),
        (_set("slots", 0, "shape"), 3, "slots[0].shape: expected a list, got 3"),
        (_set("operators", 0, "unit"), True, "operators[0].unit: expected int, got true"),
        (_set("devices", 0, "kind"), "tpu", "devices[0].kind: expected one of npu, gpu, cpu, got 'tpu'"),
        (_set("devices", 0, "kind"), ["npu"], "devices[0].kind: expected one of npu, gpu, cpu, got a list"),
        (_set("devices", 0, "backend"), "QNN", "devices[0].backend: expected an object, got 'QNN'"),
        (_set("devices", 0, "backend", "options"), [], "devices[0].backend.options: expected an object, got a list"),
        (
            _set("devices", 0, "backend", "options", "soc_model"),
            57,
            "devices[0].backend.options['soc_model']: expected str, got 57",
        ),
        (_set("predicted", "gap"), "small", "predicted.gap: expected float, got 'small'"),
        (_set("predicted", "gap"), 10**400, "predicted.gap: expected a float, got an integer beyond its range"),
        (_set("model", "name"), None, "model.name: expected str, got null"),
        (_set("model", "name"), "\ud800", "model.name: expected valid Unicode"),
        (_set("surprise"), 1, "surprise: expected no such field, got 1"),
        (_set("steps", 0, "surprise"), 1, "steps[0].surprise: expected no such field, got 1"),
        (_set("schema_version"), "1", "schema_version: expected int, got '1'"),
        (_set("schema_version"), 4, "schema_version: expected 3, got 4; update Dovetail"),
        (_set("schema_version"), 0, "schema_version: expected 3, got 0; compile the model again"),
    ],
)
def test_a_wrong_value_is_named_by_its_place(plan: Plan, change: Any, value: object, message: str) -> None:
    document = json.loads(plan_to_json(plan))
    change(document, value)
    with pytest.raises(PlanError) as caught:
        plan_from_json(json.dumps(document))
    assert str(caught.value).startswith(f"plan.json: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Plan)])
def test_every_field_is_required(plan: Plan, field: str) -> None:
    document = json.loads(plan_to_json(plan))
    del document[field]
    with pytest.raises(PlanError, match=rf"^plan\.json: {field}: is missing"):
        plan_from_json(json.dumps(document))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not valid JSON"),
        ("[1", "is not valid JSON"),
        ("[]", "expected an object, got a list"),
        ("[" * 100_000, "is not valid JSON"),
        ('{"a": 1, "a": 2}', "the key 'a' stands twice"),
        ('{"a": NaN}', "NaN is not a number of JSON"),
        ('{"a": ' + "9" * 10_000 + "}", "is not valid JSON"),
    ],
    ids=["empty", "cut", "list", "deep", "twice", "nan", "long number"],
)
def test_what_is_not_a_plan(text: str, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        plan_from_json(text)


def test_a_whole_number_is_a_float_too(plan: Plan) -> None:
    text = plan_to_json(plan).replace('"lower_bound": 1.0', '"lower_bound": 1')
    assert plan_from_json(text) == plan


def test_infinity_by_overflow_is_refused(plan: Plan) -> None:
    text = plan_to_json(plan).replace('"gap": 0.25', '"gap": 1e999')
    with pytest.raises(PlanError, match=r"predicted\.gap: expected a finite number"):
        plan_from_json(text)


@given(st.data())
def test_no_damaged_text_escapes(data: st.DataObject) -> None:
    text = plan_to_json(EMPTY)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 8)))
    damaged = text[:start] + data.draw(st.text(max_size=4)) + text[end:]
    message = ""
    try:
        plan_from_json(damaged)
    except PlanError as error:
        message = str(error)
    assert "\n" not in message
