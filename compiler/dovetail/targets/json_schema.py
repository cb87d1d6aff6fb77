"""The target language as JSON Schema, for editors; `make docs` writes it."""

import copy
import json
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from dovetail.targets.schema import TargetPart

Node = dict[str, Any]
"""A JSON Schema object."""

FILE_NAME: Final = "target.schema.json"

_CHANGES: Final = ("DevicePart", "VariantPart", "VariantDevicePart", "FigurePart", "PartitionLimits", "AnyOperatorPart")
"""Parts of which a file that extends another may state some fields alone."""

_REF: Final = "#/$defs/"


@cache
def part_schema() -> Node:
    """Return the schema of a whole target, as pydantic makes it."""
    return TargetPart.model_json_schema()


def json_schema() -> Node:
    """Return the schema of a target file: a whole target, or changes to the one that it `extends`."""
    whole = copy.deepcopy(part_schema())
    definitions: Node = whole.pop("$defs")
    changes = copy.deepcopy({name: definitions[name] for name in _CHANGES})
    top = _loosened(copy.deepcopy(whole))
    top["properties"]["extends"] = {"type": "string", "title": "A shipped target's name, or a path beside this file"}
    devices = top["properties"]["devices"]
    by_id = {"type": "object", "additionalProperties": {"anyOf": [devices["items"], {"type": "null"}]}}
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
    part["properties"] = {
        name: {"anyOf": [field, {"type": "null"}]}
        if "$ref" in field or "anyOf" not in field
        else {**field, "anyOf": [*field["anyOf"], {"type": "null"}]}
        for name, field in part["properties"].items()
    }
    return part


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
