"""How reports write names, counts, figures and sizes."""

from typing import Final

UNKNOWN: Final = "?"
"""Stands for a size that depends on a symbolic dimension; never 0."""


def printable(text: str) -> str:
    """Return `text` with control characters escaped: names come from model files and go to a terminal."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )


def counted(number: int, noun: str) -> str:
    """Return `1 operator`, `2 operators`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def digits(value: float) -> str:
    """Return a figure with three digits; a large one whole, as `12345`, never as `1.23e+04`."""
    return f"{value:.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def size_text(size: int | None) -> str:
    """Return `812 B`, `1.2 kB`, `3.4 MB` (powers of 1000), `?` for None."""
    if size is None:
        return UNKNOWN
    if size < 1000:
        return f"{size} B"
    amount = size / 1000
    for unit in ("kB", "MB", "GB"):
        if amount < 999.95:
            return f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
