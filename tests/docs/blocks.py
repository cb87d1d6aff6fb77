"""The fenced blocks of a page, and the commands in them with what they print."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
"""The pages that are written by hand. Those of targets, codes and the gallery are made by programs of their own."""

ELLIPSIS: Final = "..."
"""A line of output that stands for any number of lines; at the end of a line, for any rest of it."""

_FENCE: Final = re.compile(r"^```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?$")
_NEEDS: Final = re.compile(r"^<!-- needs: (?P<need>[\w-]+)")


@dataclass(frozen=True, slots=True)
class Block:
    """What stands between two fences."""

    page: Path
    line: int
    """Index of its first line behind the fence."""
    language: str
    title: str
    """Name of the file whose text it is, or nothing."""
    needs: str
    """The vendor's tool that its commands need, or nothing."""
    lines: tuple[str, ...]

    @property
    def place(self) -> str:
        return f"{self.page.name}:{self.line + 1}"


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a console or bash block."""

    text: str
    line: int
    """Index of the first line of its output in the page."""
    output: tuple[str, ...] | None
    """The output that the page shows; None: it shows none."""


def blocks_of(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    blocks = []
    lines = page.read_text(encoding="utf-8").splitlines()
    number = 0
    while number < len(lines):
        fence = _FENCE.match(lines[number])
        if fence is None:
            number += 1
            continue
        needs = _NEEDS.match(lines[number - 1]) if number else None
        end = lines.index("```", number + 1)
        body = tuple(lines[number + 1 : end])
        need = needs["need"] if needs else ""
        blocks.append(Block(page, number + 1, fence["language"], fence["title"] or "", need, body))
        number = end + 1
    return blocks


def commands_of(block: Block) -> list[Command]:
    """The commands of a `console` block with their output, of a `bash` block without; none of another block."""
    if block.language == "bash":
        joined = "\n".join(block.lines).replace("\\\n", "").splitlines()
        lines = [line.split("  # ")[0].strip() for line in joined]
        return [Command(line, 0, None) for line in lines if line and not line.startswith("#")]
    if block.language != "console":
        return []
    starts = [number for number, line in enumerate(block.lines) if line.startswith("$ ")]
    ends = [*starts[1:], len(block.lines)]
    return [
        Command(block.lines[start][2:], block.line + start + 1, block.lines[start + 1 : end] or None)
        for start, end in zip(starts, ends, strict=True)
    ]


def matches(shown: tuple[str, ...], printed: list[str]) -> bool:
    """Whether a page shows what was printed, up to its ellipses."""
    pattern = ""
    for line in shown:
        if line == ELLIPSIS:
            pattern += r"(?:.*\n)*?"
        elif line.endswith(f" {ELLIPSIS}"):
            pattern += re.escape(line.removesuffix(ELLIPSIS)) + r".*\n"
        else:
            pattern += re.escape(line) + r"\n"
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None


def shown_anew(shown: tuple[str, ...], printed: list[str]) -> list[str]:
    """What the page should show: as it is where it is right, else as many lines on either side of the ellipsis."""
    if matches(shown, printed):
        return list(shown)
    if ELLIPSIS not in shown:
        return printed
    before, after = shown.index(ELLIPSIS), len(shown) - 1 - shown[::-1].index(ELLIPSIS)
    behind = len(shown) - 1 - after
    return [*printed[:before], ELLIPSIS, *(printed[-behind:] if behind else [])]
