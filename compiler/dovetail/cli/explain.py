"""`dovetail explain`: one operator, every device's verdict."""

from pathlib import Path
from typing import Any

import click

from dovetail.cli import screen
from dovetail.cli.options import FilePath, loading_options, overlay_option, placing_options, target_option
from dovetail.cli.source import load_plan


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

    plan = load_plan(source, target, **options)
    match = find_operators(plan, node)
    click.echo(render_explanations(plan, match, screen.width(), screen.color()), nl=False)
