"""`dovetail inspect`: the report of a plan, or of a model for a target."""

from pathlib import Path
from typing import Any

import click

from dovetail.cli import screen
from dovetail.cli.options import (
    FilePath,
    compile_options,
    loading_options,
    overlay_option,
    placing_options,
    quantize_options,
    target_option,
)
from dovetail.cli.output import write_text
from dovetail.cli.source import load_plan


@click.command("inspect")
@click.argument("source", metavar="MODEL|PLAN", type=FilePath())
@target_option(required=False)
@loading_options
@overlay_option
@placing_options
@quantize_options
@click.option("--pareto", is_flag=True, help="Show the front between latency and energy instead.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "html"]),
    default="text",
    show_default=True,
    help="html: with --pareto.",
)
@click.option("-o", "--output", type=FilePath(), help="Write to a file instead of stdout.")
def command(
    source: Path,
    target: str | None,
    pareto: bool,
    form: str,
    output: Path | None,
    **options: Any,
) -> None:
    """Show what runs where, why, and what crosses between devices.

    A model is compiled for the target, and nothing is written. JSON is what plan.json holds.
    """
    text = _front(source, target, form, output, options) if pareto else _report(source, target, form, output, options)
    if output:
        write_text(output, text, "report")
    else:
        click.echo(text, nl=False)


def _report(source: Path, target: str | None, form: str, output: Path | None, options: dict[str, Any]) -> str:
    from dovetail.report import render_json, render_text, summarize

    if form == "html":
        raise click.UsageError("--format html goes with --pareto")
    plan = load_plan(source, target, **options)
    if form == "json":
        return render_json(plan)
    return render_text(summarize(plan), *_screen(output))


def _front(source: Path, target: str | None, form: str, output: Path | None, options: dict[str, Any]) -> str:
    from dovetail.compiler import trace_pareto
    from dovetail.plan import to_json
    from dovetail.report import render_front, render_front_page

    if target is None or source.is_dir():
        raise click.UsageError("--pareto compiles: it needs a model and a target, -t TARGET")
    if options["quantize"]:
        raise click.UsageError("--pareto shows the model as it is: leave out --quantize")
    if options["batch"]:
        raise click.UsageError("--pareto shows one batch size: fix it with --dim or --shape instead of --batch")
    front = trace_pareto(source, target, compile_options(**options))
    if form == "json":
        return to_json(front)
    return render_front_page(front) if form == "html" else render_front(front, *_screen(output))


def _screen(output: Path | None) -> tuple[int, bool]:
    """The width and whether there are colours; a file has the width of a page."""
    from dovetail.report.text import WIDTH

    return (WIDTH, False) if output else (screen.width(), screen.color())
