"""Annotations of GitHub: what a job prints so that a run and a pull request show it."""

from typing import Final, Literal

from dovetail.report.words import printable

MOST_OF_A_LEVEL: Final = 9
"""GitHub shows ten warnings and ten notices of a step and drops the rest without a word; the tenth says how many."""

Level = Literal["error", "warning", "notice"]


def command(level: Level, title: str, message: str) -> str:
    """Return a workflow command, escaped as GitHub's runner reads it."""
    properties = printable(title).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={properties}::{printable(message).replace('%', '%25')}"
