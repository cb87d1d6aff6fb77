"""`dovetail export`: a plan for other programs that show graphs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dovetail.cli.options import FilePath
from dovetail.cli.output import check_folder, write_text

if TYPE_CHECKING:
    from dovetail.plan import Plan


@click.command("export")
@click.argument("plan", type=FilePath())
@click.option(
    "--model-explorer",
    "explorer",
    type=FilePath(),
    metavar="FILE.json",
    help="The graph for Model Explorer, and beside it FILE.device.json, .time.json and .bytes.json to lay over it.",
)
@click.option(
    "--netron", type=FilePath(), metavar="FILE.onnx", help="An ONNX model whose nodes say where they run and why."
)
def command(plan: Path, explorer: Path | None, netron: Path | None) -> None:
    """Write a plan in the forms of Model Explorer and Netron.

    Operators have the names of the model. Of a plan for several batch sizes the first is written.
    """
    from dovetail.lowering.annotated import write_annotated
    from dovetail.plan import read_plan

    if explorer is None and netron is None:
        raise click.UsageError("nothing to write; give --model-explorer FILE.json, --netron FILE.onnx, or both")
    check_folder("--model-explorer", explorer)
    check_folder("--netron", netron)
    read = read_plan(plan)
    written: list[Path] = []
    if explorer:
        for path, text in _explorer_files(read, plan, explorer).items():
            write_text(path, text, "graph")
            written.append(path)
    if netron:
        written += write_annotated(read, plan, netron)
    for path in written:
        click.echo(f"written to {path}")


def _explorer_files(plan: "Plan", folder: Path, path: Path) -> dict[Path, str]:
    """The graph and what is laid over it, by the file that it goes into."""
    from dovetail.lowering.joined import describe_graph, join_partitions
    from dovetail.report.model_explorer import render_model_explorer, render_overlays

    graph = describe_graph(join_partitions(plan, folder))
    overlays = render_overlays(plan, graph)
    files = {path.with_name(f"{path.stem}.{name}{path.suffix}"): text for name, text in overlays.items()}
    return {path: render_model_explorer(plan, graph)} | files
