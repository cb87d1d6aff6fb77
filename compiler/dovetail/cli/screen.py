"""What the terminal, if there is one, can show."""

import logging
import os
import shutil
import sys
from typing import Final

import click

WIDTH: Final = 100
"""Columns where the output goes to a file or a pipe, so that it is the same everywhere."""
MAX_WIDTH: Final = 160


def width() -> int:
    """Return the number of columns to fill."""
    if not sys.stdout.isatty():
        return WIDTH
    return max(40, min(MAX_WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns))


def color() -> bool:
    """Tell whether to use colours: on a terminal, unless NO_COLOR says otherwise."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def warn(message: str) -> None:
    """Write one line to stderr."""
    from dovetail.report.words import printable

    click.echo(f"warning: {printable(' '.join(message.split()))}", err=True)


def show_log_warnings() -> None:
    """Send the warnings that Dovetail logs to stderr, one line each."""
    logger = logging.getLogger("dovetail")
    if not any(isinstance(handler, _WarningHandler) for handler in logger.handlers):
        logger.addHandler(_WarningHandler(logging.WARNING))
        logger.propagate = False


class _WarningHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        warn(record.getMessage())
