"""How the figures of a plan are written."""

from typing import Literal

from dovetail.report.words import UNKNOWN

Unit = Literal["share", "count", "B", "ms", "mJ"]


def figure_text(value: float | None, unit: Unit) -> str:
    """Return `94.1 %` for a share of 0.941, `3`, `812 B`, `4.25 ms`; `?` for None. Digits enough to tell two apart."""
    if value is None:
        return UNKNOWN
    if unit == "share":
        return f"{100 * value:.4g} %"
    if unit in ("count", "B"):
        return f"{value:.12g}" if unit == "count" else f"{value:.12g} B"
    return f"{value:.6g} {unit}"
