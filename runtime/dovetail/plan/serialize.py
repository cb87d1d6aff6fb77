"""A plan to JSON text and back; the dataclasses of `schema` are the only description of the format."""

import dataclasses
import json
import math
import types
from collections import Counter
from collections.abc import Mapping
from functools import cache
from json.encoder import encode_basestring
from typing import Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

from dovetail.plan.errors import PlanError
from dovetail.plan.files import is_unicode
from dovetail.plan.migrate import migrate
from dovetail.plan.naming import shown
from dovetail.plan.schema import SCHEMA_VERSION, Plan


def plan_to_json(plan: Plan) -> str:
    """The one text of a plan: fields in the order of `schema`, indented by one, a newline at the end.

    Raises:
        PlanError: If a number is not finite or a text is not valid Unicode; neither can stand in JSON.
    """
    try:
        text = _json(plan, "\n")
        text.encode()
    except ValueError as problem:
        raise PlanError(f"plan: can't be written as JSON, {problem}; give finite numbers and valid names") from problem
    return text + "\n"


def _json(value: object, line: str) -> str:
    """What `json.dumps` gives for the data as dicts, `indent=1`, `ensure_ascii=False` and `allow_nan=False`.

    A plan of 100,000 operators is 56 MB of text. The standard library would want it all as dicts first, and leaves its
    C encoder aside where text is indented: four times the time, and half a gigabyte.

    Args:
        value: the data.
        line: a line break with the indentation of `value`.
    """
    if isinstance(value, str):
        return encode_basestring(value)
    if type(value) is int:
        return str(value)
    if value is None:
        return "null"
    if type(value) is float and math.isfinite(value):
        return repr(value)
    inner = line + " "
    if isinstance(value, tuple):
        items = [_json(item, inner) for item in value]
        return f"[{inner}{f',{inner}'.join(items)}{line}]" if items else "[]"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [head + _json(getattr(value, name), inner) for name, head in _heads(type(value))]
        return f"{{{inner}{f',{inner}'.join(fields)}{line}}}"
    if isinstance(value, dict):
        entries = [f"{encode_basestring(key)}: {_json(item, inner)}" for key, item in value.items()]
        return f"{{{inner}{f',{inner}'.join(entries)}{line}}}" if entries else "{}"
    return json.dumps(value, allow_nan=False)


@cache
def _heads(cls: type) -> tuple[tuple[str, str], ...]:
    """The fields of a dataclass, each with how its line begins."""
    return tuple((field.name, f'"{field.name}": ') for field in dataclasses.fields(cls))


def plan_from_json(text: str) -> Plan:
    """Read what `plan_to_json` wrote, now or with an older schema. Strict: every field must be there and of its type.

    Raises:
        PlanError: With the place in the document, for example `partitions[3].file: expected str, got 7`.
    """
    try:
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as problem:
        raise PlanError(f"plan.json: is not valid JSON, {problem}; compile the model again") from problem
    if isinstance(document, dict):
        migrate(document)
    _check_version(document)
    plan = _decode(document, Plan, "")
    assert isinstance(plan, Plan)
    return plan


def _check_version(document: object) -> None:
    if not isinstance(document, dict):
        _refuse("", "expected an object", document)
    version = document.get("schema_version")
    if type(version) is not int or version == SCHEMA_VERSION:
        return
    remedy = "update Dovetail" if version > SCHEMA_VERSION else "compile the model again"
    raise PlanError(f"plan.json: schema_version: expected {SCHEMA_VERSION}, got {version}; {remedy}")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object; the standard decoder would keep the last of two equal keys in silence."""
    found = dict(pairs)
    if len(found) != len(pairs):
        (key, _), *_ = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {shown(key)} stands twice")
    return found


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number of JSON")


def _refuse(where: str, expected: str, got: object) -> NoReturn:
    place = f"{where}: " if where else ""
    raise PlanError(f"plan.json: {place}{expected}, got {_shown_value(got)}; compile the model again")


def _shown_value(got: object) -> str:
    if isinstance(got, dict):
        return "an object"
    if isinstance(got, list):
        return "a list"
    return shown(got) if isinstance(got, str) else json.dumps(got)[:40]


def _decode(value: object, hint: Any, where: str) -> object:
    """Turn a JSON value into what a type hint of `schema` asks for."""
    if dataclasses.is_dataclass(hint):
        return _decode_dataclass(value, hint, where)
    origin = get_origin(hint)
    if origin is Literal:
        return _decode_literal(value, get_args(hint), where)
    if origin in (Union, types.UnionType):
        return _decode_union(value, get_args(hint), where)
    if origin is tuple:
        return _decode_tuple(value, get_args(hint)[0], where)
    if origin is dict:
        return _decode_dict(value, get_args(hint)[1], where)
    return _decode_scalar(value, hint, where)


def _decode_dataclass(value: object, cls: Any, where: str) -> object:
    if not isinstance(value, dict):
        _refuse(where, "expected an object", value)
    hints = _hints(cls)
    prefix = f"{where}." if where else ""
    for key in value.keys() - hints.keys():
        _refuse(f"{prefix}{shown(key)[1:-1]}", "expected no such field", value[key])
    for name in hints:
        if name not in value:
            raise PlanError(f"plan.json: {prefix}{name}: is missing; compile the model again")
    return cls(**{name: _decode(value[name], hint, prefix + name) for name, hint in hints.items()})


@cache
def _hints(cls: type) -> Mapping[str, Any]:
    return get_type_hints(cls)


def _decode_literal(value: object, allowed: tuple[object, ...], where: str) -> object:
    if value not in allowed or type(value) not in {type(choice) for choice in allowed}:
        _refuse(where, f"expected one of {', '.join(map(str, allowed))}", value)
    return value


def _decode_union(value: object, options: tuple[Any, ...], where: str) -> object:
    if value is None and type(None) in options:
        return None
    choices = [option for option in options if option is not type(None)]
    if len(choices) == 1:
        return _decode(value, choices[0], where)
    for choice in choices:
        if type(value) is choice:
            return _decode_scalar(value, choice, where)
    _refuse(where, f"expected {' or '.join(choice.__name__ for choice in choices)}", value)


def _decode_tuple(value: object, item: Any, where: str) -> tuple[object, ...]:
    if not isinstance(value, list):
        _refuse(where, "expected a list", value)
    return tuple(_decode(entry, item, f"{where}[{index}]") for index, entry in enumerate(value))


def _decode_dict(value: object, item: Any, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        _refuse(where, "expected an object", value)
    return {
        str(_decode_scalar(key, str, where)): _decode(entry, item, f"{where}[{shown(key)}]")
        for key, entry in value.items()
    }


def _decode_scalar(value: object, kind: Any, where: str) -> object:
    if kind is float and type(value) is int:
        return _to_float(value, where)
    # `type`, not `isinstance`: a bool is an int for Python, but not for the format
    if type(value) is not kind:
        _refuse(where, f"expected {kind.__name__}", value)
    if isinstance(value, str) and not is_unicode(value):
        _refuse(where, "expected valid Unicode", value)
    if isinstance(value, float) and not math.isfinite(value):
        _refuse(where, "expected a finite number", value)
    return value


def _to_float(value: int, where: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise PlanError(
            f"plan.json: {where}: expected a float, got an integer beyond its range; compile the model again"
        ) from None
