"""Compiling a model on first use."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dovetail.plan import ModelError, RunError, TargetError, read_regular
from dovetail.session.cache import Saveable, cached_plan, plan_key

_MAX_MODEL_BYTES: Final = 2**31 - 1
_MAX_TARGET_BYTES: Final = 2**24


@dataclass(frozen=True, slots=True)
class Loading:
    """How a model is read; the fields are those of the compiler's options."""

    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    dims: Mapping[str, int] = field(default_factory=dict)
    binds: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return repr([sorted(options.items()) for options in (self.shapes, self.dims, self.binds)])


def plan_of_model(model: Path | bytes, target: str, loading: Loading) -> tuple[Path, bool]:
    """The plan folder of a model, from the cache or compiled now; see `cached_plan`.

    Raises:
        DovetailError: If the model, the target or an option can't be used, or the compiler is not installed.
    """
    if isinstance(model, bytes):
        data, folder = model, None
    else:
        data = read_regular(model, limit=_MAX_MODEL_BYTES, what="model", error=ModelError)
        folder = model.absolute().parent
    key = plan_key(data, folder, target, _target_file(target), str(loading))
    return cached_plan(key, lambda: _compile(model, target, loading))


def _compile(model: Path | bytes, target: str, loading: Loading) -> Saveable:
    try:
        # the runtime is installed without the compiler where it only runs plans
        from dovetail.compiler import CompileOptions, compile_model
    except ModuleNotFoundError as problem:
        if problem.name != "dovetail.compiler":
            raise
        raise RunError(
            "model: compiling it needs the package dovetail, only dovetail-runtime is installed; "
            "install dovetail, or give a plan folder"
        ) from problem
    options = CompileOptions(shapes=loading.shapes, dims=loading.dims, binds=loading.binds)
    return compile_model(model, target, options)


def _target_file(target: str) -> str:
    """The digest of the user's own target file; empty for a target that is shipped."""
    for path in (Path(target), Path(target.rpartition(":")[0])):
        if path.is_file():
            data = read_regular(path, limit=_MAX_TARGET_BYTES, what="target", error=TargetError)
            return hashlib.sha256(data).hexdigest()
    return ""
