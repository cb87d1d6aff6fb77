"""JSON Schemas of the documents that commands print, made from their dataclasses: `make docs` writes them."""

import inspect
import json
import sys
import types
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from dovetail.compiler.granting import WhatIf
from dovetail.plan.schema import SCHEMA_VERSION, Front, Plan
from dovetail.report.check import CheckReport
from dovetail.report.check_formats import CHECK_VERSION
from dovetail.report.codes.pages import CODE_VERSION, CodePage
from dovetail.report.diff import Diff
from dovetail.report.diff_formats import DIFF_VERSION
from dovetail.report.explain_formats import EXPLAIN_VERSION, Explanations
from dovetail.report.pareto import FRONT_VERSION
from dovetail.report.sweep import SWEEP_VERSION, SweepTable
from dovetail.report.whatif import WHAT_IF_VERSION
from dovetail.targets.field_docs import field_docs

Node = dict[str, Any]
"""A JSON Schema object."""

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_VERSION: Final = "schema_version"
_SCALARS: Final = {str: "string", int: "integer", float: "number", bool: "boolean", types.NoneType: "null"}


@dataclass(frozen=True, slots=True)
class Document:
    """A kind of JSON document that a command prints."""

    name: str
    """Its schema is the file `NAME.schema.json`."""
    title: str
    record: type
    """The dataclass whose fields it has."""
    version: int
    answers: tuple[str, ...] = ()
    """Properties of the record that stand in the document too."""


DOCUMENTS: Final = (
    Document("plan", "plan.json, and `dovetail inspect --format json`", Plan, SCHEMA_VERSION),
    Document("front", "`dovetail inspect --pareto --format json`", Front, FRONT_VERSION),
    Document("what-if", "`dovetail inspect --what-if --format json`", WhatIf, WHAT_IF_VERSION),
    Document("explain", "`dovetail explain MODEL NODE --format json`", Explanations, EXPLAIN_VERSION),
    Document("code", "`dovetail explain CODE --format json`", CodePage, CODE_VERSION),
    Document("check", "`dovetail check --format json`", CheckReport, CHECK_VERSION, ("holds",)),
    Document("diff", "`dovetail diff --format json`", Diff, DIFF_VERSION, ("empty",)),
    Document("sweep", "`dovetail sweep --format json`", SweepTable, SWEEP_VERSION),
)


def json_schema(document: Document) -> Node:
    """Return the schema of a document (draft 2020-12). A document has all fields of its version, and no others."""
    definitions: dict[str, Node] = {}
    top = _record(document.record, definitions)
    answers = {name: _answer(document.record, name) for name in document.answers}
    version = {_VERSION: {"const": document.version, "description": "Of this schema."}}
    properties = {**version, **answers, **top["properties"], **version}
    return {
        "$schema": DIALECT,
        "title": f"{document.title}, schema version {document.version}",
        **top,
        "properties": properties,
        "required": list(properties),
        "$defs": dict(sorted(definitions.items())),
    }


def schema_files() -> dict[str, str]:
    """Return file name -> text of every schema that is published."""
    return {f"{each.name}.schema.json": json.dumps(json_schema(each), indent=1) + "\n" for each in DOCUMENTS}


def _record(kind: type, definitions: dict[str, Node]) -> Node:
    """Return the schema of a dataclass; those in its fields go into `definitions`."""
    assert is_dataclass(kind)
    hints, docs = get_type_hints(kind), field_docs(kind)
    properties: dict[str, Node] = {}
    for field in fields(kind):
        described = {"description": docs[field.name]} if field.name in docs else {}
        properties[field.name] = _typed(hints[field.name], definitions) | described
    return {
        "description": _summary(kind),
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _answer(kind: type, name: str) -> Node:
    answer: property = getattr(kind, name)
    assert answer.fget is not None
    return _typed(get_type_hints(answer.fget)["return"], {}) | {"description": _summary(answer.fget)}


def _summary(described: object) -> str:
    return " ".join((inspect.getdoc(described) or "").split())


def _typed(hint: Any, definitions: dict[str, Node]) -> Node:
    """Return the schema of a type hint."""
    if is_dataclass(hint):
        assert isinstance(hint, type)
        if hint.__name__ not in definitions:
            definitions[hint.__name__] = {}  # it may hold itself
            definitions[hint.__name__] = _record(hint, definitions)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return _union([_typed(each, definitions) for each in arguments])
    if origin is dict:
        return {"type": "object", "additionalProperties": _typed(arguments[1], definitions)}
    if origin is tuple:
        return _sequence(arguments, definitions)
    return {"type": _SCALARS[hint]}


def _union(options: list[Node]) -> Node:
    plain = [option["type"] for option in options if option.keys() == {"type"}]
    return {"type": plain} if len(plain) == len(options) else {"anyOf": options}


def _sequence(items: tuple[Any, ...], definitions: dict[str, Node]) -> Node:
    if items[1:] == (Ellipsis,):
        return {"type": "array", "items": _typed(items[0], definitions)}
    each = [_typed(item, definitions) for item in items]
    return {"type": "array", "prefixItems": each, "items": False, "minItems": len(each)}


def data_folder() -> Path:
    """Return the folder of the package that holds the schemas."""
    return Path(__file__).parent / "data"


def write_schemas(*folders: Path) -> None:
    """Write every schema into the folders, and remove those of documents that are no more."""
    made = schema_files()
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob("*.schema.json"):
            if path.name not in made:
                path.unlink()
        for name, text in made.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write_schemas(data_folder(), Path(sys.argv[1]))
