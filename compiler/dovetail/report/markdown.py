"""Markdown for comments: GitHub's tables, folded parts, and names that can't format, link or call anybody."""

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from dovetail.report.words import printable

MOST_CHARACTERS: Final = 65_536
"""GitHub refuses longer comments."""
_WITHOUT_A_LINK: Final = "&#8203;"
"""A space of no width: GitHub looks for `@name` and `#1` in what is shown, where an escape is gone already."""
_MARKED: Final = str.maketrans(
    {mark: f"\\{mark}" for mark in "\\`*_[]{}<>|~$&!"} | {mark: f"{mark}{_WITHOUT_A_LINK}" for mark in "@#"}
)

_AS_TEXT: Final = re.compile(r"[@#]|:(?=//)|www(?=\.)")
"""What GitHub makes links of in HTML too."""


def escaped(text: str) -> str:
    """Return text as Markdown shows it, in one line: names come from model files."""
    return printable(text).translate(_MARKED).replace("://", ":\\//").replace("www.", "www\\.")


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table and an empty one; none without rows.

    Args:
        columns: their names; one that starts with `>` is aligned to the right.
        rows: cells as plain text.
    """
    if not rows:
        return []
    rules = ["---:" if column.startswith(">") else "---" for column in columns]
    cells = [[column.removeprefix(">") for column in columns], rules]
    cells += [[escaped(cell) for cell in row] for row in rows]
    return [*(f"| {' | '.join(row)} |" for row in cells), ""]


def folded(title: str, lines: Iterable[str]) -> Iterator[str]:
    """Yield lines that are shown when the reader opens them; the title is plain text."""
    # here Markdown's escapes would be shown
    shown = _AS_TEXT.sub(rf"\g<0>{_WITHOUT_A_LINK}", html.escape(printable(title), quote=False))
    yield from ("<details>", f"<summary>{shown}</summary>", "", *lines, "</details>", "")
