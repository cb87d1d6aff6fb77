"""`dovetail inspect`: the report of a plan, or of a model for a target."""

from pathlib import Path
from typing import Any

import click

from dovetail.cli import screen
from dovetail.cli.options import FilePath, loading_options, overlay_option, placing_options, target_option
from dovetail.cli.source import load_plan
from dovetail.plan.errors import DovetailError


@click.command("inspect")
@click.argument("source", metavar="MODEL|PLAN", type=FilePath())
@target_option(required=False)
@loading_options
@overlay_option
@placing_options
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("-o", "--output", type=FilePath(), help="Write to a file instead of stdout.")
def command(
    source: Path,
    target: str | None,
    form: str,
    output: Path | None,
    **options: Any,
) -> None:
    """Show what runs where, why, and what crosses between devices.

    A model is compiled for the target, and nothing is written. JSON is what plan.json holds.
    """
    from dovetail.report import render_json, render_text, summarize

    plan = load_plan(source, target, **options)
    if form == "json":
        text = render_json(plan)
    elif output:
        text = render_text(summarize(plan))
    else:
        text = render_text(summarize(plan), screen.width(), screen.color())
    if output:
        _write(output, text)
    else:
        click.echo(text, nl=False)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise DovetailError(f"report '{path}': can't be written, {error.strerror}; choose another place") from error
