"""`dovetail targets`: what machines can be compiled for, and what each device of one supports."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from dovetail.cli import screen
from dovetail.cli.options import FilePath, TargetRef, compile_options, loading_options
from dovetail.cli.output import check_folder

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dovetail.targets import Device, DeviceDescription, Figure, OperatorDescription, Target, TargetDescription

_PUBLIC: Final = {
    "partial": "the public list is not complete: others are unknown, and stay on the next device",
    "unpublished": "no public list: a model can be compiled only with a list of your own (extends: this target)",
}
"""What is to be said of a device's list of operators."""


class _Targets(click.Group):
    """The commands about targets; a target's own name in their place is advised about."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; for the name of a target propose to show it."""
        if args and args[0] not in self.commands and not ctx.resilient_parsing:
            from dovetail.targets import target_names

            name, colon, variant = args[0].partition(":")
            if name in target_names():
                raise click.exceptions.NoSuchCommand(args[0], possibilities=[f"show {name}{colon}{variant}"], ctx=ctx)
        return super().resolve_command(ctx, args)


@click.group("targets", cls=_Targets, invoke_without_command=True)
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

    rows = table(["target", "vendor", "devices", ">operators", "data", "variants"])
    for name in target_names():
        target = load_target(name)
        first = target.devices[0]
        rows.add_row(
            words(name),
            words(target.vendor),
            " ".join(device.kind for device in target.devices),
            _operators(first),
            words(first.data_quality),
            words(_variants(target)),
        )
    note = (
        "operators and the quality of the data are those of the first device; of variants, the default one and how"
        " many more there are; a YAML file of your own works as a target too"
    )
    click.echo(draw([rows, words(""), words((note, DIM))], screen.width(), screen.color()), nl=False)


def _operators(device: "Device") -> str:
    """Return how many operators the device takes; `+`: the list is not complete."""
    if device.operator_list == "unpublished":
        return "not public"
    listed = str(len(device.op_types())) if device.op_types() else "all"
    return f"{listed}+" if device.operator_list == "partial" else listed


def _variants(target: "Target") -> str:
    others = len(target.variants) - 1
    return f"{target.variant} +{others}" if others > 0 else target.variant


@command.command("show", short_help="Show a target's devices: figures, rules and operators.")
@click.argument("target", metavar="NAME[:VARIANT]", type=TargetRef())
def show_target(target: str) -> None:
    """Show a target's devices: figures, rules and operators, each with its limits."""
    from dovetail.report.console import draw
    from dovetail.targets import load_target

    lines = list(_target(load_target(target).describe()))
    click.echo(draw(lines, screen.width(), screen.color()), nl=False)


@command.command("check", short_help="Name every mistake of a target FILE.")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.pass_context
def check_file(context: click.Context, file: Path) -> None:
    """Name every mistake of a target FILE: line, field, what was got, what is allowed."""
    from dovetail.report.words import printable
    from dovetail.targets.check import check_target

    report = check_target(file)
    for mark, findings in (("", report.mistakes), ("warning: ", report.warnings)):
        for finding in findings:
            field = f"{finding.field}: " if finding.field else ""
            click.echo(printable(f"{finding.file}:{finding.line}: {mark}{field}{finding.problem}"))
    if report.mistakes:
        context.exit(2)
    click.echo(f"ok: {report.devices} devices, {report.operators} operators")


@command.command("probe", short_help="Ask the vendor's compiler about every operator of MODEL.")
@click.argument("target", metavar="TARGET[:VARIANT]", type=TargetRef())
@click.argument("model", type=FilePath())
@loading_options
@click.option("-o", "--output", type=FilePath(), help="Write what differs as an overlay, for --overlay.")
@click.pass_context
def probe_target(
    context: click.Context,
    target: str,
    model: Path,
    shape: dict[str, tuple[int, ...]],
    dim: dict[str, int],
    bind: dict[str, str],
    output: Path | None,
) -> None:
    """Ask the vendor's own compiler, where it is installed, about every operator of MODEL.

    Prints where it and the target's file disagree; the exit code is 1 then.
    """
    from dovetail.cli.probe import show_probe
    from dovetail.compiler.probing import probe_target as ask
    from dovetail.targets import load_target
    from dovetail.targets.overlay import write_overlay

    check_folder("--output", output)
    probe = ask(model, load_target(target), compile_options(shape, dim, bind))
    click.echo(show_probe(probe), nl=False)
    if output is not None:
        write_overlay(probe.overlay(), output)
        click.echo(f"written to {output}")
    context.exit(1 if probe.disagreements else 0)


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
    if device.operator_list in _PUBLIC:
        rows.append(("operators", words(_PUBLIC[device.operator_list])))
    if device.domains:
        rows.append(("takes all of", words(", ".join(domain or "ai.onnx" for domain in device.domains))))
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
