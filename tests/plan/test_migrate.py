"""Plans of schema 1, as they were written then."""

import json
from dataclasses import asdict
from typing import Any

import pytest

from dovetail.plan import Plan, PlanError, Predicted, plan_from_json, plan_to_json, validate
from dovetail.plan.migrate import migrate

NEW_PREDICTED = ("serial_latency_ms", "period_ms", "value", "solver", "timed_out", "concurrent", "alternatives")


@pytest.fixture
def old(plan: Plan) -> dict[str, Any]:
    """The plan without all that schema 2 has brought."""
    document: dict[str, Any] = json.loads(plan_to_json(plan))
    document["schema_version"] = 1
    for name in ("costs", "batch", "variants"):
        del document[name]
    for name in NEW_PREDICTED:
        del document["predicted"][name]
    document["certificate"] = None
    for partition in document["partitions"]:
        del partition["after"], partition["concurrent"], partition["compiled_file"]
    for transfer in document["transfers"]:
        del transfer["cost"]
    for operator in document["operators"]:
        del operator["fallback"]
        for verdict in operator["verdicts"]:
            del verdict["cost"]
            for reason in verdict["reasons"]:
                del reason["code"]
    return document


def test_an_older_plan_is_read(plan: Plan, old: dict[str, Any]) -> None:
    read = plan_from_json(json.dumps(old))
    validate(read)
    assert read.schema_version == 3
    assert (read.steps, read.slots, read.devices, read.transfers) == (
        plan.steps,
        plan.slots,
        plan.devices,
        plan.transfers,
    )
    assert read.predicted == Predicted(
        latency_ms=plan.predicted.latency_ms,
        energy_mj=plan.predicted.energy_mj,
        lower_bound=plan.predicted.lower_bound,
        gap=plan.predicted.gap,
        source=plan.predicted.source,
    )
    assert plan_from_json(plan_to_json(read)) == read


def test_its_partitions_keep_their_order(old: dict[str, Any]) -> None:
    first, second = plan_from_json(json.dumps(old)).partitions
    assert (first.after, second.after) == ((), (first.id,))
    assert (first.concurrent, second.concurrent) == ((), ())


def test_a_plan_of_today_is_left_alone(plan: Plan) -> None:
    document = json.loads(json.dumps(asdict(plan)))
    assert migrate(json.loads(json.dumps(document))) == document


@pytest.mark.parametrize("version", [0, -1, 4, 99, True, "1", None])
def test_only_known_versions_are_migrated(plan: Plan, version: object) -> None:
    document = json.loads(plan_to_json(plan)) | {"schema_version": version}
    assert migrate(dict(document)) == document
    with pytest.raises(PlanError, match="schema_version: expected"):
        plan_from_json(json.dumps(document))


def test_a_plan_of_a_newer_schema_is_refused_by_name(plan: Plan) -> None:
    newer = json.dumps(json.loads(plan_to_json(plan)) | {"schema_version": 4, "surprise": 1})
    with pytest.raises(PlanError, match=r"plan\.json: schema_version: expected 3, got 4; update Dovetail"):
        plan_from_json(newer)


@pytest.mark.parametrize(
    ("name", "damage"),
    [("partitions", 7), ("partitions", [7]), ("operators", {"a": 1}), ("predicted", []), ("steps", [None])],
)
def test_a_damaged_older_plan_is_an_error_with_its_place(old: dict[str, Any], name: str, damage: object) -> None:
    with pytest.raises(PlanError, match=rf"plan\.json: {name}"):
        plan_from_json(json.dumps(old | {name: damage}))


def test_a_missing_field_of_the_old_schema_is_named(old: dict[str, Any]) -> None:
    del old["partitions"][0]["file"]
    with pytest.raises(PlanError, match=r"partitions\[0\]\.file: is missing"):
        plan_from_json(json.dumps(old))


def test_order_is_kept_for_any_order_of_partitions(old: dict[str, Any]) -> None:
    old["partitions"].reverse()
    read = plan_from_json(json.dumps(old))
    assert {each.id: each.after for each in read.partitions} == {"000-npu": (), "001-cpu": ("000-npu",)}
