"""A plan.json of every older schema, as that Dovetail wrote it, is still read."""

import json
from pathlib import Path

import pytest

from dovetail.plan import SCHEMA_VERSION, batches_of, for_batch, plan_from_json, plan_to_json, validate

FOLDER = Path(__file__).parents[1] / "data/plans"
OLDER = range(1, SCHEMA_VERSION)


def text(version: int) -> str:
    return (FOLDER / f"schema-{version}.json").read_text(encoding="utf-8")


def test_there_is_one_of_every_older_schema() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"schema-{version}.json" for version in OLDER}
    assert [json.loads(text(version))["schema_version"] for version in OLDER] == [*OLDER]


@pytest.mark.parametrize("version", OLDER)
def test_it_is_a_plan_of_today(version: int) -> None:
    read = plan_from_json(text(version))
    validate(read)
    assert read.schema_version == SCHEMA_VERSION
    assert plan_from_json(plan_to_json(read)) == read


@pytest.mark.parametrize("version", OLDER)
def test_nothing_that_it_says_is_lost(version: int) -> None:
    before, after = json.loads(text(version)), json.loads(plan_to_json(plan_from_json(text(version))))
    assert _without(after, before) == before | {"schema_version": SCHEMA_VERSION}


def test_its_batch_sizes_are_there() -> None:
    read = plan_from_json(text(2))
    assert batches_of(read) == (1, 8)
    assert for_batch(read, 8).inputs[0].shape == (8, 1, 8, 8)


def _without(after: object, before: object) -> object:
    """What today's plan says of the fields that the older one has."""
    if isinstance(before, dict):
        assert isinstance(after, dict)
        return {name: _without(after[name], value) for name, value in before.items()}
    if isinstance(before, list):
        assert isinstance(after, list)
        assert len(after) == len(before)
        return [_without(*pair) for pair in zip(after, before, strict=True)]
    return after
