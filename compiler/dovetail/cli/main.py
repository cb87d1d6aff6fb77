"""The root command: finds its commands by name, and turns errors into one line and an exit code.

0: done. 1: a check did not hold. 2: the input can't be used, said in one line. 130: interrupted.
141: whoever read the output went away. Anything else is a bug, with a traceback.
"""

import atexit
import contextlib
import errno
import gc
import importlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import click

from dovetail.plan._version import __version__
from dovetail.plan.errors import DovetailError
from dovetail.plan.naming import meant, shown
from dovetail.plan.words import printable

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS: Final = {
    "compile": "Compile MODEL for a target into an execution plan.",
    "inspect": "Show what runs where, why, and what crosses between devices.",
    "explain": "Tell why an operator is where it is, or what the code of a reason means.",
    "run": "Run a plan on real or random inputs.",
    "verify": "Compare a plan's outputs with the unsplit model's.",
    "calibrate": "Fit the cost model of a device to timings of the operators of some models.",
    "check": "Hold a plan to budgets, for CI.",
    "diff": "Compare two plans, by the names of the model's nodes.",
    "sweep": "Compare what several targets make of several models.",
    "export": "Write a plan in the forms of Model Explorer and Netron.",
    "targets": "List the shipped targets, or show what one supports.",
    "passes": "List the compiler's passes, or show what one does.",
    "completion": "Print the script that completes commands, options, targets and operators in SHELL.",
}
"""The one-line help of every command, so that `dovetail --help` need not import them."""

INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141
COLLECT_AFTER: Final = 100_000
"""New objects between two searches for dead cycles. Importing and compiling make millions of objects and next to no
cycles; with Python's 700 the searches take a tenth of the time."""
_OF_THE_MACHINE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Errors of writing that are nobody's bug, wherever they happen."""
OWN_PROCESS: Final = "own process"
"""The context's object where nothing but this command line runs in the process."""


class InputError(click.ClickException):
    """The user's input can't be used: `error: ...`, one line, exit code 2."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message as one line, whatever it quotes."""
        line = " ".join(self.format_message().split())
        click.echo(f"error: {printable(line)}", file=file, err=file is None)


class Program(click.Group):
    """A group that imports `dovetail.cli.NAME` only when NAME is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the work, not of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"dovetail.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; for an unknown one propose the closest."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise InputError(f"no command {shown(args[0])}; {meant(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Complete commands from the static texts, and the options before a command."""
        from click.shell_completion import CompletionItem

        found = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return found or click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands from the static texts."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the options before the command; nothing at all asks for help."""
        with _one_line_errors():
            return super().parse_args(ctx, args or ["--help"])

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        with _one_line_errors():
            _check_folder_is_there()
            try:
                result: object = super().invoke(ctx)
                sys.stdout.flush()
            except KeyboardInterrupt:
                ctx.exit(INTERRUPTED)
            except BrokenPipeError:
                _discard_output()
                ctx.exit(PIPE_CLOSED)
        return result


@click.command("dovetail", cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dovetail", message="%(prog)s %(version)s")
def program() -> None:
    """Compile ONNX models for NPU, GPU and CPU, and see what runs where and why.

    \b
      dovetail compile model.onnx -t qualcomm-hexagon-htp
      dovetail inspect model.plan
      dovetail run model.plan --random 0
    """


def main() -> None:
    """Run the command line and exit."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that can't show a name shows its escapes
            stream.reconfigure(errors="backslashreplace")
    if "_DOVETAIL_COMPLETE" in os.environ:
        importlib.import_module("dovetail.cli.completion")  # knows more of bash than click does
    gc.set_threshold(COLLECT_AFTER)
    atexit.register(gc.freeze)  # what is left goes with the process; taking it apart takes 0.1 s, or 1 s
    program.main(prog_name="dovetail", obj=OWN_PROCESS)


@contextlib.contextmanager
def _one_line_errors() -> Iterator[None]:
    """Turn Dovetail's and click's errors about the input into `InputError`."""
    try:
        yield
    except DovetailError as error:
        raise InputError(str(error)) from error
    except click.UsageError as error:
        raise InputError(_with_advice(error)) from error
    except OSError as error:
        if error.errno not in _OF_THE_MACHINE:
            raise
        _discard_output()
        raise InputError(f"the output or a file: {error.strerror}; make room on the disk and try again") from error


def _with_advice(error: click.UsageError) -> str:
    """The message of a wrong use, with what to do at its end."""
    close: Sequence[str] | None = None
    if isinstance(error, click.NoSuchOption | click.exceptions.NoSuchCommand):
        close = error.possibilities
    message = error.message if close else error.format_message()
    if close:
        return f"{message.rstrip('.')}; did you mean '{close[0]}'?"
    return f"{message.rstrip('.')}; see '{error.ctx.command_path if error.ctx else 'dovetail'} --help'"


def _discard_output() -> None:
    """Point stdout to nowhere, so that the interpreter's flush at exit does not fail again."""
    with contextlib.suppress(io.UnsupportedOperation):  # of a host program: not ours to close
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_closed_streams() -> None:
    """Give whoever started us without stdin, stdout or stderr empty ones; else the next file opened would be stdout."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    sys.stdin = sys.stdin or os.fdopen(0)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


def _check_folder_is_there() -> None:
    try:
        Path.cwd()
    except OSError as error:
        raise InputError("the current folder does not exist any more; change to another and try again") from error
