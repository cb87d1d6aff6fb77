"""Tables and coloured words for a terminal, as strings."""

import io
from collections.abc import Iterable, Sequence
from typing import Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

from dovetail.plan.colors import KIND_COLORS
from dovetail.report.words import printable

KIND_STYLE: Final = KIND_COLORS
STATE_STYLE: Final = {"supported": "green", "soft": "yellow", "unknown": "magenta", "unsupported": "red"}
DIM: Final = "bright_black"
STRONG: Final = "bold"
_THEME: Final = Theme({"markdown.code": STRONG, "markdown.item.number": DIM, "markdown.item.bullet": DIM})
"""Of Markdown: rich's own black boxes are hard to read on light terminals."""


def draw(parts: Iterable[RenderableType], width: int, color: bool) -> str:
    """Return the parts, one below the other, as text of at most `width` columns that ends with a newline."""
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=color,
        color_system="truecolor" if color else None,
        no_color=not color,
        legacy_windows=False,
        highlight=False,
        emoji=False,
        markup=False,
        theme=_THEME,
    )
    with console.capture() as capture:
        console.print(Group(*parts))
    lines = (line.rstrip() for line in capture.get().splitlines())
    return "\n".join(lines).rstrip("\n") + "\n"


def words(*parts: str | tuple[str, str]) -> Text:
    """Return one line of text from plain words and (word, style) pairs, control characters escaped."""
    text = Text(overflow="fold")
    for part in parts:
        content, style = part if isinstance(part, tuple) else (part, "")
        text.append(printable(content), style)
    return text


def heading(title: str) -> Text:
    """Return a section's title with an empty line above."""
    return Text(f"\n{title}", style=STRONG)


def table(columns: Sequence[str]) -> Table:
    """Return an empty table; a column whose name starts with `>` is aligned to the right."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style=DIM, border_style=DIM)
    for column in columns:
        right = column.startswith(">")
        made.add_column(column.removeprefix(">"), justify="right" if right else "left", overflow="fold")
    return made


def fields(rows: Iterable[tuple[str, RenderableType]], indent: int = 0) -> Table:
    """Return rows of a dim label and a value, without lines."""
    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(style=DIM, no_wrap=True)
    made.add_column(overflow="fold")
    for label, value in rows:
        made.add_row(" " * indent + label, value)
    return made
