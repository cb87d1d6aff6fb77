"""The root command: speed, help, errors, exit codes."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable

import click
import pytest
from tests.cli.calling import dovetail

from dovetail.cli.main import COMMANDS
from dovetail.plan import PlanError, __version__

HEAVY = ("numpy", "onnx", "onnx_ir", "onnxruntime", "onnxscript", "networkx", "pydantic", "rich", "torch", "yaml")


def with_import_times(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-X", "importtime", "-m", "dovetail.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_help_imports_no_library_but_click_and_answers_at_once() -> None:
    before = os.times()
    answer = with_import_times("--help")
    after = os.times()

    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in answer.stderr.splitlines()}
    assert answer.returncode == 0
    assert "click" in imported
    assert imported.isdisjoint(HEAVY)
    assert all(name in answer.stdout for name in COMMANDS)
    cpu_seconds = after.children_user - before.children_user + after.children_system - before.children_system
    assert cpu_seconds < 0.3


@pytest.mark.parametrize("name", COMMANDS)
def test_static_help_is_the_commands_own(name: str) -> None:
    command = importlib.import_module(f"dovetail.cli.{name}").command

    assert isinstance(command, click.Command)
    assert command.name == name
    assert command.get_short_help_str(limit=200) == COMMANDS[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    result = dovetail(name, "--help")

    assert result.exit_code == 0
    command = importlib.import_module(f"dovetail.cli.{name}").command
    undocumented = [
        option.name
        for option in command.params
        if isinstance(option, click.Option) and not option.help and not isinstance(option.type, click.Choice)
    ]
    assert undocumented == []


def test_no_arguments_ask_for_help() -> None:
    result = dovetail()

    assert result.exit_code == 0
    assert result.stdout.startswith("Usage:")


def test_version() -> None:
    assert dovetail("--version").stdout == f"dovetail {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inspct"], "no command 'inspct'; did you mean 'inspect'?"),
        (["zzz"], "no command 'zzz'; choose one of 'compile', 'inspect', "),
        (["--zzz"], "No such option '--zzz'; see 'dovetail --help'"),
        (["compile"], "Missing argument 'MODEL'; see 'dovetail compile --help'"),
        (["compile", "m.onnx"], "Missing option '-t' / '--target'; see 'dovetail compile --help'"),
        (["run", "p.plan", "--repeat", "x"], "'--repeat'"),
        (["targets", "shw"], "No such command 'shw'; did you mean 'show'?"),
        (["targets", "zzz"], "No such command 'zzz'; see 'dovetail targets --help'"),
        (["run", "p.plan", "--repaet", "3"], "No such option '--repaet'; did you mean '--repeat'?"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(arguments: list[str], message: str) -> None:
    result = dovetail(*arguments)

    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line


class Raises(click.Command):
    """Stands for a command that ends in an exception."""

    def __init__(self, error: BaseException) -> None:
        super().__init__("passes")
        self.error = error

    def invoke(self, ctx: click.Context) -> None:
        raise self.error


@pytest.fixture
def passes_raises(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    module = importlib.import_module("dovetail.cli.passes")

    def build(error: BaseException) -> None:
        monkeypatch.setattr(module, "command", Raises(error))

    return build


def test_message_of_an_error_becomes_one_line_without_control_characters(
    passes_raises: Callable[[BaseException], None],
) -> None:
    passes_raises(PlanError("plan 'a\x1b[2Jb':\n  broken;\n  repair it"))

    result = dovetail("passes")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "error: plan 'a\\x1b[2Jb': broken; repair it\n"


def test_a_bug_keeps_its_traceback(passes_raises: Callable[[BaseException], None]) -> None:
    passes_raises(ZeroDivisionError("a bug"))

    result = dovetail("passes")

    assert isinstance(result.exception, ZeroDivisionError)


def test_interrupt(passes_raises: Callable[[BaseException], None]) -> None:
    passes_raises(KeyboardInterrupt())

    assert dovetail("passes").exit_code == 130


@pytest.mark.skipif(os.name != "posix", reason="needs a pipe that breaks as on POSIX")
def test_reader_that_goes_away_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        answer = subprocess.run(
            [sys.executable, "-m", "dovetail.cli", "passes", "list"],
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writer)

    assert (answer.returncode, answer.stderr) == (141, "")
