"""From what stands on the command line to a plan: a folder is read, a model's file is compiled."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from dovetail.cli.options import compile_options
from dovetail.plan.errors import ModelError, PlanError
from dovetail.plan.naming import meant_path, shown

_COMPILING = frozenset(
    {
        *("target", "shape", "dim", "bind", "overlay", "costs", "batch", "place"),
        *("quantize", "calibration", "min_snr_db"),
        *("objective", "max_latency_ms", "max_energy_mj", "solver", "gap", "time_limit_s"),
    }
)
"""The parameters that only a compilation reads."""

if TYPE_CHECKING:
    from dovetail.compiler import Compilation, CompileOptions
    from dovetail.plan import Plan


def load_plan(path: Path, target: str | None, **options: Any) -> "Plan":
    """Return the plan that lies at `path`, or that of the model there.

    Args:
        path: a plan's folder or a model's file.
        target: for a model.
        options: those of the command line, as `compile_options` takes them.

    Raises:
        ModelError: a model without a target, or one that can't be used.
        PlanError: a plan with options of a compilation, or one that can't be used.
    """
    if path.is_dir():
        return _read(path, target)
    return load_compilation(path, target, **options)[0].plan


def load_compilation(path: Path, target: str | None, **options: Any) -> "tuple[Compilation, CompileOptions]":
    """Return the compilation of the model at `path`, and the options that it is made with.

    Raises:
        ModelError: as `load_plan`.
    """
    if not os.path.lexists(path):  # a link in a circle is there, and can't be read
        raise ModelError(f"{shown(str(path))} does not exist; {meant_path(path)}")
    if target is None:
        from dovetail.targets import target_names

        raise ModelError(f"'{path}' is a model and needs a target; give -t with one of {', '.join(target_names())}")
    from dovetail.compiler import compile_model  # loads ONNX

    made = compile_options(**options)
    return compile_model(path, target, made), made


def _read(path: Path, target: str | None) -> "Plan":
    from dovetail.plan import read_plan

    context = click.get_current_context()
    given = [
        option.opts[-1]
        for option in context.command.params
        if isinstance(option, click.Option)
        and option.name in _COMPILING
        and context.get_parameter_source(option.name) is not ParameterSource.DEFAULT
    ]
    if given or target:
        raise PlanError(
            f"'{path}' is a plan, made for its target and shapes; leave out {', '.join(given or ['-t'])}, or "
            "compile the model again"
        )
    return read_plan(path)
