"""Options that stand in `[tool.dovetail.COMMAND]` of a project's pyproject.toml."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import click

from dovetail.plan.errors import DovetailError
from dovetail.plan.files import read_regular
from dovetail.plan.naming import meant, shown

_FILE: Final = "pyproject.toml"
_MAX_BYTES: Final = 2**20
_TABLES: Final = ("check",)
"""Commands that read options there."""


def configured(context: click.Context, names: Iterable[str]) -> dict[str, Any]:
    """Return the values of a command's options in the nearest pyproject.toml with a table for it.

    Args:
        context: of the command.
        names: of the options that may stand there, as on the command line, without the dashes.

    Returns:
        Parameter -> value, as if it stood on the command line; paths are relative to the file's folder. Empty where no
        folder from the current one upwards has such a table.

    Raises:
        DovetailError: the file can't be read, or has an unknown key or a value of another type or range.
    """
    command = context.command.name or ""
    for folder in (Path.cwd(), *Path.cwd().parents):
        file = folder / _FILE
        table = _table(file, command) if file.is_file() and file.stat().st_size else None
        if table is not None:
            options = {name: _option(context.command, name) for name in names}
            _refuse_unknown(table, options, f"{file}: [tool.dovetail.{command}]")
            return {str(options[key].name): _value(file, options[key], value, context) for key, value in table.items()}
    return {}


def _table(file: Path, command: str) -> Mapping[str, Any] | None:
    data = read_regular(file, limit=_MAX_BYTES, what="project file", error=DovetailError)
    try:
        document = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as problem:  # TOML's and UTF-8's errors are ValueErrors
        raise DovetailError(f"{file}: is not valid TOML, {problem}; correct it") from problem
    ours = _mapping(_mapping(document, "tool", file), "dovetail", file)
    _refuse_unknown(ours, _TABLES, f"{file}: [tool.dovetail]")
    return _mapping(ours, command, file) if command in ours else None


def _mapping(table: Mapping[str, Any], key: str, file: Path) -> Mapping[str, Any]:
    found = table.get(key, {})
    if not isinstance(found, dict):
        raise DovetailError(f"{file}: '{key}' must be a table, got {shown(str(found))}; write [tool.dovetail.check]")
    return found


def _refuse_unknown(table: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    names = list(known)
    for key in table:
        if key not in names:
            raise DovetailError(f"{where} knows no key {shown(key)}; {meant(key, names)}")


def _option(command: click.Command, name: str) -> click.Parameter:
    return next(option for option in command.params if f"--{name}" in option.opts)


def _value(file: Path, option: click.Parameter, value: object, context: click.Context) -> Any:
    where = f"{file}: [tool.dovetail.{context.command.name}] {option.opts[-1].removeprefix('--')}"
    wanted = _wanted(option.type)
    # click would read a text as a number, and cut 2.5 down to 2; a bool is an int for Python
    if isinstance(value, bool) or not isinstance(value, wanted[0]):
        raise DovetailError(f"{where}: must be {wanted[1]}, got {shown(str(value))}; correct it")
    try:
        found = option.type.convert(value, option, context)
    except click.BadParameter as problem:
        raise DovetailError(f"{where}: {problem.message.rstrip('.')}; correct it") from problem
    return file.parent / found if isinstance(found, Path) else found


def _wanted(kind: click.ParamType[Any]) -> tuple[tuple[type, ...], str]:
    if isinstance(kind, click.IntRange):
        return (int,), "a whole number"
    if isinstance(kind, click.FloatRange):
        return (int, float), "a number"
    return (str,), "a text"
