"""From a plan to one HTML file that asks nobody for anything."""

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jinja2
from markupsafe import Markup

from dovetail.plan.colors import KIND_COLORS
from dovetail.plan.schema import Front, Plan
from dovetail.report.page import rows, verdict
from dovetail.report.page.marks import SOURCES, energy_text, letters, source_of, time_text
from dovetail.report.page.scenes import scenes
from dovetail.report.page.texts import Texts, script_json
from dovetail.report.pareto import front_plot
from dovetail.report.summary import summarize
from dovetail.report.words import printable

if TYPE_CHECKING:  # it loads ONNX, which the report of a plan does without
    from dovetail.compiler.counterfactual import Suggestions
    from dovetail.lowering.joined import JoinedGraph

_ASSETS: Final = Path(__file__).parent / "assets"
_IS_DARK: Final = '[data-theme="dark"]'
"""Where the reader has chosen the dark theme."""
_SCRIPTS: Final = (
    "model.js",
    "paint.js",
    "scene.js",
    "viewer.js",
    "input.js",
    "panel.js",
    "search.js",
    "timeline.js",
    "tables.js",
    "main.js",
)
"""One program in several files, in this order."""


def render_page(
    plan: Plan,
    graph: "JoinedGraph | None" = None,
    suggestions: "Suggestions | None" = None,
    front: Front | None = None,
) -> str:
    """Return the report as one self-contained HTML file; it opens from disk and makes no request.

    Its size is about 100 kB and 300 bytes for each operator.

    Args:
        plan: of several batch sizes, the first is drawn and all are listed.
        graph: the plan's operators with their edges; without it the page shows partitions but not what is inside.
        suggestions: changes that were tried, for the section about what would help most.
        front: between latency and energy, for a plot.
    """
    style, script = _style(), _script()
    report = summarize(plan)
    return (
        _environment()
        .get_template("page.html")
        .render(
            style=Markup(style),
            script=Markup(script),
            policy=_policy(style, script),
            data=Markup(script_json(_document(plan, graph, suggestions))),
            plan=plan,
            report=report,
            headline=verdict.headline(plan, report),
            tiles=list(verdict.tiles(plan, report)),
            bars=[("Operators", "", verdict.operator_bar(plan, report))]
            + [("Time with transfers", plan.predicted.source, bar) for bar in [verdict.time_bar(plan, report)] if bar],
            rivals=verdict.rivals(plan),
            suggestions=suggestions,
            gains=verdict.gains(suggestions),
            facts=verdict.facts(plan, report),
            codes=verdict.used_codes(plan),
            letters=dict(zip((device.id for device in plan.devices), letters(plan.devices), strict=True)),
            sources=SOURCES,
            plot=Markup(front_plot(front)) if front else None,
            front=front,
        )
    )


def _document(plan: Plan, graph: "JoinedGraph | None", suggestions: "Suggestions | None") -> dict[str, Any]:
    """What the page's program works on."""
    texts = Texts()
    tensors = rows.Tensors(texts, plan, graph)
    reasons = rows.Reasons(texts, plan.devices[0].id)
    operators, verdicts = rows.operator_rows(plan, graph, texts, tensors, reasons)
    document = {
        "devices": rows.device_rows(plan, texts, letters(plan.devices)),
        "operators": operators,
        "verdicts": verdicts,
        "partitions": rows.partition_rows(plan, texts, tensors),
        "transfers": rows.transfer_rows(plan, tensors),
        "costs": rows.cost_rows(plan, texts),
        "reasons": reasons.rows(),
        "scenes": scenes(plan, graph, tensors),
        "inputs": tensors.numbers(spec.name for spec in plan.inputs),
        "outputs": tensors.numbers(spec.name for spec in plan.outputs),
        "gains": verdict.gain_rows(suggestions),
        "latency": plan.predicted.latency_ms,
        "source": plan.predicted.source,
        "sources": [[source.name, source.mark, source.meaning] for source in SOURCES],
    }
    # last, for all that was asked above has numbered them
    return document | {"tensors": tensors.rows, "strings": texts.all()}


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_ASSETS),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters.update(time=time_text, energy=energy_text, mark=source_of)
    return environment


def _shown(value: Any) -> Any:
    """Text of model files without control characters; what is markup already was made here."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _style() -> str:
    colors = " ".join(f"--{kind}: {color};" for kind, color in KIND_COLORS.items())
    chosen = _read("dark.css")
    preferred = chosen.replace(_IS_DARK, ':not([data-theme="light"])')
    both = f"{chosen}@media (prefers-color-scheme: dark) {{\n{preferred}}}\n"
    return f":root {{ {colors} }}\n{_read('page.css')}{both}"


def _script() -> str:
    parts = "\n".join(_read(name) for name in _SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}\n}})();\n'


def _read(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """What the page may load: its own style and program, told by their digests, and nothing else."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
