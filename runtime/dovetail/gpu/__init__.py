"""The GPU backend by PyTorch: partitions of a plan whose device has the provider `PyTorch`.

Neither torch nor onnx is imported before a session is opened.
"""

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dovetail.gpu.session import TorchSession

__all__ = ["open_session", "why_missing"]


def why_missing() -> str:
    """Why the backend can't be used here; empty where it can."""
    missing = [name for name in ("torch", "onnx") if importlib.util.find_spec(name) is None]
    if not missing:
        return ""
    return f"PyTorch backend: needs {' and '.join(missing)}, not installed; run 'pip install dovetail[gpu]'"


def open_session(
    model: Path, inputs: Sequence[str], outputs: Sequence[str], options: Mapping[str, str]
) -> "TorchSession":
    """Load a partition; see `dovetail.gpu.session.open_session`."""
    session: TorchSession = importlib.import_module("dovetail.gpu.session").open_session(
        model, inputs, outputs, options
    )
    return session
