"""The command line as tests call it."""

from click.testing import CliRunner, Result

from dovetail.cli.main import program


def dovetail(*arguments: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(program, [str(argument) for argument in arguments])


def refusal(*arguments: object) -> str:
    """The one line of a command that refuses its input."""
    result = dovetail(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    return line
