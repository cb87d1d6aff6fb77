"""From the providers that a caller names to the target that a model is compiled for."""

import importlib.util
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from dovetail.plan import RunError, shown

_logger = logging.getLogger("dovetail.session")

NPU: Final = "NPUExecutionProvider"
GPU: Final = "GPUExecutionProvider"
CPU: Final = "CPUExecutionProvider"

CPU_ONLY: Final = "cpu-only"
TARGET_VARIABLE: Final = "DOVETAIL_TARGET"

# the vendor's package -> the target whose NPU partitions it runs
_INSTALLED: Final = {"onnxruntime_qnn": "qualcomm-hexagon-htp"}

Providers: TypeAlias = Sequence[str | tuple[str, Mapping[str, str]]]
Options: TypeAlias = Sequence[Mapping[str, str]]


def choose_target(providers: Providers | None, provider_options: Options | None) -> str:
    """The target for a model.

    Without a provider for an NPU it is the CPU alone. Else the option `target` of that provider, else the environment
    variable DOVETAIL_TARGET, else the target whose vendor's package is installed, else the CPU with a warning.

    Raises:
        RunError: If a provider or an option is unknown.
    """
    options = _options_by_name(providers, provider_options)
    if NPU not in options:
        return CPU_ONLY
    target = options[NPU].get("target") or os.environ.get(TARGET_VARIABLE)
    if target:
        return target
    for module, installed in _INSTALLED.items():
        if importlib.util.find_spec(module) is not None:
            return installed
    _logger.warning(
        "%s: no target is named and no vendor's package is installed; everything runs on the CPU. "
        "Name one by provider_options=[{'target': ...}, {}] or by %s",
        NPU,
        TARGET_VARIABLE,
    )
    return CPU_ONLY


def provider_names(providers: Providers | None) -> tuple[str, ...]:
    """The names that a caller gave; NPU and CPU where none."""
    entries = (NPU, CPU) if providers is None else providers
    return tuple(entry if isinstance(entry, str) else entry[0] for entry in entries)


def _options_by_name(providers: Providers | None, provider_options: Options | None) -> dict[str, Mapping[str, str]]:
    entries = list((NPU, CPU) if providers is None else providers)
    if provider_options is not None and len(provider_options) != len(entries):
        raise RunError(
            f"provider_options: must have an entry for each of the {len(entries)} providers, "
            f"got {len(provider_options)}; give {{}} where there is none"
        )
    found: dict[str, Mapping[str, str]] = {}
    for index, entry in enumerate(entries):
        name, own = (entry, {}) if isinstance(entry, str) else entry
        found[name] = {**own, **(provider_options[index] if provider_options is not None else {})}
    for name, options in found.items():
        _check(name, options)
    return found


def _check(name: str, options: Mapping[str, str]) -> None:
    allowed = {NPU: ("target",), CPU: ()}
    if name not in allowed:
        raise RunError(f"provider {shown(name)}: is unknown, there are {', '.join(allowed)}; name one of them")
    for option in options:
        if option not in allowed[name]:
            there = ", ".join(allowed[name]) or "none"
            raise RunError(f"provider {shown(name)}: has no option {shown(option)}, there are {there}; leave it out")
