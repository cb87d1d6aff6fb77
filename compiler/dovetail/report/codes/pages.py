"""The pages of codes. What is written by hand lies in data/, one file a code: `data/DV104.md`.

A file has what the code means, how it is decided, what to do, and an example with what it prints, in Markdown; see
`dovetail.cli.code_pages`, which runs the examples.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import RenderableType
from rich.markdown import Markdown
from rich.text import Text

from dovetail.plan.codes import CODES, Code, label
from dovetail.report.console import DIM, STRONG, draw, heading, words
from dovetail.report.document import render_record
from dovetail.report.text import WIDTH

CODE_VERSION: Final = 1
"""Of the JSON document."""
FENCE: Final = "```"


@dataclass(frozen=True, slots=True)
class CodePage:
    """A code with its page."""

    code: str
    """`DV104`."""
    rule: str
    """The rule's kind: `dtype`."""
    title: str
    fix: str
    """What helps as a rule."""
    page: str
    """What it means, how it is decided, what to do, and an example: Markdown with a title."""


def page_file(code: Code) -> Path:
    """Return the file that holds what is written by hand."""
    return Path(__file__).parent / "data" / f"{code.code}.md"


def code_page(code: Code) -> CodePage:
    """Return the page of a code."""
    text = f"# {label(code.code, code.rule)}: {code.title}\n\n{page_file(code).read_text(encoding='utf-8')}"
    return CodePage(code.code, code.rule, code.title, code.fix, text)


def index_page() -> str:
    """Return the page that lists all codes, in Markdown."""
    rows = [f"| [{each.code}]({each.code}.md) | `{each.rule}` | {each.title} | {each.fix} |" for each in CODES]
    return "\n".join(
        [
            "# Codes",
            "",
            "Every operator that is not on the first device of its target has a reason, and every reason a code. A",
            "code never changes its meaning. `dovetail explain DV104` prints its page, and so does the rule's name.",
            "",
            "- `DV1..`: a rule of the device speaks against the operator",
            "- `DV2..`: the operator goes where others go",
            "- `DV3..`: the device takes it, and the placement put it elsewhere",
            "- `DV4..`: a compiler or a backend was asked and said no",
            "",
            "The models of the examples are in ONNX's text form. To try one, save it as `example.txt`, and then:",
            "",
            "```python",
            "import onnx_ir",
            "",
            'onnx_ir.save(onnx_ir.from_onnx_text(open("example.txt").read()), "example.onnx")',
            "```",
            "",
            "| code | rule | what is wrong | what helps as a rule |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def render_code(page: CodePage, width: int = WIDTH, color: bool = False) -> str:
    """Return the page for a terminal."""
    return draw(_parts(page.page), width, color)


def render_code_json(page: CodePage) -> str:
    """Return the page as one JSON document, fields as in `CodePage`."""
    return render_record(page, CODE_VERSION)


def _parts(page: str) -> Iterator[RenderableType]:
    """Yield what stands outside of fences as Markdown, and what stands inside as it is."""
    prose: list[str] = []
    is_code = False
    for line in page.splitlines():
        is_fence = line.startswith(FENCE)
        if is_fence or (line.startswith("#") and not is_code):
            yield from _prose(prose)
            prose = []
            yield from _fence(line, is_code) if is_fence else _heading(line)
            is_code ^= is_fence
        elif is_code:
            yield words(line)
        else:
            prose.append(line)
    yield from _prose(prose)


def _prose(lines: list[str]) -> Iterator[RenderableType]:
    if any(lines):
        yield Markdown("\n".join(lines))


def _heading(line: str) -> Iterator[RenderableType]:
    title = line.lstrip("#").strip()
    yield Text(f"{title}\n", style=STRONG) if line.startswith("# ") else heading(title)


def _fence(line: str, is_end: bool) -> Iterator[RenderableType]:
    """Yield the name of the file that a fence holds, above it."""
    _, _, name = line.partition('title="')
    if not is_end:
        yield Text(f"\n{name.rstrip(chr(34))}" if name else "", style=DIM)
