"""The folder in which the examples of one page run, one after the other, as a reader runs them in sample_models."""

import contextlib
import io
import itertools
import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Any, Final

import onnx
import onnx.parser
from click.testing import CliRunner
from tests.docs.blocks import ROOT, Block, Command, commands_of, matches, shown_anew

from dovetail.cli.main import program

NOT_RUN: Final = (
    *("pip install", "python -m venv", "cd sample_models", "export DOVETAIL_"),
    *("make ", "model-explorer ", "sed ", "git "),
)
"""What commands that are not Dovetail's begin with: they change the reader's machine, or belong to other tools."""

_STAND_INS: Final = {
    "model.onnx": """
        <ir_version: 8, opset_import: ["": 17]>
        model (float[batch, 3, 32, 32] image) => (float[batch, 8, 16, 16] features)
        <float[8, 3, 3, 3] weight = {WEIGHT}> {
            [conv] conv_out = Conv <pads = [1, 1, 1, 1]> (image, weight)
            [relu] relu_out = Relu (conv_out)
            [pool] features = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (relu_out)
        }
    """.replace("WEIGHT", ", ".join(["0.1"] * 216)),
    "speech.onnx": """
        <ir_version: 8, opset_import: ["": 17]>
        speech (float[batch, samples] input, int64 sr) => (float[batch, samples] output)
        <int64 fast = {16000}> {
            [fast] is_fast = Equal (sr, fast)
            [rate] output = If (is_fast) <
                then_branch = fast_rate () => (float[batch, samples] a) { [tanh] a = Tanh (input) },
                else_branch = slow_rate () => (float[batch, samples] b) { [relu] b = Relu (input) }
            >
        }
    """,
}
"""Stands for models of the reader's own."""


class Stage:
    """Runs blocks in the current folder and keeps what earlier ones left."""

    def __init__(self, page: Path) -> None:
        self.names: dict[str, Any] = {}
        self.faults: list[str] = []
        self.other_outputs: list[str] = []
        self.edits: list[tuple[int, int, list[str]]] = []
        """(first line, number of lines, lines) of outputs that the page shows and that are otherwise."""
        _prepare(page.read_text(encoding="utf-8"))

    def run(self, block: Block) -> None:
        """Run a block; what is wrong is added to `faults`."""
        if block.title:
            Path(block.title).write_text("\n".join(block.lines) + "\n", encoding="utf-8")
        elif block.language == "python":
            source = "\n" * block.line + "\n".join(block.lines)
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(source, block.page, "exec"), self.names)
        self._run_commands(block, commands_of(block))

    def _run_commands(self, block: Block, commands: list[Command]) -> None:
        code = 0
        for command, following in itertools.zip_longest(commands, commands[1:]):
            if command.text == "echo $?":
                self._compare(block, command, [str(code)])
            elif command.text.startswith("dovetail "):
                code, printed = _dovetail(command.text)
                asked = following is not None and following.text == "echo $?"
                if not asked and code != _documented(command):
                    self.faults.append(f"{block.place}: `{command.text}` exits with {code}: {' '.join(printed)[:600]}")
                self._compare(block, command, printed)
            elif not command.text.startswith(NOT_RUN):
                self.faults.append(f"{block.place}: nobody runs `{command.text}`")

    def _compare(self, block: Block, command: Command, printed: list[str]) -> None:
        if command.output is None or matches(command.output, printed):
            return
        anew = shown_anew(command.output, printed)
        self.edits.append((command.line, len(command.output), anew))
        shown = "\n".join(f"    {line}" for line in anew)
        self.other_outputs.append(f"{block.place}: `{command.text}` prints another thing than the page shows:\n{shown}")


def _documented(command: Command) -> int:
    """The exit code where the page does not ask for it: 2 for a refusal, else 0."""
    return 2 if any(line.startswith("error: ") for line in command.output or ()) else 0


def _dovetail(text: str) -> tuple[int, list[str]]:
    """Run one command in this process; returns its exit code and what a terminal would show."""
    text, _, file = text.partition(" > ")
    result = CliRunner().invoke(program, shlex.split(text)[1:])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if file:
        Path(file).write_text(result.stdout, encoding="utf-8")
    return result.exit_code, [] if file else result.output.replace(f"{os.getcwd()}/", "").splitlines()


def _prepare(text: str) -> None:
    """Put the sample models that the page names into the current folder, and what it takes for the reader's own."""
    samples = ROOT / "sample_models"
    for name in sorted(set(re.findall(r"\b\w+\.onnx\b", text))):
        if (samples / name).is_file():
            shutil.copy(samples / name, name)
        elif name in _STAND_INS:
            onnx.save(onnx.parser.parse_model(_STAND_INS[name]), name)
    shutil.copytree(samples / "inputs", "inputs")
