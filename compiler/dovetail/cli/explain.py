"""`dovetail explain`: one operator, every device's verdict; or what a code means."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dovetail.cli import screen
from dovetail.cli.options import FilePath, loading_options, overlay_option, placing_options, target_option
from dovetail.cli.source import load_compilation, load_plan
from dovetail.plan.codes import CODES, find_code
from dovetail.plan.errors import DovetailError
from dovetail.plan.naming import closest, shown

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from dovetail.compiler import Compilation, CompileOptions
    from dovetail.compiler.counterfactual import Pin
    from dovetail.report import Match


def _complete_source(context: click.Context, parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    from dovetail.cli.completion import source_items  # for the press of a Tab alone

    return source_items(incomplete)


def _complete_node(context: click.Context, parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    from dovetail.cli.completion import operator_items

    return operator_items(context.params.get("source"), incomplete)


@click.command("explain")
@click.argument("source", metavar="MODEL|PLAN|CODE", type=FilePath(), shell_complete=_complete_source)
@click.argument("node", required=False, shell_complete=_complete_node)
@target_option(required=False)
@loading_options
@overlay_option
@placing_options
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    source: Path,
    node: str | None,
    target: str | None,
    form: str,
    **options: Any,
) -> None:
    """Tell why an operator is where it is, or what the code of a reason means.

    NODE is its name, the name of an original node that it was made from, a glob with * or ?, or a part of
    the name that no other operator has.

    \b
    dovetail explain model.onnx Resize_13 -t TARGET
        every device's verdict and cost, and what would move it
    dovetail explain DV104
        what this code means, how it is decided, and what to do
    dovetail explain dtype
        the same, by the name of the rule
    """
    text = _page(source, target, form) if node is None else _operators(source, node, target, form, options)
    click.echo(text, nl=False)


def _page(source: Path, target: str | None, form: str) -> str:
    """The page of a code.

    Raises:
        DovetailError: there is none; the text says which there are, or that an operator is missing.
    """
    from dovetail.report.codes import code_page, render_code, render_code_json

    name = str(source)
    found = find_code(name)
    if found is None and (target is not None or source.exists() or source.suffix or len(source.parts) > 1):
        raise click.UsageError(f"{shown(name)}: which operator is to be explained? give NODE, a name or a glob")
    if found is None:
        close = closest(name, [each for code in CODES for each in (code.code, code.rule)])
        remedy = f"did you mean {shown(close)}?" if close else f"give one from {CODES[0].code} to {CODES[-1].code}"
        raise DovetailError(f"code {shown(name)}: there is none, and no rule of this name; {remedy}")
    page = code_page(found)
    return render_code_json(page) if form == "json" else render_code(page, screen.width(), screen.color())


def _operators(source: Path, node: str, target: str | None, form: str, options: dict[str, Any]) -> str:
    from dovetail.report import find_operators, render_explanations
    from dovetail.report.explain_formats import render_explanations_json

    if source.is_dir():
        plan, pins = load_plan(source, target, **options), None
        match = find_operators(plan, node)
    else:
        compilation, made = load_compilation(source, target, **options)
        plan = compilation.plan
        match = find_operators(plan, node)
        pins = _pins(compilation, made, match)
    if form == "json":
        return render_explanations_json(plan, match, pins)
    return render_explanations(plan, match, screen.width(), screen.color(), pins)


def _pins(compilation: "Compilation", options: "CompileOptions", match: "Match") -> "dict[int, tuple[Pin, ...]]":
    """What pinning each unit of a match to another device would cost; none of many."""
    from dovetail.compiler.counterfactual import MOST_PINNED, pin_values

    units = list(dict.fromkeys(operator.unit for operator in match.operators))
    return pin_values(compilation, options, units) if len(units) <= MOST_PINNED else {}
