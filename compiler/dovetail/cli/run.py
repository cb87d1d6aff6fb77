"""`dovetail run`: a plan on real or random inputs."""

import time
from pathlib import Path

import click

from dovetail.cli import screen
from dovetail.cli.options import FilePath, emulate_option, parse_files
from dovetail.cli.output import check_folder, write_text


@click.command("run")
@click.argument("plan", type=FilePath())
@click.option(
    "--input",
    "inputs",
    metavar="NAME=FILE.npy",
    multiple=True,
    callback=parse_files,
    help="The value of an input. Repeatable.",
)
@click.option("--random", "seed", metavar="SEED", type=click.IntRange(min=0), help="Make up the other inputs.")
@click.option("-o", "--output", type=FilePath(), metavar="FILE.npz", help="Write the outputs to a file.")
@click.option(
    "--repeat",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Run N times more and print the latency.",
)
@click.option("--trace", type=FilePath(), metavar="FILE.json", help="Write a trace of all runs, for Perfetto.")
@click.option("--strict", is_flag=True, help="Fail where a device is missing or fails, instead of falling back.")
@click.option(
    "--batch", type=click.IntRange(min=1), metavar="N", help="Of a plan for several batch sizes. [default: its first]"
)
@click.option("--require-certificate", is_flag=True, help="Refuse a plan that was not verified when it was compiled.")
@emulate_option
def command(
    plan: Path,
    inputs: dict[str, Path],
    seed: int | None,
    output: Path | None,
    repeat: int,
    trace: Path | None,
    strict: bool,
    emulate: bool,
    batch: int | None,
    require_certificate: bool,
) -> None:
    """Run a plan on real or random inputs.

    Prints every output's type, shape and range, and where each partition really ran.
    """
    from dovetail.cli.execution import check_certificate, latency_lines, open_executor, output_lines, placement_lines
    from dovetail.cli.feeds import gather_feeds
    from dovetail.cli.recording import Recorder
    from dovetail.plan.arrays import write_arrays
    from dovetail.report import render_trace
    from dovetail.report.console import draw

    check_folder("--output", output)
    check_folder("--trace", trace)
    if require_certificate:
        check_certificate(plan)
    screen.show_log_warnings()
    recorder = Recorder()
    observer = recorder.observe if trace else None
    with open_executor(plan, strict=strict, emulate=emulate, batch=batch, observer=observer) as executor:
        run = recorder.around(executor.run) if trace else executor.run
        feeds = gather_feeds(executor.plan.inputs, inputs, seed)
        outputs = run(feeds)
        seconds = []
        for _ in range(repeat):
            start = time.perf_counter()
            run(feeds)
            seconds.append(time.perf_counter() - start)
        lines = [
            *placement_lines(executor.plan, executor.placement, executor.events),
            *output_lines(outputs),
            *latency_lines(seconds, executor.placement),
        ]
    if output:
        write_arrays(output, outputs)
    if trace:
        write_text(trace, render_trace(executor.plan, recorder.runs), "trace")
    click.echo(draw(lines, screen.width(), screen.color()), nl=False)
    if output:
        click.echo(f"written to {output}")
    if trace:
        click.echo(f"trace written to {trace}")
