"""Imports put off until somebody needs them.

onnx_ir imports sympy (0.3 s, a third of the start of a command) for arithmetic on symbolic dimensions. Dovetail keeps
such dimensions as text, so that in most processes nobody ever calculates with one. onnxscript imports onnx's reference
operators (0.1 s) to fold constants with, and a model without any to fold needs none.
"""

import importlib.abc
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Final

_DEFERRED: Final = frozenset({"sympy", "onnx_ir._symbolic_shapes", "onnx.reference.ops"})
"""The second is the one module that reads sympy's attributes as it is imported."""


class _Deferring(importlib.abc.MetaPathFinder):
    """Finds the deferred modules as the standard finder does, and has them executed at the first look inside."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _DEFERRED:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec


def defer_imports() -> None:
    """Put off the modules from here on; those that are imported already stay as they are. Once a process."""
    if not any(isinstance(finder, _Deferring) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Deferring())
