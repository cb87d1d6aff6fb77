"""`dovetail compile`: a model in, a plan out."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    verify_options,
)
from dovetail.cli.output import check_folder, write_text
from dovetail.cli.page import page_of
from dovetail.plan.atomic import check_replaceable

if TYPE_CHECKING:
    from dovetail.targets.overlay import OverlayPart


@click.command("compile")
@click.argument("model", type=FilePath())
@target_option(required=True)
@click.option("-o", "--output", type=FilePath(), help="The plan's folder. [default: MODEL's name with .plan, here]")
@loading_options
@overlay_option
@placing_options
@quantize_options
@verify_options
@click.option("--report", is_flag=True, help="Write the HTML report into the plan's folder too, as report.html.")
def command(
    model: Path,
    target: str,
    output: Path | None,
    verify: bool,
    verify_inputs: Path | None,
    verify_snr_db: float | None,
    verify_limit_s: float,
    learn: Path | None,
    report: bool,
    **options: Any,
) -> None:
    """Compile MODEL for a target into an execution plan.

    Prints what runs where and why. A plan of the same name is replaced; anything else is left alone.
    """
    from dovetail.compiler import VerifyOptions, compile_model, compile_verified
    from dovetail.report import render_verdict, summarize

    final = output or Path(f"{model.stem}.plan")
    check_replaceable(final)
    if not verify and (verify_inputs or verify_snr_db is not None or learn):
        raise click.UsageError("--verify-inputs, --verify-snr-db and --learn belong to --verify; add it")
    check_folder("--learn", learn)
    learnt: Sequence[OverlayPart] = ()
    made = compile_options(**options)
    if verify:
        how = VerifyOptions(inputs=verify_inputs, snr_db=verify_snr_db, limit_s=verify_limit_s)
        verified = compile_verified(model, target, made, how)
        compilation, learnt = verified.compilation, verified.learnt
    else:
        compilation = compile_model(model, target, made)
    saved = compilation.save(final)
    if report:
        write_text(saved / "report.html", page_of(compilation, made), "report")
    click.echo(render_verdict(summarize(compilation.plan), screen.width(), screen.color()), nl=False)
    click.echo(f"written to {saved}")
    if learn is not None:
        _write_learnt(learnt, learn)


def _write_learnt(learnt: "Sequence[OverlayPart]", path: Path) -> None:
    """Write one overlay, or where more than one device refused something one beside it for each further device."""
    from dovetail.targets.overlay import write_overlay

    if not learnt:
        click.echo("nothing was learnt: no compiler refused an operator by itself")
    for number, part in enumerate(learnt):
        final = path if number == 0 else path.with_stem(f"{path.stem}.{part.device}")
        write_overlay(part, final)
        click.echo(f"learnt {len(part.answers)} of {part.device}, written to {final}")
