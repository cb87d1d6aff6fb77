"""Backends that are no providers of ONNX Runtime: the one for PyTorch, and those that a program registers.

A plan names a provider; it can never bring one. What stands here is code of this package, of its extra `gpu`, or of
the program that runs the plan.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from dovetail.plan import RunError, shown
from dovetail.runtime.values import Value

TORCH_PROVIDER: Final = "PyTorch"
_TORCH_MODULE: Final = "dovetail.gpu"


class PartitionSession(Protocol):
    """A partition that is loaded on a device."""

    def run(self, inputs: Sequence[Value]) -> list[Value]:
        """Run the partition once. Never called by two threads at once for one device.

        Args:
            inputs: A value per input, in the partition's order: arrays, or tensors that a partition of the same
                provider has made. They are read only, and not to be kept after the call.

        Returns:
            A value per output, in the partition's order, that nothing writes to afterwards.

        Raises:
            Exception: Any, with the cause in words: the partition then runs on the next device.
        """
        ...


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """What an opener gets: a partition and the device's options."""

    model: Path
    """The partition as a stand-alone ONNX model, its weights beside it."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    options: Mapping[str, str]
    """Of the plan's device."""


Opener = Callable[[OpenRequest], PartitionSession]
"""Raises where the device does not take the partition; the cause is the error's text."""

_openers: dict[str, Opener] = {}


def register_backend(provider: str, opener: Opener | None) -> None:
    """Let plans that name a provider run on a backend of this program.

    Args:
        provider: The name, as it stands in a plan's device.
        opener: Makes a session of a partition; None to take the backend away.

    Raises:
        RunError: If the name is that of a provider of ONNX Runtime or of this package.
    """
    if provider.endswith("ExecutionProvider") or provider == TORCH_PROVIDER:
        raise RunError(f"backend {shown(provider)}: is a name of ONNX Runtime's or Dovetail's own; give another")
    if opener is None:
        _openers.pop(provider, None)
    else:
        _openers[provider] = opener


def has_own_sessions(provider: str) -> bool:
    """Whether partitions on the provider are no sessions of ONNX Runtime."""
    return provider == TORCH_PROVIDER or provider in _openers


def why_backend_missing(provider: str) -> str:
    """Why the backend can't be used here; empty where it can."""
    if provider != TORCH_PROVIDER:
        return ""
    try:
        return str(importlib.import_module(_TORCH_MODULE).why_missing())
    except ImportError:
        return "PyTorch needs the extra gpu, which is not installed; run 'pip install dovetail[gpu]'"


def open_backend(provider: str, request: OpenRequest) -> PartitionSession:
    """A partition on a backend of `has_own_sessions`; whatever it raises is the cause of a failure."""
    if provider != TORCH_PROVIDER:
        return _openers[provider](request)
    module = importlib.import_module(_TORCH_MODULE)
    session: PartitionSession = module.open_session(
        request.model, request.inputs, request.outputs, dict(request.options)
    )
    return session
