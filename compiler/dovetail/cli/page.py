"""The HTML report: of a plan that lies on disk, or of a model that is compiled for it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dovetail.cli.source import load_compilation, load_plan

if TYPE_CHECKING:
    from dovetail.compiler import Compilation, CompileOptions
    from dovetail.plan import Front


def html_page(source: Path, target: str | None, options: dict[str, Any], pareto: bool = False) -> str:
    """Return the page of a plan's folder, or of a model with what would help it most.

    Args:
        source: the folder, or the model's file.
        target: for a model.
        options: those of the command line, as `compile_options` takes them.
        pareto: of a model, show the front between latency and energy too.

    Raises:
        ModelError, PlanError: as `load_plan`.
    """
    if source.is_dir():
        from dovetail.lowering.joined import describe_graph, join_partitions
        from dovetail.report.page import render_page

        plan = load_plan(source, target, **options)
        return render_page(plan, describe_graph(join_partitions(plan, source)))
    compilation, made = load_compilation(source, target, **options)
    if not pareto:
        return page_of(compilation, made)
    from dovetail.compiler.driver import trace_front

    return page_of(compilation, made, trace_front(compilation.graph, compilation.target, made))


def page_of(compilation: "Compilation", made: "CompileOptions", front: "Front | None" = None) -> str:
    """Return the page of a compilation, made with these options."""
    from dovetail.compiler.counterfactual import suggest
    from dovetail.compiler.wiring import wire
    from dovetail.report.page import render_page

    return render_page(compilation.plan, wire(compilation), suggest(compilation, made), front)
