"""What `dovetail targets probe` shows."""

from typing import TYPE_CHECKING

from dovetail.cli import screen

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dovetail.compiler.probing import Probe, Probed


def show_probe(probe: "Probe") -> str:
    """Return the table of disagreements and one line that sums up."""
    from dovetail.report.console import draw, table, words

    different = probe.disagreements
    lines: list[RenderableType] = []
    if different:
        rows = table(["operator", "type", "the file", "the tool", "why"])
        for unit in different:
            rows.add_row(words(unit.name), words(unit.op_type), unit.state, _answer(unit), words(_why(unit)))
        lines = [rows, words("")]
    taken = sum(unit.answer.whole for unit in probe.units)
    summary = f"{probe.tool} takes {taken} of {len(probe.units)} operators on '{probe.device}' of {probe.target}"
    verdict = f"the file disagrees on {len(different)}" if different else "the file agrees"
    return draw([*lines, words(f"{summary}; {verdict}")], screen.width(), screen.color())


def _answer(unit: "Probed") -> str:
    if unit.answer.outcome == "failed":
        return "failed"
    return "takes it" if unit.answer.whole else "refuses it"


def _why(unit: "Probed") -> str:
    """The side that refuses says why."""
    return unit.reason if unit.answer.whole else unit.answer.words
