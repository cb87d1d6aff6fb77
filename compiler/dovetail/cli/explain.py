"""`dovetail explain`: one operator, every device's verdict."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dovetail.cli import screen
from dovetail.cli.options import FilePath, loading_options, overlay_option, placing_options, target_option
from dovetail.cli.source import load_compilation, load_plan

if TYPE_CHECKING:
    from dovetail.compiler import Compilation, CompileOptions
    from dovetail.compiler.counterfactual import Pin
    from dovetail.report import Match


@click.command("explain")
@click.argument("source", metavar="MODEL|PLAN", type=FilePath())
@click.argument("node")
@target_option(required=False)
@loading_options
@overlay_option
@placing_options
def command(
    source: Path,
    node: str,
    target: str | None,
    **options: Any,
) -> None:
    """Tell why an operator is where it is.

    NODE is its name, the name of an original node that it was made from, a glob with * or ?, or a part of
    the name that no other operator has.
    """
    from dovetail.report import find_operators, render_explanations

    if source.is_dir():
        plan, pins = load_plan(source, target, **options), None
        match = find_operators(plan, node)
    else:
        compilation, made = load_compilation(source, target, **options)
        plan = compilation.plan
        match = find_operators(plan, node)
        pins = _pins(compilation, made, match)
    click.echo(render_explanations(plan, match, screen.width(), screen.color(), pins), nl=False)


def _pins(compilation: "Compilation", options: "CompileOptions", match: "Match") -> "dict[int, tuple[Pin, ...]]":
    """What pinning each unit of a match to another device would cost; none of many."""
    from dovetail.compiler.counterfactual import MOST_PINNED, pin_values

    units = list(dict.fromkeys(operator.unit for operator in match.operators))
    return pin_values(compilation, options, units) if len(units) <= MOST_PINNED else {}
