"""`dovetail calibrate`: the cost model of a device, fitted to timings."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dovetail.cli.options import FilePath, compile_options, loading_options, target_option
from dovetail.cli.output import check_folder

if TYPE_CHECKING:
    from dovetail.cost.costs_file import CostsPart, ErrorsPart, Source


@click.command("calibrate")
@click.argument("models", metavar="MODEL...", type=FilePath(), nargs=-1, required=True)
@target_option(required=True)
@click.option(
    "--source",
    type=click.Choice(["host", "vela", "rknn"]),
    help="host: this machine's CPU; vela, rknn: the vendor's compiler. [default: the target's tool, else host]",
)
@click.option("-o", "--output", type=FilePath(), required=True, help="Where to write the fitted costs, for --costs.")
@loading_options
def command(
    models: tuple[Path, ...],
    target: str,
    source: "Source | None",
    output: Path,
    shape: dict[str, tuple[int, ...]],
    dim: dict[str, int],
    bind: dict[str, str],
) -> None:
    """Fit the cost model of a device to timings of the operators of some models.

    Half of the operators is fitted, the other half tells how far the fitted figures carry. host times the target's CPU,
    which should be this machine's kind; vela and rknn read the estimates of the vendor's compiler for the NPU.
    """
    from dovetail.compiler.calibrating import calibrate
    from dovetail.cost.costs_file import write_costs
    from dovetail.targets import load_target

    check_folder("--output", output)
    costs = calibrate(models, load_target(target), source, compile_options(shape, dim, bind))
    write_costs(costs, output)
    click.echo(_summary(costs))
    click.echo(f"written to {output}")


def _summary(costs: "CostsPart") -> str:
    number = len(costs.figures)
    lines = [
        f"{costs.tool} timed {costs.fitted.samples + costs.held_out.samples} operators of '{costs.device}' of"
        f" {costs.target}; {number} {'figure was' if number == 1 else 'figures were'} fitted to"
        f" {costs.fitted.samples} of them",
        f"fitted:       {_errors(costs.fitted)}",
        f"held out:     {_errors(costs.held_out)}",
        f"uncalibrated: {_errors(costs.uncalibrated)}, on what was held out",
    ]
    return "\n".join(lines)


def _errors(part: "ErrorsPart") -> str:
    return f"median error {part.median_relative:.1%}, rank correlation {part.rank_correlation:.3f}"
