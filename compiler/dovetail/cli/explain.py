"""`dovetail explain`: one operator, every device's verdict."""

from pathlib import Path

import click

from dovetail.cli import screen
from dovetail.cli.options import FilePath, loading_options, overlay_option, target_option
from dovetail.cli.source import load_plan


@click.command("explain")
@click.argument("source", metavar="MODEL|PLAN", type=FilePath())
@click.argument("node")
@target_option(required=False)
@loading_options
@overlay_option
def command(
    source: Path,
    node: str,
    target: str | None,
    shape: dict[str, tuple[int, ...]],
    dim: dict[str, int],
    bind: dict[str, str],
    overlay: tuple[Path, ...],
) -> None:
    """Tell why an operator is where it is.

    NODE is its name, the name of an original node that it was made from, a glob with * or ?, or a part of
    the name that no other operator has.
    """
    from dovetail.report import find_operators, render_explanations

    plan = load_plan(source, target, shape, dim, bind, overlay)
    match = find_operators(plan, node)
    click.echo(render_explanations(plan, match, screen.width(), screen.color()), nl=False)
