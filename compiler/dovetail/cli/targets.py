"""`dovetail targets`: what machines can be compiled for, and what each device of one supports."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from dovetail.cli import screen

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dovetail.targets import DeviceDescription, Figure, OperatorDescription, TargetDescription


@click.group("targets", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List the shipped targets, or show what one supports."""
    if context.invoked_subcommand is None:
        context.invoke(list_targets)


@command.command("list")
def list_targets() -> None:
    """List the shipped targets."""
    from dovetail.report.console import DIM, draw, table, words
    from dovetail.targets import load_target, target_names

    rows = table(["target", "vendor", "devices", ">operators", "public data", "default variant"])
    for name in target_names():
        target = load_target(name)
        first = target.devices[0]
        rows.add_row(
            words(name),
            words(target.vendor),
            " ".join(device.id for device in target.devices),
            str(len(first.op_types())) if first.op_types() else "all",
            words(first.data_quality),
            words(target.variant),
        )
    note = "operators and public data are those of the first device; your own YAML file works as a target too"
    click.echo(draw([rows, words(""), words((note, DIM))], screen.width(), screen.color()), nl=False)


@command.command("show")
@click.argument("target", metavar="NAME[:VARIANT]")
def show_target(target: str) -> None:
    """Show a target's devices: figures, rules and operators, each with its limits."""
    from dovetail.report.console import draw
    from dovetail.targets import load_target

    lines = list(_target(load_target(target).describe()))
    click.echo(draw(lines, screen.width(), screen.color()), nl=False)


def _target(target: "TargetDescription") -> Iterator["RenderableType"]:
    from dovetail.report.console import fields, words

    rows = [
        ("target", words(target.ref)),
        ("vendor", words(target.vendor)),
        ("what", words(target.summary)),
        ("variants", words(" ".join(target.variants) or "none")),
        *(("limit", words(limit)) for limit in target.limits),
        *(("note", words(note)) for note in target.notes),
    ]
    yield fields(rows)
    for device in target.devices:
        yield from _device(device)


def _device(device: "DeviceDescription") -> Iterator["RenderableType"]:
    from dovetail.report.console import fields, heading, words

    yield heading(f"{device.id}: {device.name}")
    quality = f"{device.data_quality}: {device.data_note}" if device.data_note else device.data_quality
    rows = [
        ("backend", words(device.backend or "none: its partitions are emulated, or run on the next device")),
        ("numerics", words(device.numerics)),
        ("public data", words(quality)),
        *((name, words(_figure(figure))) for name, figure in device.figures.items()),
        *(("all operators", words(rule)) for rule in device.rules),
    ]
    if device.domains:
        rows.append(("takes all of", words(", ".join(device.domains))))
    yield fields(rows, indent=2)
    if device.operators:
        yield words("")
        yield fields(((form.op_type, words(_operator(form))) for form in device.operators), indent=2)


def _figure(figure: "Figure") -> str:
    doubt = "" if figure.verified else f", unverified, confidence {figure.confidence}"
    return f"{_value(figure)}  [{figure.source or 'no source'}{doubt}]"


def _value(figure: "Figure") -> str:
    from dovetail.report.words import size_text

    if figure.value is None:
        return "not published"
    return size_text(int(figure.value)) if figure.unit == "B" else f"{figure.value:g} {figure.unit}"


def _operator(form: "OperatorDescription") -> str:
    parts = [f"{form.label}: " if form.label else "", "" if form.supported else "not supported; "]
    parts.append("; ".join(form.sentences) if form.sentences else "no limits known" if form.supported else "")
    if form.notes:
        parts.append(f"  ({form.notes})")
    if form.confidence != "high":
        parts.append(f"  [{form.confidence} confidence]")
    return "".join(parts)
