"""`dovetail check`: a plan against budgets and an older plan."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from dovetail.cli import screen
from dovetail.cli.configured import configured
from dovetail.cli.options import FilePath, FiniteNumber, TargetRef
from dovetail.cli.output import check_folder, write_text
from dovetail.plan.errors import PlanError

if TYPE_CHECKING:
    from dovetail.plan import Plan
    from dovetail.report.check import CheckReport


_SHARE: Final = FiniteNumber(min=0, max=1)
_AMOUNT: Final = FiniteNumber(min=0)
_COUNT: Final = click.IntRange(min=0, max=2**63 - 1)
_BUDGETS: Final = (
    "min-npu-ops",
    "min-npu-time",
    "max-partitions",
    "max-boundary-bytes",
    "max-latency-ms",
    "max-energy-mj",
)
_CONFIGURED: Final = (*_BUDGETS, "baseline", "tolerance", "target")


@click.command("check")
@click.argument("plan", type=FilePath())
@click.option("--min-npu-ops", type=_SHARE, metavar="F", help="Least share of the operators on the NPU.")
@click.option("--min-npu-time", type=_SHARE, metavar="F", help="Least share of the NPU in the devices' predicted time.")
@click.option("--max-partitions", type=_COUNT, metavar="N", help="Most partitions.")
@click.option("--max-boundary-bytes", type=_COUNT, metavar="N", help="Most bytes that cross between devices.")
@click.option("--max-latency-ms", type=_AMOUNT, metavar="F", help="Longest predicted time of a request.")
@click.option("--max-energy-mj", type=_AMOUNT, metavar="F", help="Most predicted energy of a request.")
@click.option("--baseline", type=FilePath(), metavar="OLD.plan", help="Nothing may be worse than in this plan.")
@click.option(
    "--tolerance", type=_AMOUNT, metavar="F", help="With --baseline: percent that a figure may be worse. [default: 0]"
)
@click.option(
    "-t", "--target", type=TargetRef(), metavar="TARGET[:VARIANT]", help="Refuse a plan for any other target."
)
@click.option("--junit", type=FilePath(), metavar="FILE.xml", help="Write a JUnit report too.")
@click.option("--format", "form", type=click.Choice(["text", "json", "github"]), default="text", show_default=True)
@click.pass_context
def command(context: click.Context, /, plan: Path, form: str, junit: Path | None, **given: Any) -> None:
    """Hold a plan to budgets, for CI.

    Budgets stand on the command line or in [tool.dovetail.check] of pyproject.toml, in the current folder or above;
    the command line overrules. Exit code 1 where one does not hold; a figure that is not known does not hold.
    """
    from dovetail.plan import read_plan
    from dovetail.report.check import check_plan
    from dovetail.report.check_formats import render_junit

    check_folder("--junit", junit)
    options = configured(context, _CONFIGURED) | {name: value for name, value in given.items() if value is not None}
    baseline, tolerance = options.pop("baseline", None), options.pop("tolerance", None)
    if tolerance is not None and baseline is None:
        raise click.UsageError("--tolerance belongs to --baseline; add it")
    made = read_plan(plan)
    _check_target(made, options.pop("target", None))
    budgets = {name.replace("_", "-"): value for name, value in options.items()}
    report = check_plan(made, budgets, read_plan(baseline) if baseline else None, tolerance or 0.0)
    if junit is not None:
        write_text(junit, render_junit(report), "report")
    click.echo(_rendered(report, form), nl=False)
    context.exit(0 if report.holds else 1)


def _check_target(plan: "Plan", asked: str | None) -> None:
    if asked is None:
        return
    from dovetail.targets import load_target

    wanted = load_target(asked).ref
    if plan.target != wanted:
        raise PlanError(
            f"plan of '{plan.model.name}': is for target '{plan.target}', '{wanted}' was asked for; compile the model "
            f"with -t {asked}"
        )


def _rendered(report: "CheckReport", form: str) -> str:
    from dovetail.report.check_formats import render_check, render_check_github, render_check_json

    if form == "json":
        return render_check_json(report)
    if form == "github":
        return render_check_github(report)
    return render_check(report, screen.width(), screen.color())
