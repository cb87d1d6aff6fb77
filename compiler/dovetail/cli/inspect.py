"""`dovetail inspect`: the report of a plan, or of a model for a target."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dovetail.cli import screen
from dovetail.cli.options import (
    FilePath,
    compile_options,
    loading_options,
    overlay_option,
    parse_places,
    placing_options,
    quantize_options,
    target_option,
)
from dovetail.cli.output import check_folder, write_text
from dovetail.cli.page import html_page
from dovetail.cli.source import load_compilation, load_plan

if TYPE_CHECKING:
    from dovetail.plan import Plan


@click.command("inspect")
@click.argument("source", metavar="MODEL|PLAN", type=FilePath())
@target_option(required=False)
@loading_options
@overlay_option
@placing_options
@quantize_options
@click.option("--pareto", is_flag=True, help="Show the front between latency and energy instead; with html, both.")
@click.option(
    "--what-if",
    "grants",
    metavar="GLOB=DEVICE",
    multiple=True,
    callback=parse_places,
    help="Show instead what would change if a device took these operators. Repeatable.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown", "github", "sarif", "html"]),
    default="text",
    show_default=True,
    help="github: annotations of a job. html: one page that opens from disk, with the graph.",
)
@click.option("-o", "--output", type=FilePath(), help="Write to a file instead of stdout.")
def command(
    source: Path,
    target: str | None,
    pareto: bool,
    grants: tuple[tuple[str, str], ...],
    form: str,
    output: Path | None,
    **options: Any,
) -> None:
    """Show what runs where, why, and what crosses between devices.

    A model is compiled for the target, and nothing is written. JSON is what plan.json holds.
    """
    if pareto and grants:
        raise click.UsageError("--pareto and --what-if show different things; leave out one")
    check_folder("--output", output)
    if pareto:
        text = _front(source, target, form, output, options)
    elif grants:
        text = _what_if(source, target, grants, form, output, options)
    else:
        text = _report(source, target, form, output, options)
    if output:
        write_text(output, text, "report")
    else:
        click.echo(text, nl=False)


def _report(source: Path, target: str | None, form: str, output: Path | None, options: dict[str, Any]) -> str:
    from dovetail.report import render_markdown, summarize

    if form == "html":
        return html_page(source, target, options)
    if source.is_dir() or form not in ("text", "markdown"):
        return _rendered(load_plan(source, target, **options), source, form, output)
    from dovetail.compiler.counterfactual import suggest
    from dovetail.report.whatif import render_suggestions

    compilation, made = load_compilation(source, target, **options)
    suggestions = suggest(compilation, made)
    if form == "markdown":
        return render_markdown(summarize(compilation.plan), suggestions)
    text = _rendered(compilation.plan, source, form, output)
    return text + render_suggestions(suggestions, *_screen(output)) if suggestions else text


def _rendered(plan: "Plan", source: Path, form: str, output: Path | None) -> str:
    """The report of a plan alone, without what only a compilation can tell."""
    from dovetail.report import render_annotations, render_json, render_markdown, render_sarif, render_text, summarize

    if form == "json":
        return render_json(plan)
    if form == "markdown":
        return render_markdown(summarize(plan))
    if form == "github":
        return render_annotations(plan)
    if form == "sarif":
        return render_sarif(plan, source)
    return render_text(summarize(plan), *_screen(output))


def _what_if(
    source: Path,
    target: str | None,
    grants: tuple[tuple[str, str], ...],
    form: str,
    output: Path | None,
    options: dict[str, Any],
) -> str:
    from dovetail.compiler.granting import what_if
    from dovetail.report.whatif import render_what_if, render_what_if_json

    chosen = _one_model("--what-if", source, target, options)
    _check_form("--what-if", form, ("text", "json"))
    found = what_if(source, chosen, compile_options(**options), grants)
    return render_what_if_json(found) if form == "json" else render_what_if(found, *_screen(output))


def _front(source: Path, target: str | None, form: str, output: Path | None, options: dict[str, Any]) -> str:
    from dovetail.compiler import trace_pareto
    from dovetail.report import render_front, render_front_json

    chosen = _one_model("--pareto", source, target, options)
    _check_form("--pareto", form, ("text", "json", "html"))
    if form == "html":
        return html_page(source, target, options, pareto=True)
    front = trace_pareto(source, chosen, compile_options(**options))
    return render_front_json(front) if form == "json" else render_front(front, *_screen(output))


def _one_model(option: str, source: Path, target: str | None, options: dict[str, Any]) -> str:
    """The target, where an option that solves by itself has all it needs and nothing that it does not look at."""
    if target is None or source.is_dir():
        raise click.UsageError(f"{option} compiles: it needs a model and a target; give a model's file and -t TARGET")
    if options["quantize"]:
        raise click.UsageError(f"{option} shows the model as it is; leave out --quantize")
    if options["batch"]:
        raise click.UsageError(f"{option} shows one batch size; fix it with --dim or --shape instead of --batch")
    return target


def _check_form(option: str, form: str, known: tuple[str, ...]) -> None:
    if form not in known:
        raise click.UsageError(f"{option} has no --format {form}; choose one of {', '.join(known)}")


def _screen(output: Path | None) -> tuple[int, bool]:
    """The width and whether there are colours; a file has the width of a page."""
    from dovetail.report.text import WIDTH

    return (WIDTH, False) if output else (screen.width(), screen.color())
