"""The generated pages and the JSON Schema are current, and the schema takes what the language takes."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from dovetail.targets import load_target, target_names
from dovetail.targets.json_schema import FILE_NAME, json_schema, rule_kinds
from dovetail.targets.pages import COMMAND, pages, write_pages
from dovetail.targets.shipped import data_folder, shipped_file

FOLDER: Final = Path(__file__).parents[2] / "docs/targets"
MADE: Final = pages()
SCHEMA: Final = json_schema()

TYPES: Final[dict[str, type | tuple[type, ...]]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}
WORDS: Final = {"title", "description", "default", "$schema", "$defs", "discriminator"}
"""Keywords that refuse nothing."""


@pytest.mark.parametrize("name", sorted(MADE))
def test_page_is_current(name: str) -> None:
    path = FOLDER / name
    current = path.is_file() and path.read_text(encoding="utf-8") == MADE[name]
    assert current, f"docs/targets/{name} is not what the target files say: run `{COMMAND}`"


def test_there_are_no_pages_of_targets_that_are_gone() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(MADE)


def test_the_schema_ships_with_the_target_files() -> None:
    assert (data_folder() / FILE_NAME).read_text(encoding="utf-8") == MADE[FILE_NAME]


def test_writing_pages_removes_those_of_old_targets_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dovetail.targets.pages.data_folder", lambda: tmp_path / "data")
    (tmp_path / "data").mkdir()
    (tmp_path / "old.md").write_text(MADE["cpu-only.md"])
    (tmp_path / "own.md").write_text("# by hand\n")
    write_pages(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*MADE, "own.md", "data"}
    assert (tmp_path / "data" / FILE_NAME).read_text() == (tmp_path / FILE_NAME).read_text() == MADE[FILE_NAME]


@pytest.mark.parametrize("name", target_names())
def test_a_page_has_every_operator_figure_and_source(name: str) -> None:
    page, target = MADE[f"{name}.md"], load_target(name)
    plain = page.replace("\\*", "*").replace("&lt;", "<").replace("\\|", "|")
    for device in target.describe().devices:
        assert f"\n## {device.id}: {device.name}\n" in plain
        for form in device.operators:
            assert re.search(rf"[*, ]{re.escape(form.op_type)}[*,]", page)
            assert not form.supported or all(f"- {sentence}\n" in plain for sentence in form.sentences)
        assert all(f"| {figure} |" in page for figure in device.figures)
    assert all(f"- **{key}**: {citation}\n" in plain for key, citation in target.sources.items())
    assert all(f"| {variant} |" in page for variant in target.variants)


def test_the_language_page_has_every_rule() -> None:
    for kind, rule in rule_kinds().items():
        assert f"\n### {kind}\n" in MADE["language.md"]
        assert all(
            f"- `{field.alias or name}`" in MADE["language.md"]
            for name, field in rule.model_fields.items()
            if name != "kind"
        )


@pytest.mark.parametrize("name", target_names())
def test_the_schema_takes_the_shipped_files(name: str) -> None:
    assert faults(yaml.safe_load(shipped_file(name).read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("name: x\nextends: cpu-only\n", ""),
        ("name: x\nextends: cpu-only\ndevices: {cpu: {name: mine, figures: {power_w: {value: 5}}}, gpu: null}\n", ""),
        ("name: x\nextends: a.yaml\ndevices: [{id: npu, ops: {Relu: null, Abs: {}, Conv: [{rules: []}]}}]\n", ""),
        ("name: x\nextends: cpu-only\nlimits: {max_partitions: {npu: 3}}\nsources: {A: null}\n", ""),
        ("extends: cpu-only\n", "name"),
        ("name: x\nextends: [a]\n", "extends"),
        ("name: x\nextends: cpu-only\nvendr: x\n", "vendr"),
        ("name: x\nextends: cpu-only\ndevices: [{id: npu, ops: {Relu: {rules: [{kind: ranks}]}}}]\n", "devices"),
        ("schema: 1\nname: x\nvendor: x\n", "devices"),
        ("schema: 1\nname: x\nvendor: x\ndevices: []\n", "devices"),
        ("schema: 2\nname: x\nvendor: x\ndevices: [{id: cpu, kind: cpu, name: x, data_quality: low}]\n", "schema"),
    ],
)
def test_the_schema_refuses_what_the_language_refuses(text: str, fault: str) -> None:
    found = faults(yaml.safe_load(text))
    assert bool(found) == bool(fault), found
    assert fault in " ".join(found)


def test_the_published_schema_is_json() -> None:
    assert json.loads(MADE[FILE_NAME]) == SCHEMA


def faults(data: object) -> list[str]:
    return validate(data, SCHEMA, "")


def validate(data: Any, node: dict[str, Any], at: str) -> list[str]:
    """Everything that JSON Schema says against `data`, for the keywords that our schema uses; others are a fault."""
    found: list[str] = []
    for word, value in node.items():
        found += check(word, value, data, node, at)
    return found


def check(word: str, value: Any, data: Any, node: dict[str, Any], at: str) -> list[str]:
    if word in WORDS or word in ("then", "else"):
        return []
    if word == "$ref":
        return validate(data, SCHEMA["$defs"][value.removeprefix("#/$defs/")], at)
    if word == "type":
        fits = isinstance(data, TYPES[value]) and not (isinstance(data, bool) and value in ("integer", "number"))
        return [] if fits else [f"{at}: no {value}"]
    if word in ("const", "enum"):
        return [] if data in ([value] if word == "const" else value) else [f"{at}: {data!r} is not {value}"]
    if word in ("anyOf", "oneOf"):
        count = sum(not validate(data, option, at) for option in value)
        return [] if count == 1 or (count and word == "anyOf") else [f"{at}: {count} of {len(value)} options fit"]
    if word == "if":
        return validate(data, node["else" if validate(data, value, at) else "then"], at)
    return check_parts(word, value, data, node, at)


def check_parts(word: str, value: Any, data: Any, node: dict[str, Any], at: str) -> list[str]:
    if word in ("properties", "required", "additionalProperties", "minProperties"):
        return check_object(word, value, data, node, at) if isinstance(data, dict) else []
    if word in ("items", "prefixItems", "minItems", "maxItems"):
        return check_array(word, value, data, at) if isinstance(data, list) else []
    if word in ("minLength", "pattern"):
        fits = not isinstance(data, str) or (len(data) >= value if word == "minLength" else re.search(value, data))
        return [] if fits else [f"{at}: {word} {value}"]
    assert word == "exclusiveMinimum", f"the schema uses {word}, which this test does not know"
    return [] if not isinstance(data, int | float) or data > value else [f"{at}: not above {value}"]


def check_object(word: str, value: Any, data: dict[str, Any], node: dict[str, Any], at: str) -> list[str]:
    if word == "minProperties":
        return [] if len(data) >= value else [f"{at}: {word} {value}"]
    if word == "required":
        return [f"{at}: {name} is missing" for name in value if name not in data]
    if word == "properties":
        return [fault for name, part in value.items() if name in data for fault in validate(data[name], part, name)]
    others = {name: part for name, part in data.items() if name not in node.get("properties", {})}
    if value is False:
        return [f"{at}: there is no {name}" for name in others]
    return [fault for name, part in others.items() if value is not True for fault in validate(part, value, name)]


def check_array(word: str, value: Any, data: list[Any], at: str) -> list[str]:
    if word == "items":
        return [fault for item in data for fault in validate(item, value, at)]
    if word == "prefixItems":
        return [fault for item, part in zip(data, value, strict=False) for fault in validate(item, part, at)]
    return [] if (len(data) >= value if word == "minItems" else len(data) <= value) else [f"{at}: {word} {value}"]
