"""From a reference (`name`, `name:variant`, a path to a file) to a Target."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from dovetail.plan.errors import TargetError
from dovetail.plan.naming import meant, shown
from dovetail.plan.schema import BackendSpec
from dovetail.targets.document import Document, read_document
from dovetail.targets.extends import resolve
from dovetail.targets.facts import Context
from dovetail.targets.figure import Figure, Link
from dovetail.targets.mistakes import parse
from dovetail.targets.rulebook import RuleBook
from dovetail.targets.schema import (
    BackendPart,
    DevicePart,
    FigurePart,
    TargetPart,
    ToolPart,
    VariantDevicePart,
    VariantPart,
)
from dovetail.targets.shipped import SUFFIXES, is_path, shipped_file, target_names
from dovetail.targets.target import Device, Target, ToolSpec
from dovetail.targets.view import Scalar


def load_target(ref: str) -> Target:
    """Load a target by `name`, `name:variant`, or the path of a YAML file, `:variant` after it allowed.

    Raises:
        TargetError: there is no such target or variant, or the file can't be used; the text names what there is,
            or the file, line and field.
    """
    name, _, variant = ref.rpartition(":")
    if not name or "/" in variant or "\\" in variant or variant.endswith(SUFFIXES):
        name, variant = ref, ""
    return _build(read_target(name), variant)


def read_target(name: str) -> TargetPart:
    """Return what the file of a target says, by the target's name or the file's path; TargetError as `load_target`."""
    if is_path(name):
        return parse_target(read_document(Path(name)))
    if name not in target_names():
        owners = [f"{each}:{name}" for each in target_names() if name in _shipped(each).variants]
        if owners:
            raise TargetError(f"target {shown(name)}: is a variant of one; give {' or '.join(map(shown, owners))}")
    shipped_file(name)
    return _shipped(name)


@cache
def _shipped(name: str) -> TargetPart:
    return parse_target(read_document(shipped_file(name)))


def parse_target(document: Document) -> TargetPart:
    """Check a document, with what it extends, against the schema.

    Raises:
        TargetError: the text names file, line and field of the first mistake and how many more there are.
    """
    return parse(resolve(document))


def _build(part: TargetPart, variant: str) -> Target:
    chosen = variant or part.default_variant
    if variant and variant not in part.variants:
        raise TargetError(f"target {part.name!r} has no variant {shown(variant)}; {meant(variant, part.variants)}")
    return Target(
        name=part.name,
        vendor=part.vendor,
        summary=part.summary,
        variant=chosen,
        variants=tuple(part.variants),
        devices=tuple(_device(part, device, chosen) for device in part.devices),
        limits=part.limits,
        links=tuple(Link(*link.between, _figures(link.figures)) for link in part.links),
        sources=part.sources,
        notes=part.notes,
    )


def _device(part: TargetPart, device: DevicePart, chosen: str) -> Device:
    variant = part.variants[chosen] if chosen else VariantPart(title="")
    own = variant.devices.get(device.id, VariantDevicePart())
    named = device.model_copy(update={"name": own.name or device.name})
    properties = variant.properties
    backend = own.backend or device.backend
    book = RuleBook(named, part.rule_sets, part.sources, Context(properties, device.dtype_rewrite))
    return Device(
        id=device.id,
        kind=device.kind,
        name=named.name,
        backend=_backend(backend, properties) if backend is not None else None,
        numerics=own.numerics or device.numerics,
        figures=_figures({**device.figures, **own.figures}),
        data_quality=device.data_quality,
        data_note=device.data_note,
        book=book,
        quantization=device.quantization,
        tool=_tool(device.tool, {"variant": chosen, **properties}) if device.tool is not None else None,
    )


def _backend(part: BackendPart, properties: Mapping[str, Scalar]) -> BackendSpec:
    options = {key: _filled(value, properties) for key, value in part.options.items()}
    return BackendSpec(part.provider, options, dict(part.session_config))


def _tool(part: ToolPart, properties: Mapping[str, Scalar]) -> ToolSpec:
    return ToolSpec(part.name, _filled(part.accelerator, properties))


def _filled(text: str, properties: Mapping[str, Scalar]) -> str:
    for name, value in properties.items():
        text = text.replace("{" + name + "}", str(value))
    return text


def _figures(parts: Mapping[str, FigurePart]) -> dict[str, Figure]:
    return {
        name: Figure(part.value, part.unit, part.source, part.verified, part.confidence) for name, part in parts.items()
    }
