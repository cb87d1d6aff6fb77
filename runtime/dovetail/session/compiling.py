"""Compiling a model on first use."""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dovetail.plan import ModelError, RunError, TargetError, read_regular
from dovetail.session.cache import Saveable, cached_plan, plan_key

_MAX_MODEL_BYTES: Final = 2**31 - 1
_MAX_TARGET_BYTES: Final = 2**24
_MAX_TARGET_FILES: Final = 16
"""More than a chain of targets that extend one another may have."""
# the field `extends` in YAML or JSON: a name in quotes, or all up to a comment or the next field
_EXTENDS: Final = re.compile(rb"""\bextends["']?\s*:\s*("[^"\n]*"|'[^'\n]*'|[^\s"'][^#,}\r\n]*)""")


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
    key = plan_key(data, folder, target, _target_files(target), str(loading))
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
    # a list of providers is an order of preference: each operator goes to the first that takes it, as in onnxruntime
    options = CompileOptions(shapes=loading.shapes, dims=loading.dims, binds=loading.binds, solver="greedy")
    return compile_model(model, target, options)


def _target_files(target: str) -> str:
    """The digest of the user's own target file and of those that it extends; of nothing for a target that is shipped.

    What is extended is found by its bytes: YAML is not read here, the compiler does that properly, and a file too many
    costs nothing.
    """
    digest = hashlib.sha256()
    waiting = [target, target.rpartition(":")[0]]
    seen: set[str] = set()
    while waiting and len(seen) < _MAX_TARGET_FILES:
        path = waiting.pop(0)
        if path in seen or not os.path.isfile(path):
            continue
        seen.add(path)
        data = read_regular(Path(path), limit=_MAX_TARGET_BYTES, what="target", error=TargetError)
        digest.update(hashlib.sha256(data).digest())
        names = (match[1].strip(b"\"' ").decode(errors="replace") for match in _EXTENDS.finditer(data))
        waiting += [os.path.join(os.path.dirname(path), name) for name in names]
    return digest.hexdigest()
