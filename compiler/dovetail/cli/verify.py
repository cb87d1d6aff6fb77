"""`dovetail verify`: a plan against the unsplit model."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from dovetail.cli import screen
from dovetail.cli.options import FilePath, FiniteNumber, emulate_option
from dovetail.plan.errors import ModelError, RunError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dovetail.cli.feeds import Array
    from dovetail.plan import Plan
    from dovetail.report import Difference

EXACT_TOLERANCE: Final = 1e-5
"""Where everything ran in fp32 on the CPU, only the order of additions may differ."""
DEVICE_TOLERANCE: Final = 1e-2
"""Where a device rounds to fp16, or computes in int8."""


@click.command("verify")
@click.argument("plan", type=FilePath())
@click.argument("model", type=FilePath())
@click.option(
    "--samples", type=click.IntRange(min=1), metavar="N", default=1, show_default=True, help="Random inputs to try."
)
@click.option(
    "--inputs", type=FilePath(), metavar="FILE.npz", help="Use these inputs, by name, instead of random ones."
)
@click.option(
    "--tolerance",
    type=FiniteNumber(min=0),
    metavar="F",
    help=f"Largest absolute error. [default: {EXACT_TOLERANCE:g} if all ran on the CPU in fp32, "
    f"else {DEVICE_TOLERANCE:g}; for a model that --quantize has made int8, the signal to noise that it was bound to]",
)
@emulate_option
@click.pass_context
def command(
    context: click.Context,
    plan: Path,
    model: Path,
    samples: int,
    inputs: Path | None,
    tolerance: float | None,
    emulate: bool,
) -> None:
    """Compare a plan's outputs with the unsplit model's.

    The model runs on ONNX Runtime's CPU provider. Floats may differ by the tolerance; integers, booleans and
    text must be equal. Exit code 1 where they are not.

    The plan of a model that --quantize has made int8 is compared with the float model: its floats must have the signal
    to noise of --min-snr-db. Random inputs lie in the range of the samples it was calibrated on.
    """
    from dovetail.cli.execution import open_executor, placement_lines
    from dovetail.ir.door import open_model
    from dovetail.lowering import run_reference
    from dovetail.report import compare_outputs, worst_of
    from dovetail.report.console import draw
    from dovetail.report.words import counted

    screen.show_log_warnings()
    digest = open_model(model).sha256
    with open_executor(plan, emulate=emulate) as executor:
        made = executor.plan
        if digest != made.model.sha256:
            screen.warn(f"the plan was made from another model than '{model}' (their SHA-256 differ)")
        names = [output.name for output in made.outputs]
        bound = _bound_arrays(made, model)
        try:
            results = [
                compare_outputs(executor.run(feeds), run_reference(model, feeds, bound, names))
                for feeds in _samples(made, inputs, samples)
            ]
        except ModelError as error:
            if digest == made.model.sha256:
                raise
            what = f"plan of {made.model.name!r}: '{model}' does not run with its inputs and outputs"
            raise RunError(f"{what}; give the model that the plan was made from") from error
        placement = executor.placement
        lines = list(placement_lines(made, placement, executor.events))
    differences = worst_of(results)
    limit = _limit(made, placement, tolerance)
    lines += _difference_lines(differences, limit)
    click.echo(draw(lines, screen.width(), screen.color()), nl=False)
    holds = all(limit.holds(each) for each in differences)
    click.echo(
        f"{'ok' if holds else 'FAILED'}: {limit.found(differences)} ({limit.why}), {counted(len(results), 'sample')}"
    )
    context.exit(0 if holds else 1)


def _bound_arrays(plan: "Plan", model: Path) -> dict[str, "Array"]:
    """Return the arrays that `--bind` fixed when the plan was made."""
    from dovetail.ir import Bindings, bound_arrays

    options = {option.removeprefix("--"): value for option, value in plan.model.bindings.items()}
    return bound_arrays(model, Bindings.from_text(options))


def _samples(plan: "Plan", inputs: Path | None, samples: int) -> Iterator[dict[str, "Array"]]:
    from dovetail.cli.feeds import made_up_feeds
    from dovetail.plan.arrays import read_arrays
    from dovetail.report.words import quoted

    if inputs is None:
        ranges = plan.quantization.ranges if plan.quantization is not None else {}
        for seed in range(samples):
            yield made_up_feeds(plan.inputs, seed, ranges)
        return
    given = read_arrays(inputs, "--inputs")
    missing = [spec.name for spec in plan.inputs if spec.name not in given]
    if missing:
        raise RunError(f"--inputs '{inputs}': no array for {quoted(missing)}; it has {quoted(given)}; add it")
    yield given


@dataclass(frozen=True, slots=True)
class _Limit:
    """What differences may be, and where that comes from."""

    tolerance: float | None
    """Largest absolute error."""
    snr_db: float
    """Least signal to noise of floats, where there is no tolerance."""
    why: str
    may_flip: bool = False
    """What is no float may differ: the floats of the same plan are judged."""

    def holds(self, difference: "Difference") -> bool:
        """Whether an output is close enough."""
        if self.tolerance is not None:
            return difference.max_absolute <= self.tolerance
        if difference.exact:
            return self.may_flip or not difference.differing
        return not difference.mismatch and difference.snr_db >= self.snr_db

    def found(self, differences: Sequence["Difference"]) -> str:
        """The figure that is judged, beside what it may be."""
        if self.tolerance is not None:
            worst = max((each.max_absolute for each in differences if not each.exact), default=0.0)
            differing = sum(each.differing for each in differences if each.exact)
            rest = f"; of the other types {differing} elements differ, none may" if differing else ""
            return f"max error {worst:.3g}, tolerance {self.tolerance:g}{rest}"
        if not self.may_flip:
            return f"{sum(each.differing for each in differences)} elements differ, none may"
        least = min((each.snr_db for each in differences if not each.exact), default=math.inf)
        return f"signal to noise {least:.1f} dB, {self.snr_db:g} dB wanted"


def _limit(plan: "Plan", placement: Mapping[str, str], tolerance: float | None) -> _Limit:
    """Return what is allowed: what was given, or what fits the plan."""
    if tolerance is not None:
        return _Limit(tolerance, 0.0, "given")
    if plan.quantization is not None and plan.quantization.taken:
        floats = any(output.dtype.startswith(("float", "bfloat")) for output in plan.outputs)
        why = "default: --min-snr-db of the plan, which is int8"
        return _Limit(None, plan.quantization.min_snr_db, why, may_flip=floats)
    plain = {device.id for device in plan.devices if device.kind == "cpu" and device.numerics == "fp32"}
    if set(placement.values()) <= plain:
        return _Limit(EXACT_TOLERANCE, 0.0, "default: all partitions ran on the CPU in fp32")
    return _Limit(DEVICE_TOLERANCE, 0.0, "default: not all partitions ran on the CPU in fp32")


def _difference_lines(differences: Sequence["Difference"], limit: _Limit) -> Iterator["RenderableType"]:
    from dovetail.report.console import STATE_STYLE, heading, table, words

    yield heading("outputs against the unsplit model")
    made = table(["output", "type", ">max abs", ">max rel", ">cosine", ">snr dB", "verdict"])
    for each in differences:
        verdict = words(
            ("ok", STATE_STYLE["supported"]) if limit.holds(each) else (_failure(each), STATE_STYLE["unsupported"])
        )
        figures = f"{each.max_absolute:.3g}", f"{each.max_relative:.3g}", f"{each.cosine:.6f}", f"{each.snr_db:.1f}"
        made.add_row(words(each.output), each.dtype, *(("",) * len(figures) if each.exact else figures), verdict)
    yield made


def _failure(difference: "Difference") -> str:
    if difference.mismatch:
        return f"FAILED: {difference.mismatch}"
    return f"FAILED: {difference.differing} of {difference.elements} differ"
