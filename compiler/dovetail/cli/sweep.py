"""`dovetail sweep`: models x batch sizes x targets, in one table."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dovetail.cli import screen
from dovetail.cli.options import (
    FilePath,
    FiniteNumber,
    TargetRef,
    compile_options,
    loading_options,
    overlay_option,
    placing_options,
)
from dovetail.cli.output import check_folder, write_text

if TYPE_CHECKING:
    from dovetail.compiler import LocalEngine, RayEngine, SweepRecord
    from dovetail.report.sweep import SweepTable


def parse_targets(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Read `T1,T2:VARIANT`, of every time that the option is given."""
    names = tuple(name.strip() for each in value for name in each.split(","))
    if not all(names):
        raise click.BadParameter(f"'{','.join(value)}' must have the form T1,T2,...; take out the empty name")
    return names


@click.command("sweep")
@click.argument("models", metavar="MODEL...", nargs=-1, required=True, type=FilePath())
@click.option(
    "-t",
    "--targets",
    metavar="T1,T2[:VARIANT],...",
    type=TargetRef(),
    required=True,
    multiple=True,
    callback=parse_targets,
    help="The machines: names of `dovetail targets`, or YAML files. Repeatable.",
)
@loading_options
@overlay_option
@placing_options
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="What makes the rows: processes of this machine, or Ray.",
)
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="Rows at a time. [default: one for each core there is]"
)
@click.option(
    "--limit-s",
    type=FiniteNumber(min=0, min_open=True),
    metavar="F",
    default=600.0,
    show_default=True,
    help="Seconds that a row may take.",
)
@click.option(
    "--ray-address",
    metavar="HOST:PORT",
    help="The Ray cluster. [default: $RAY_ADDRESS, else a Ray that is started here for the sweep]",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown", "csv"]),
    default="text",
    show_default=True,
)
@click.option("-o", "--output", type=FilePath(), help="Write to a file instead of stdout.")
@click.pass_context
def command(
    context: click.Context,
    /,
    models: tuple[Path, ...],
    targets: tuple[str, ...],
    engine: str,
    jobs: int | None,
    limit_s: float,
    ray_address: str | None,
    form: str,
    output: Path | None,
    batch: tuple[int, ...],
    **options: Any,
) -> None:
    """Compare what several targets make of several models.

    Nothing is written but the table. The best target of each model and batch size is marked, by --objective. A row that
    fails says why and stops no other; the exit code is 1 then.
    """
    if ray_address and engine != "ray":
        raise click.UsageError("--ray-address belongs to --engine ray; add it")
    check_folder("--output", output)
    from dovetail.compiler import sweep
    from dovetail.report.sweep import SweepTable

    made = compile_options(**options)
    with _progress(len(models) * len(targets) * max(len(batch), 1)) as advance:
        rows = sweep(models, targets, batch, made, _engine(engine, jobs, limit_s, ray_address), on_row=advance)
    text = _rendered(SweepTable(made.objective, rows), form, output)
    if output:
        write_text(output, text, "table")
    else:
        click.echo(text, nl=False)
    context.exit(1 if any(row.error for row in rows) else 0)


def _engine(name: str, jobs: int | None, limit_s: float, address: str | None) -> "LocalEngine | RayEngine":
    from dovetail.compiler import LocalEngine, RayEngine

    return RayEngine(jobs, limit_s, address) if name == "ray" else LocalEngine(jobs, limit_s)


@contextlib.contextmanager
def _progress(rows: int) -> "Iterator[Callable[[SweepRecord], None]]":
    """Show a bar with the time that is left, where somebody looks at it."""
    if not sys.stderr.isatty():
        yield lambda row: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("rows", total=rows)
        yield lambda row: progress.advance(task)


def _rendered(sweep: "SweepTable", form: str, output: Path | None) -> str:
    from dovetail.report.sweep import render_sweep, render_sweep_csv, render_sweep_json, render_sweep_markdown

    if form == "text":
        return render_sweep(sweep, *((screen.WIDTH, False) if output else (screen.width(), screen.color())))
    forms = {"json": render_sweep_json, "markdown": render_sweep_markdown, "csv": render_sweep_csv}
    return forms[form](sweep)
