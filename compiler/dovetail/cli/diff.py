"""`dovetail diff`: what is different between two plans."""

from pathlib import Path

import click

from dovetail.cli import screen
from dovetail.cli.options import FilePath


@click.command("diff")
@click.argument("before", metavar="A.plan", type=FilePath())
@click.argument("after", metavar="B.plan", type=FilePath())
@click.option("--format", "form", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True)
@click.option("--exit-code", is_flag=True, help="Exit with 1 where the plans differ.")
@click.pass_context
def command(context: click.Context, before: Path, after: Path, form: str, exit_code: bool) -> None:
    """Compare two plans, by the names of the model's nodes.

    Shows what moved, appeared and vanished, which reasons changed, and the figures of both.
    """
    from dovetail.plan import read_plan
    from dovetail.report.diff import diff_plans
    from dovetail.report.diff_formats import render_diff, render_diff_json, render_diff_markdown

    diff = diff_plans(read_plan(before), read_plan(after))
    if form == "json":
        text = render_diff_json(diff)
    elif form == "markdown":
        text = render_diff_markdown(diff)
    else:
        text = render_diff(diff, screen.width(), screen.color())
    click.echo(text, nl=False)
    context.exit(1 if exit_code and not diff.empty else 0)
