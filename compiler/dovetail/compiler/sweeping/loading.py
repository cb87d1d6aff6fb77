"""The loading options of a sweep: each model gets those that fix something of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from dovetail.compiler.options import CompileOptions
from dovetail.ir import Fixable, fixable
from dovetail.plan import ModelError
from dovetail.plan.naming import meant

T = TypeVar("T")


def options_for_each(paths: Sequence[Path], options: CompileOptions) -> list[CompileOptions]:
    """The options for each model, without those for inputs and dimensions that only others of the models have.

    A model that can't be read keeps all of them: its row says why it failed.

    Raises:
        ModelError: an option for what no model has.
    """
    if not options.bindings:
        return [options] * len(paths)
    known = [_fixable(path) for path in paths]
    readable = [each for each in known if each is not None]
    if readable:
        inputs = [name for each in readable for name in each.inputs]
        _check("--shape", options.shapes, "an input of this name", inputs)
        _check("--bind", options.binds, "an input of this name", inputs)
        dims = [name for each in readable for name in each.dims]
        _check("--dim", options.dims, "an input with this symbolic dimension", dims)
    return [options if each is None else _own(options, each) for each in known]


def _fixable(path: Path) -> Fixable | None:
    try:
        return fixable(path)
    except ModelError:
        return None


def _check(option: str, given: Mapping[str, object], what: str, known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            raise ModelError(f"{option} {name}: no model has {what}; {meant(name, dict.fromkeys(known))}")


def _own(options: CompileOptions, model: Fixable) -> CompileOptions:
    return replace(
        options,
        shapes=_among(options.shapes, model.inputs),
        binds=_among(options.binds, model.inputs),
        dims=_among(options.dims, model.dims),
    )


def _among(given: Mapping[str, T], names: Sequence[str]) -> dict[str, T]:
    return {name: value for name, value in given.items() if name in names}
