"""`dovetail compile`: a model in, a plan out."""

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
    target_option,
)
from dovetail.plan.errors import PlanError


@click.command("compile")
@click.argument("model", type=FilePath())
@target_option(required=True)
@click.option("-o", "--output", type=FilePath(), help="The plan's folder. [default: MODEL's name with .plan, here]")
@loading_options
@overlay_option
@placing_options
def command(
    model: Path,
    target: str,
    output: Path | None,
    **options: Any,
) -> None:
    """Compile MODEL for a target into an execution plan.

    Prints what runs where and why. A plan of the same name is replaced; anything else is left alone.
    """
    from dovetail.compiler import compile_model
    from dovetail.report import render_verdict, summarize

    final = output or Path(f"{model.stem}.plan")
    if not final.parent.is_dir():
        raise PlanError(f"plan '{final}': the folder '{final.parent}' does not exist; make it or choose another")
    compilation = compile_model(model, target, compile_options(**options))
    saved = compilation.save(final)
    click.echo(render_verdict(summarize(compilation.plan), screen.width(), screen.color()), nl=False)
    click.echo(f"written to {saved}")
