"""The front between latency and energy: a table, and a plot for the page."""

import html
from collections import Counter
from collections.abc import Iterator
from typing import Final

from rich.console import RenderableType

from dovetail.plan.colors import KIND_COLORS
from dovetail.plan.schema import Front, FrontPoint
from dovetail.report.console import draw, fields, table, words
from dovetail.report.document import render_record
from dovetail.report.text import WIDTH
from dovetail.report.words import counted, digits

FRONT_VERSION: Final = 1
"""Of the JSON document."""
_PLOT: Final = (640, 400)
_MARGIN: Final = 70
_TICKS: Final = 5
_MOST_CHANGES: Final = 4


def render_front(front: Front, width: int = WIDTH, color: bool = False) -> str:
    """Return the front as text: a line for each placement, and what changes from one to the next."""
    return draw(_text(front), width, color)


def render_front_json(front: Front) -> str:
    """Return one JSON document: the fields of `Front` and a version."""
    return render_record(front, FRONT_VERSION)


def _text(front: Front) -> Iterator[RenderableType]:
    yield fields([("model", words(front.model)), ("target", words(front.target)), ("figures", words(front.source))])
    made = table([">", ">ms", ">mJ", ">ms*mJ", ">partitions", "operators", "moves"])
    before: FrontPoint | None = None
    for number, point in enumerate(front.points, 1):
        product = f"{point.latency_ms * point.energy_mj:.4g}"
        figures = (f"{point.latency_ms:.4g}", f"{point.energy_mj:.4g}", product, str(point.partitions))
        made.add_row(str(number), *figures, words(_shares(front, point)), words(_changes(before, point)))
        before = point
    yield made


def _shares(front: Front, point: FrontPoint) -> str:
    counts = Counter(point.device_of.values())
    return "  ".join(f"{device} {counts[device]}" for device in front.devices if counts[device])


def _changes(before: FrontPoint | None, point: FrontPoint) -> str:
    """Return which operators are elsewhere than at the point before."""
    if before is None:
        return ""
    moved: dict[str, list[str]] = {}
    for name, device in point.device_of.items():
        if before.device_of[name] != device:
            moved.setdefault(f"{before.device_of[name]} to {device}", []).append(name)
    return "; ".join(f"{way}: {_some(names)}" for way, names in moved.items())


def _some(names: list[str]) -> str:
    rest = len(names) - _MOST_CHANGES
    return ", ".join(names[:_MOST_CHANGES]) + (f" and {counted(rest, 'more operator')}" if rest > 0 else "")


def front_plot(front: Front) -> str:
    """Return the plot as SVG, with both axes from 0 in the colour of the text around it."""
    width, height = _PLOT
    most_ms = max((point.latency_ms for point in front.points), default=0.0) * 1.1 or 1.0
    most_mj = max((point.energy_mj for point in front.points), default=0.0) * 1.1 or 1.0

    def place(latency: float, energy: float) -> tuple[float, float]:
        x = _MARGIN + latency / most_ms * (width - 2 * _MARGIN)
        return x, height - _MARGIN - energy / most_mj * (height - 2 * _MARGIN)

    left, bottom = place(0, 0)
    right, top = place(most_ms, most_mj)
    parts = [f'<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="currentColor"/>']
    for tick in range(_TICKS + 1):
        latency, energy = most_ms * tick / _TICKS, most_mj * tick / _TICKS
        (x, _), (_, y) = place(latency, 0), place(0, energy)
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18:.1f}" text-anchor="middle">{digits(latency)}</text>')
        parts.append(f'<text x="{left - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">{digits(energy)}</text>')
    color = KIND_COLORS["npu"]
    dots = [place(point.latency_ms, point.energy_mj) for point in front.points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in dots)
    parts.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>')
    for number, ((x, y), point) in enumerate(zip(dots, front.points, strict=True), 1):
        label = html.escape(f"{number}: {point.latency_ms:.4g} ms, {point.energy_mj:.4g} mJ; {_shares(front, point)}")
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{color}"><title>{label}</title></circle>')
        parts.append(f'<text x="{x + 8:.1f}" y="{y - 8:.1f}">{number}</text>')
    middle = (left + right) / 2
    parts.append(f'<text x="{middle:.1f}" y="{height - 20}" text-anchor="middle">latency, ms</text>')
    turned = f'transform="rotate(-90 18 {height / 2})"'
    parts.append(f'<text x="18" y="{height / 2}" text-anchor="middle" {turned}>energy, mJ</text>')
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="latency and energy">{"".join(parts)}</svg>'
