"""What `dovetail targets probe` shows."""

from collections import Counter
from collections.abc import Iterator
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
    lines += [words(text) for text in _not_asked(probe)]
    return draw([*lines, words(_summary(probe))], screen.width(), screen.color())


def _summary(probe: "Probe") -> str:
    taken = sum(unit.answer.whole for unit in probe.units)
    asked = sum(unit.asked for unit in probe.units)
    different = len(probe.disagreements)
    parts = [f"{probe.tool} takes {taken} of {asked} operators on '{probe.device}' of {probe.target}"]
    if unasked := len(probe.units) - asked:
        parts.append(f"{unasked} {'was' if unasked == 1 else 'were'} not asked about")
    parts.append(f"the file disagrees on {different}" if different else "the file agrees")
    return "; ".join(parts)


def _not_asked(probe: "Probe") -> Iterator[str]:
    """A line for each kind of operator that the tool could not be asked about."""
    kinds = Counter((unit.op_type, unit.answer.words) for unit in probe.units if not unit.asked)
    for (op_type, why), count in kinds.items():
        times = f" ({count} times)" if count > 1 else ""
        yield f"not asked about {op_type}{times}: {why}"


def _answer(unit: "Probed") -> str:
    if unit.answer.outcome == "failed":
        return "failed"
    return "takes it" if unit.answer.whole else "refuses it"


def _why(unit: "Probed") -> str:
    """The side that refuses says why."""
    return unit.reason if unit.answer.whole else unit.answer.words
