"""`dovetail passes`: what the compiler does to a graph before it is placed."""

import click

from dovetail.cli import screen
from dovetail.plan.errors import PassError
from dovetail.plan.naming import meant, shown


@click.group("passes", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List the compiler's passes, or show what one does."""
    if context.invoked_subcommand is None:
        context.invoke(list_passes)


@command.command("list")
def list_passes() -> None:
    """List the passes in their order, one line each."""
    from dovetail.passes import registry
    from dovetail.report.console import draw, fields, words

    rows = [(name, words(_first_line(registry.describe_pass(name)))) for name in registry.pass_names()]
    click.echo(draw([fields(rows)], screen.width(), screen.color()), nl=False)


@command.command("show")
@click.argument("name")
def show_pass(name: str) -> None:
    """Show what a pass does and in which cases it does not act."""
    from dovetail.passes import registry

    names = registry.pass_names()
    if name not in names:
        raise PassError(f"no pass is named {shown(name)}; {meant(name, names)}")
    click.echo(registry.describe_pass(name))


def _first_line(description: str) -> str:
    lines = description.strip().splitlines()
    return lines[0] if lines else ""
