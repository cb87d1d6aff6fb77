"""The pages of docs/targets, made from the target files: `python -m dovetail.targets.pages docs/targets`."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from dovetail.targets.describe import DeviceDescription, OperatorDescription, TargetDescription
from dovetail.targets.figure import Figure, Link
from dovetail.targets.json_schema import FILE_NAME, schema_text
from dovetail.targets.language_page import language_page
from dovetail.targets.load import load_target, read_target
from dovetail.targets.schema import DevicePart, OperatorPart, TargetPart
from dovetail.targets.shipped import data_folder, target_names

COMMAND: Final = "make docs"
_MARK: Final = f"<!-- Made from the target files by `{COMMAND}`; edit those. -->"


def pages() -> dict[str, str]:
    """Return file name -> text of everything that is generated for docs/targets."""
    made = {f"{name}.md": target_page(name) for name in target_names()}
    return {"README.md": index_page(), "language.md": language_page(_MARK), FILE_NAME: schema_text(), **made}


def index_page() -> str:
    """Return the page that lists every target."""
    rows = []
    for name in target_names():
        target = load_target(name)
        first = target.devices[0]
        devices = ", ".join(device.id for device in target.devices)
        listed = read_target(name).devices[0]
        count = "all" if listed.any_operator is not None else str(len(first.op_types())) if listed.ops else "not public"
        link = f"[{name}]({name}.md)"
        rows.append(
            (link, target.vendor, devices, count, first.data_quality, str(len(target.variants)), target.summary)
        )
    head = ("target", "vendor", "devices", "operators", "public data", "variants", "what it is")
    lines = [
        _MARK,
        "# Targets",
        "",
        "Operators and public data are those of the first device. What a page says is what the compiler checks: both",
        "come from one file. [The language](language.md) tells how to write a target of your own, and",
        f"[{FILE_NAME}]({FILE_NAME}) is its JSON Schema, for editors.",
        "",
        *_table(head, rows),
    ]
    return "\n".join(lines) + "\n"


def target_page(name: str) -> str:
    """Return the page of a shipped target, in its default variant."""
    part, target = read_target(name), load_target(name)
    said = target.describe()
    lines = [_MARK, f"# {name}", "", _escaped(part.summary), "", *_facts(part)]
    lines += _bullets("Limits of a whole placement", said.limits)
    lines += _bullets("Notes", part.notes)
    for device, listed in zip(said.devices, part.devices, strict=True):
        lines += ["", f"## {device.id}: {_escaped(device.name)}", "", *_device(device, listed)]
        lines += _operators(device, listed.ops)
    lines += [*_variants(part), *_links(target.links), *_sources(said)]
    return "\n".join(lines) + "\n"


def _facts(part: TargetPart) -> Iterator[str]:
    yield f"- vendor: {_escaped(part.vendor)}"
    if part.runtime:
        yield f"- runtime: {_escaped(part.runtime)}"
    if part.variants:
        yield f"- variants: {', '.join(part.variants)}; without one, {part.default_variant or 'none of them'}"


def _device(device: DeviceDescription, listed: DevicePart) -> Iterator[str]:
    note = f": {_escaped(device.data_note)}" if device.data_note else ""
    yield f"- backend: {device.backend or 'none, so its partitions are emulated or run on the next device'}"
    yield f"- floats become: {device.numerics}"
    if listed.kind == "npu":
        scheme = listed.quantization
        yield f"- `--quantize` makes: {scheme.words()} ({_escaped(scheme.source) or 'assumed, no source'})"
    yield f"- public data: {device.data_quality}{note}"
    if device.figures:
        yield ""
        yield from _table(
            ("figure", "value", "unit", "source", "verified"), map(_figure, *zip(*device.figures.items(), strict=True))
        )
    if device.rules:
        yield from ("", "Every operator:", "")
        yield from (f"- {_escaped(rule)}" for rule in device.rules)
    if not device.domains and not device.operators:
        yield from ("", "Which operators it takes is not public: give a target file of your own that extends this one.")
    if device.domains:
        domains = ", ".join(domain or "ai.onnx" for domain in device.domains)
        yield from ("", f"It takes every operator of {domains}.")


def _figure(name: str, figure: Figure) -> tuple[str, ...]:
    seen = "yes" if figure.verified else "" if figure.value is None else f"no, confidence {figure.confidence}"
    return name, _number(figure.value), figure.unit, figure.source, seen


def _number(value: float | None) -> str:
    return "not published" if value is None else f"{value:,.12g}"


def _operators(device: DeviceDescription, listed: dict[str, tuple[OperatorPart, ...]]) -> Iterator[str]:
    """Yield the operators: those that are alike stand together, those that are refused at the end."""
    said: dict[str, list[OperatorDescription]] = {}
    for form in device.operators:
        said.setdefault(form.op_type, []).append(form)
    alike: dict[tuple[str, ...], list[str]] = {}
    refused: dict[str, list[str]] = {}
    for key, forms in said.items():
        if any(form.supported for form in forms):
            alike.setdefault(tuple(_forms(forms, listed[key])), []).append(key)
        else:
            refused.setdefault(forms[0].notes or "no reason is published", []).append(key)
    if alike:
        yield from ("", f"### Operators of the {device.id}", "")
    for body, keys in sorted(alike.items(), key=lambda item: item[1][0]):
        yield f"- **{', '.join(keys)}**{body[0]}"
        yield from body[1:]
    if refused:
        yield from ("", f"### Refused by the {device.id}", "")
        yield from (f"- **{', '.join(keys)}**: {_escaped(why)}" for why, keys in refused.items())


def _forms(forms: list[OperatorDescription], parts: tuple[OperatorPart, ...]) -> Iterator[str]:
    """Yield what stands behind the operator's name, then the lines below it."""
    if len(forms) == 1:
        yield from _form(forms[0], parts[0], "  ")
        return
    yield ""
    for number, (form, part) in enumerate(zip(forms, parts, strict=True), 1):
        first, *rest = _form(form, part, "    ")
        yield f"  - {_escaped(form.label) or ('otherwise' if number == len(forms) else 'any')}{first}"
        yield from rest


def _form(form: OperatorDescription, part: OperatorPart, indent: str) -> Iterator[str]:
    keys = ", ".join(dict.fromkeys(key.partition("#")[0] for key in part.source))
    marks = [keys] if keys else []
    marks += [f"on {form.engine}"] if form.engine else []
    marks += [f"{form.confidence} confidence"] if form.confidence != "high" else []
    label = f", {_escaped(form.label)}" if form.label and not indent.startswith("    ") else ""
    marked = f" ({', '.join(marks)})" if marks else ""
    yield label + marked + ("" if form.supported else ": not taken")
    yield from (f"{indent}- {_escaped(sentence)}" for sentence in form.sentences)
    if form.notes:
        yield f"{indent}- note: {_escaped(form.notes)}"


def _variants(part: TargetPart) -> Iterator[str]:
    if not part.variants:
        return
    rows = []
    for name, variant in part.variants.items():
        changed = [
            f"{device} {figure}: {_number(said.value)} {said.unit}"
            for device, own in variant.devices.items()
            for figure, said in own.figures.items()
        ]
        properties = ", ".join(f"{key} = {value}" for key, value in variant.properties.items())
        rows.append((name, variant.title, properties, "; ".join(changed)))
    yield from ("", "## Variants", "", *_table(("variant", "what it is", "properties", "figures of its own"), rows))


def _links(links: tuple[Link, ...]) -> Iterator[str]:
    rows = [
        (f"{link.source} to {link.destination}", *_figure(name, figure))
        for link in links
        for name, figure in link.figures.items()
    ]
    if rows:
        yield from ("", "## Links between devices", "")
        yield from _table(("link", "figure", "value", "unit", "source", "verified"), rows)


def _sources(target: TargetDescription) -> Iterator[str]:
    if target.sources:
        yield from ("", "## Sources", "")
        yield from (f"- **{key}**: {_escaped(citation)}" for key, citation in target.sources.items())


def _bullets(title: str, items: Iterable[str]) -> list[str]:
    lines = [f"- {_escaped(item)}" for item in items]
    return ["", f"{title}:", "", *lines] if lines else []


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(_escaped(cell).replace('|', chr(92) + '|') for cell in row)} |"


def _escaped(text: str) -> str:
    """Return text in which Markdown finds nothing to format."""
    return text.replace("\\", "\\\\").replace("*", "\\*").replace("<", "&lt;").replace("\n", " ")


def write_pages(folder: Path) -> None:
    """Write every page, remove those of targets that are no more, and put the schema beside the target files too."""
    folder.mkdir(parents=True, exist_ok=True)
    made = pages()
    for path in folder.glob("*.md"):
        if path.name not in made and path.read_text(encoding="utf-8").startswith(_MARK):
            path.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    (data_folder() / FILE_NAME).write_text(made[FILE_NAME], encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
