"""The command line as tests call it."""

from click.testing import CliRunner, Result

from dovetail.cli.main import program


def dovetail(*arguments: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(program, [str(argument) for argument in arguments])


def refusal(*arguments: object) -> str:
    """The one line of a command that refuses its input."""
    return error_of(dovetail(*arguments))


def error_of(result: Result) -> str:
    """The one line of a result that is a refusal; warnings may stand before it."""
    assert (result.exit_code, result.stdout) == (2, "")
    *warnings, line = result.stderr.splitlines()
    assert all(each.startswith("warning: ") for each in warnings)
    assert line.startswith("error: ")
    return line
