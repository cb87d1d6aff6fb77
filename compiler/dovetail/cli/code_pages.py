"""The pages of docs/codes: `python -m dovetail.cli.code_pages docs/codes`.

The example of every page is run anew, and what it prints is put into the page, here and where the package has it. An
example that needs a vendor's compiler which is not installed keeps what it printed last.
"""

import contextlib
import importlib.util
import re
import shlex
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import onnx_ir
from click.testing import CliRunner

from dovetail.cli.main import program
from dovetail.plan.codes import CODES, Code
from dovetail.plan.errors import DovetailError
from dovetail.report.codes import code_page, index_page, page_file

COMMAND: Final = "make docs"
_MARK: Final = f"<!-- Made from the files of dovetail.report.codes by `{COMMAND}`; edit those. -->"
_PROMPT: Final = "$ dovetail "
_FENCE: Final = re.compile(r'^```(?P<language>\w+)(?: title="(?P<name>[^"]+)")?\n(?P<text>.*?)^```$', re.M | re.S)


@dataclass(frozen=True, slots=True)
class Example:
    """The example of a page."""

    files: dict[str, str]
    """Name -> text; models are in ONNX's text form."""
    commands: tuple[str, ...]
    """What follows `dovetail`."""
    printed: str
    """The commands with what they printed, as the page has it."""

    @property
    def needs_vendor(self) -> bool:
        """Whether a vendor's compiler is asked."""
        return any("--verify" in command for command in self.commands)


def example_of(code: Code) -> Example:
    """Read the example from a page."""
    fences = list(_FENCE.finditer(page_file(code).read_text(encoding="utf-8")))
    (transcript,) = [fence["text"] for fence in fences if not fence["name"]]
    commands = [line.removeprefix(_PROMPT) for line in transcript.splitlines() if line.startswith(_PROMPT)]
    return Example({fence["name"]: fence["text"] for fence in fences if fence["name"]}, tuple(commands), transcript)


def run_example(example: Example) -> str:
    """Run the commands of an example in a folder of their own, and return them with what they print.

    Raises:
        DovetailError: one of them failed.
    """
    parts = []
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name, text in example.files.items():
            if name.endswith(".onnx"):
                onnx_ir.save(onnx_ir.from_onnx_text(text), name)
            else:
                Path(name).write_text(text, encoding="utf-8")
        runner = CliRunner(env={"DOVETAIL_CACHE": str(Path(folder) / "cache")})
        for command in example.commands:
            result = runner.invoke(program, shlex.split(command))
            if result.exit_code:
                raise DovetailError(f"example '{command}': ended with {result.exit_code}, {result.output}; mend it")
            parts.append(f"{_PROMPT}{command}\n{result.stdout.rstrip()}\n")
    return "\n".join(parts)


def has_vendor() -> bool:
    """Whether the vendor's compiler that examples ask is installed."""
    return importlib.util.find_spec("onnxruntime_qnn") is not None


def docs_pages() -> dict[str, str]:
    """Return file name -> text of everything in docs/codes, as the package has it."""
    made = {f"{code.code}.md": f"{_MARK}\n{code_page(code).page}" for code in CODES}
    return {"README.md": f"{_MARK}\n{index_page()}", **made}


def write_pages(folder: Path) -> None:
    """Run every example, put what it prints into the package's pages, and write those of docs/codes."""
    for code in CODES:
        example, path = example_of(code), page_file(code)
        if example.needs_vendor and not has_vendor():
            print(f"{code.code}: kept, for onnxruntime-qnn is not installed", file=sys.stderr)
            continue
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(example.printed, run_example(example)), encoding="utf-8", newline="\n")
    made = docs_pages()
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.md"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
