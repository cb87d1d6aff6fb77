"""The target language as JSON Schema, for editors; `make docs` writes it."""

import copy
import json
from collections.abc import Sequence
from functools import cache
from typing import Any, Final, get_args

from pydantic import BaseModel

from dovetail.targets import schema as language
from dovetail.targets.field_docs import field_docs
from dovetail.targets.rules.base import Rule
from dovetail.targets.rules.kinds import AnyRule
from dovetail.targets.schema import Part, TargetPart

Node = dict[str, Any]
"""A JSON Schema object."""

FILE_NAME: Final = "target.schema.json"

_CHANGES: Final = ("DevicePart", "VariantPart", "VariantDevicePart", "FigurePart", "PartitionLimits", "AnyOperatorPart")
"""Parts of which a file that extends another may state some fields alone."""

_PARTS: Final[dict[str, type[BaseModel]]] = {
    name: part for name, part in vars(language).items() if isinstance(part, type) and issubclass(part, Part)
}

_NULL: Final[Node] = {"type": "null"}
_REF: Final = "#/$defs/"


@cache
def part_schema() -> Node:
    """Return the schema of a whole target, as pydantic makes it."""
    return TargetPart.model_json_schema()


def _described() -> Node:
    """Return the schema of a whole target with the docstrings of its fields."""
    schema = copy.deepcopy(part_schema())
    rules: dict[str, type[BaseModel]] = {rule.__name__: rule for rule in rule_kinds().values()}
    for name, part in schema["$defs"].items():
        model = rules.get(name, _PARTS.get(name))
        docs = field_docs(model) if model is not None else {}
        for field, text in docs.items():
            key = (model.model_fields[field].alias if model is not None else None) or field
            part["properties"][key].setdefault("description", text)
    return schema


def rule_kinds() -> dict[str, type[Rule]]:
    """Return kind -> its class, in the order of the language."""
    classes: tuple[type[Rule], ...] = get_args(get_args(AnyRule)[0])
    return {get_args(rule.model_fields["kind"].annotation)[0]: rule for rule in classes}


def json_schema() -> Node:
    """Return the schema of a target file: a whole target, or changes to the one that it `extends`."""
    whole = _described()
    definitions: Node = whole.pop("$defs")
    changes = copy.deepcopy({name: definitions[name] for name in _CHANGES})
    top = _loosened(copy.deepcopy(whole))
    top["properties"]["extends"] = {"type": "string", "title": "A shipped target's name, or a path beside this file"}
    devices = whole["properties"]["devices"]
    by_id = {"type": "object", "additionalProperties": _or_null(devices["items"])}
    top["properties"]["devices"] = {"anyOf": [{**devices, "minItems": 0}, by_id]}
    top["required"] = ["extends", "name"]
    definitions["Target"] = whole
    definitions["Changes"] = _redirected(top)
    definitions |= {f"{name}Changes": _redirected(_loosened(part)) for name, part in changes.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Dovetail target",
        "if": {"required": ["extends"]},
        "then": {"$ref": f"{_REF}Changes"},
        "else": {"$ref": f"{_REF}Target"},
        "$defs": dict(sorted(definitions.items())),
    }


def _loosened(part: Node) -> Node:
    """Return a part of which no field is required, and every field may be null, which removes it."""
    part.pop("required", None)
    part["properties"] = {name: _or_null(_removable(field)) for name, field in part["properties"].items()}
    return part


def _or_null(field: Node) -> Node:
    return {**field, "anyOf": [*field["anyOf"], _NULL]} if "anyOf" in field else {"anyOf": [field, _NULL]}


def _removable(field: Node) -> Node:
    """Return a field whose items, where they have names, may be null."""
    changed = {key: value for key, value in field.items() if key != "minProperties"}
    if isinstance(field.get("additionalProperties"), dict):
        changed["additionalProperties"] = _or_null(field["additionalProperties"])
    return changed


def _redirected(node: Any) -> Any:
    """Return `node` with references to parts replaced by references to changes of them."""
    if isinstance(node, list):
        return [_redirected(item) for item in node]
    if not isinstance(node, dict):
        return node
    redirected = {key: _redirected(value) for key, value in node.items()}
    if str(node.get("$ref", "")).removeprefix(_REF) in _CHANGES:
        redirected["$ref"] += "Changes"
    return redirected


def schema_text() -> str:
    """Return the schema as the file that is published."""
    return json.dumps(json_schema(), indent=1) + "\n"


def fields_at(path: Sequence[int | str]) -> tuple[str, ...]:
    """Return the names of the fields that the part at `path` has; a rule's kind is a step of the path."""
    node: Node = part_schema()
    for step in path:
        node = _step(node, step)
    return tuple(_resolved(node).get("properties", ()))


def _step(node: Node, step: int | str) -> Node:
    node = _resolved(node)
    for option in [node, *(_resolved(each) for each in node.get("anyOf", ()))]:
        mapping = option.get("discriminator", {}).get("mapping", {})
        if step in mapping:
            return {"$ref": mapping[step]}
        if step in option.get("properties", {}):
            found: Node = option["properties"][step]
            return found
        key = "items" if isinstance(step, int) else "additionalProperties"
        if isinstance(option.get(key), dict):
            deeper: Node = option[key]
            return deeper
    return {}


def _resolved(node: Node) -> Node:
    if "$ref" not in node:
        return node
    definition: Node = part_schema()["$defs"][node["$ref"].removeprefix(_REF)]
    return definition
