"""What a plan says to its user: where each operator runs, why, and what crosses. Works from plans only."""

from dovetail.plan.causes import Cause
from dovetail.report.annotations import render_annotations
from dovetail.report.comment import render_markdown
from dovetail.report.difference import Difference, compare_outputs, worst_of
from dovetail.report.document import render_json
from dovetail.report.explain import Explanation, explain_operators, render_explanations
from dovetail.report.find import Match, find_operators
from dovetail.report.frames import to_dataframe
from dovetail.report.pareto import render_front, render_front_json
from dovetail.report.sarif import render_sarif
from dovetail.report.summary import (
    Body,
    Boundary,
    DeviceShare,
    DisplacedOperator,
    PartitionRow,
    Report,
    TransferTotals,
    operators_in,
    summarize,
)
from dovetail.report.text import render_text, render_verdict
from dovetail.report.trace import TracedRun, render_trace

__all__ = [
    "Report",
    "summarize",
    "operators_in",
    "Body",
    "Boundary",
    "Cause",
    "DeviceShare",
    "DisplacedOperator",
    "PartitionRow",
    "TransferTotals",
    "render_json",
    "render_text",
    "render_markdown",
    "render_annotations",
    "render_sarif",
    "render_front",
    "render_front_json",
    "render_verdict",
    "to_dataframe",
    "TracedRun",
    "render_trace",
    "Explanation",
    "Match",
    "explain_operators",
    "find_operators",
    "render_explanations",
    "Difference",
    "compare_outputs",
    "worst_of",
]
