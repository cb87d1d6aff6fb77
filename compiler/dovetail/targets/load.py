"""From a reference (`name`, `name:variant`, a path to a file) to a Target."""

import difflib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from pathlib import Path

from pydantic import ValidationError

from dovetail.plan.errors import TargetError
from dovetail.plan.schema import BackendSpec
from dovetail.targets.document import Document, read_document
from dovetail.targets.facts import Context
from dovetail.targets.figure import Figure, Link
from dovetail.targets.rulebook import RuleBook
from dovetail.targets.schema import (
    BackendPart,
    DevicePart,
    FigurePart,
    TargetPart,
    VariantDevicePart,
    VariantPart,
)
from dovetail.targets.target import Device, Target
from dovetail.targets.view import Scalar

_SUFFIXES = (".yaml", ".yml")


def target_names() -> tuple[str, ...]:
    """Return the names of the shipped targets, sorted. No file is read."""
    names = (entry.name for entry in _data().iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def load_target(ref: str) -> Target:
    """Load a target by `name`, `name:variant`, or the path of a YAML file, `:variant` after it allowed.

    Raises:
        TargetError: there is no such target or variant, or the file can't be used; the text names what there is,
            or the file, line and field.
    """
    name, _, variant = ref.rpartition(":")
    if not name or "/" in variant or "\\" in variant or variant.endswith(_SUFFIXES):
        name, variant = ref, ""
    return _build(_part(name), variant)


def _part(name: str) -> TargetPart:
    if name.endswith(_SUFFIXES) or "/" in name or "\\" in name:
        return parse_target(read_document(Path(name)))
    if name not in target_names():
        raise TargetError(f"unknown target {name!r}: {_choices(name, target_names())}")
    return _shipped(name)


@cache
def _shipped(name: str) -> TargetPart:
    return parse_target(read_document(_data() / f"{name}.yaml"))


def _data() -> Path:
    return Path(str(resources.files("dovetail.targets"))) / "data"


def _choices(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}known: {', '.join(known)}"


def parse_target(document: Document) -> TargetPart:
    """Check a document against the schema.

    Raises:
        TargetError: the text names file, line and field of the first mistake and how many more there are.
    """
    try:
        part = TargetPart.model_validate(document.data)
    except ValidationError as error:
        raise TargetError(_first_mistake(document, error)) from error
    _check_references(document, part)
    return part


def _first_mistake(document: Document, error: ValidationError) -> str:
    mistakes = error.errors(include_url=False, include_context=False, include_input=False)
    first = min(mistakes, key=lambda mistake: document.line(mistake["loc"]))
    field = ".".join(str(step) for step in document.known_path(first["loc"])) or "the file"
    problem = first["msg"].removeprefix("Value error, ").replace("\n", " ")
    more = f" ({len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
    return f"target file {document.name}, line {document.line(first['loc'])}: {field}: {problem}{more}"


def _check_references(document: Document, part: TargetPart) -> None:
    """Check that rule sets and sources that are named exist."""
    for number, device in enumerate(part.devices):
        for key, forms in device.ops.items():
            for form in forms:
                path = ("devices", number, "ops", key)
                if unknown := [name for name in form.use if name not in part.rule_sets]:
                    raise _unknown_reference(document, path, "rule set", unknown[0], part.rule_sets)
                keys = [*form.source, *(key for rule in form.rules for key in rule.source)]
                if missing := [key for key in keys if key.partition("#")[0] not in part.sources]:
                    raise _unknown_reference(document, path, "source", missing[0], part.sources)


def _unknown_reference(
    document: Document, path: tuple[int | str, ...], what: str, name: str, known: Iterable[str]
) -> TargetError:
    field = ".".join(map(str, path))
    listed = ", ".join(known) or "none"
    return TargetError(
        f"target file {document.name}, line {document.line(path)}: {field}: no {what} {name!r}; there are {listed}"
    )


def _build(part: TargetPart, variant: str) -> Target:
    chosen = variant or part.default_variant
    if variant and variant not in part.variants:
        known = _choices(variant, part.variants) if part.variants else "it has no variants"
        raise TargetError(f"target {part.name!r} has no variant {variant!r}: {known}")
    details = part.variants[chosen] if chosen else VariantPart(title="")
    return Target(
        name=part.name,
        vendor=part.vendor,
        summary=part.summary,
        variant=chosen,
        variants=tuple(part.variants),
        devices=tuple(_device(part, device, details) for device in part.devices),
        limits=part.limits,
        links=tuple(Link(*link.between, _figures(link.figures)) for link in part.links),
        sources=part.sources,
        notes=part.notes,
    )


def _device(part: TargetPart, device: DevicePart, variant: VariantPart) -> Device:
    own = variant.devices.get(device.id, VariantDevicePart())
    named = device.model_copy(update={"name": own.name or device.name})
    properties = variant.properties
    book = RuleBook(named, part.rule_sets, part.sources, Context(properties, device.dtype_rewrite))
    return Device(
        id=device.id,
        kind=device.kind,
        name=named.name,
        backend=_backend(device.backend, properties) if device.backend is not None else None,
        numerics=own.numerics or device.numerics,
        figures=_figures({**device.figures, **own.figures}),
        data_quality=device.data_quality,
        data_note=device.data_note,
        book=book,
    )


def _backend(part: BackendPart, properties: Mapping[str, Scalar]) -> BackendSpec:
    options = {key: _filled(value, properties) for key, value in part.options.items()}
    return BackendSpec(part.provider, options, dict(part.session_config))


def _filled(text: str, properties: Mapping[str, Scalar]) -> str:
    for name, value in properties.items():
        text = text.replace("{" + name + "}", str(value))
    return text


def _figures(parts: Mapping[str, FigurePart]) -> dict[str, Figure]:
    return {
        name: Figure(part.value, part.unit, part.source, part.verified, part.confidence) for name, part in parts.items()
    }
