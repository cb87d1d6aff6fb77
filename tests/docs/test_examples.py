"""Every command and every program in the guide runs, and prints what the page shows.

`DOVETAIL_REWRITE_GOLDEN=1 pytest tests/docs/test_examples.py` writes what is printed now into the pages.
Blocks of the language `py` are not run: what they show changes the whole process.
"""

import importlib.util
import os
import shlex
import shutil
from pathlib import Path
from typing import Final

import click
import pytest
from tests.docs.blocks import PAGES, ROOT, Block, blocks_of, commands_of, matches, shown_anew
from tests.docs.stage import Stage

from dovetail.cli.main import COMMANDS, program

PROGRAMS_ELSEWHERE: Final = {
    "from_onnxruntime.md": "tests/session/test_migration_page.py",
    "runtime.md": "tests/runtime/test_page.py",
}
"""Pages whose programs run in tests that look at the results too."""

VENDOR_BLOCKS: Final = [block for page in PAGES for block in blocks_of(page) if block.needs]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder is empty, and so is the cache."""
    monkeypatch.setenv("DOVETAIL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "sample_models").mkdir()
    monkeypatch.chdir(tmp_path / "sample_models")
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_run_and_print_what_the_page_shows(page: Path) -> None:
    stage = Stage(page)
    for block in blocks_of(page):
        if not block.needs and not (block.language == "python" and page.name in PROGRAMS_ELSEWHERE):
            stage.run(block)
    if os.environ.get("DOVETAIL_REWRITE_GOLDEN"):
        _rewrite(page, stage.edits)
        stage.other_outputs.clear()
    assert [*stage.faults, *stage.other_outputs] == []


@pytest.mark.parametrize("block", VENDOR_BLOCKS, ids=lambda block: block.place)
def test_examples_with_a_vendors_tool_run(block: Block) -> None:
    _skip_without(block.needs)
    stage = Stage(block.page)
    stage.run(block)
    assert [*stage.faults, *stage.other_outputs] == []


@pytest.mark.parametrize("block", VENDOR_BLOCKS, ids=lambda block: block.place)
def test_examples_with_a_vendors_tool_are_understood(block: Block) -> None:
    commands = [command.text for command in commands_of(block) if command.text.startswith("dovetail ")]
    assert commands
    for text in commands:
        _, name, *arguments = shlex.split(text)
        found = program.get_command(click.Context(program), name)
        assert found is not None
        found.make_context(name, arguments)


def test_every_command_has_an_example() -> None:
    examples = [command.text for page in PAGES for block in blocks_of(page) for command in commands_of(block)]
    assert {shlex.split(text)[1] for text in examples if text.startswith("dovetail ")} == set(COMMANDS)


def test_no_command_stands_in_a_block_that_is_not_run() -> None:
    others = [block for page in PAGES for block in blocks_of(page) if block.language not in ("bash", "console")]
    assert [b.place for b in others if any(line.startswith(("dovetail ", "$ dovetail ")) for line in b.lines)] == []


def test_programs_that_run_elsewhere_do() -> None:
    for page, test in PROGRAMS_ELSEWHERE.items():
        assert f'"docs/{page}"' in (ROOT / test).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("shown", "printed", "same", "anew"),
    [
        (("a", "b"), ["a", "b"], True, ["a", "b"]),
        (("a", "b"), ["a", "c"], False, ["a", "c"]),
        (("a",), ["a", "b"], False, ["a", "b"]),
        (("a", "..."), ["a"], True, ["a", "..."]),
        (("a", "...", "d"), ["a", "b", "c", "d"], True, ["a", "...", "d"]),
        (("a", "...", "e"), ["x", "b", "c", "d"], False, ["x", "...", "d"]),
        (("one of ...", "z"), ["one of many", "z"], True, ["one of ...", "z"]),
        (("one of ...", "z"), ["two of many", "z"], False, ["two of many", "z"]),
        (("a.c",), ["abc"], False, ["abc"]),
    ],
)
def test_an_ellipsis_stands_for_what_is_left_out(
    shown: tuple[str, ...], printed: list[str], same: bool, anew: list[str]
) -> None:
    assert matches(shown, printed) == same
    assert shown_anew(shown, printed) == anew


def _skip_without(tool: str) -> None:
    present = {
        "onnxruntime-qnn": importlib.util.find_spec("onnxruntime_qnn") is not None,
        "vela": bool(os.environ.get("DOVETAIL_VELA") or shutil.which("vela")),
        "rknn": bool(os.environ.get("DOVETAIL_RKNN")),
        "cluster": False,  # its address is an example
    }[tool]
    if not present:
        pytest.skip(f"{tool} is not here")


def _rewrite(page: Path, edits: list[tuple[int, int, list[str]]]) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    for start, count, anew in reversed(edits):
        lines[start : start + count] = anew
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
