"""The guide speaks of commands and options that exist."""

import shlex
from pathlib import Path

import click
import pytest

from dovetail.cli.main import COMMANDS, program

GUIDE = (Path(__file__).parents[2] / "docs/guide.md").read_text(encoding="utf-8")
EXAMPLES = [line for line in GUIDE.splitlines() if line.startswith("dovetail ")]


def test_every_command_has_an_example() -> None:
    assert {shlex.split(example)[1] for example in EXAMPLES} == set(COMMANDS)


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_is_understood(example: str) -> None:
    name, *arguments = shlex.split(example)[1:]
    command = program.get_command(click.Context(program), name)

    assert command is not None
    # parses every option with its callback and refuses what is unknown; runs nothing
    command.make_context(name, arguments)
