"""From the providers that a caller names to the target that a model is compiled for."""

import importlib.util
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import onnxruntime as ort

from dovetail.plan import DeviceKind, RunError, meant, shown

_logger = logging.getLogger("dovetail.session")

NPU: Final = "NPUExecutionProvider"
GPU: Final = "GPUExecutionProvider"
CPU: Final = "CPUExecutionProvider"

CPU_ONLY: Final = "cpu-only"
TARGET_VARIABLE: Final = "DOVETAIL_TARGET"
_TORCH_TARGET: Final = "nvidia-h200:pytorch"
_CUDA: Final = "CUDAExecutionProvider"

# the vendor's package -> the target whose NPU partitions it runs
_INSTALLED: Final = {"onnxruntime_qnn": "qualcomm-hexagon-htp"}

Providers: TypeAlias = Sequence[str | tuple[str, Mapping[str, str]]]
Options: TypeAlias = Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class _Known:
    """A provider that a caller may name."""

    kind: DeviceKind
    target: str = ""
    """The target that it stands for; empty for those that leave it open."""


_KNOWN: Final[Mapping[str, _Known]] = {
    NPU: _Known("npu"),
    GPU: _Known("gpu"),
    CPU: _Known("cpu", CPU_ONLY),
    # onnxruntime's own names, so that a program need not change its list
    "CANNExecutionProvider": _Known("npu", "huawei-ascend-310"),
    "CoreMLExecutionProvider": _Known("npu", "apple-ane-coreml"),
    _CUDA: _Known("gpu", "nvidia-h200"),
    "NnapiExecutionProvider": _Known("npu", "android-nnapi"),
    "OpenVINOExecutionProvider": _Known("npu", "intel-npu"),
    "QNNExecutionProvider": _Known("npu", "qualcomm-hexagon-htp"),
    "RknpuExecutionProvider": _Known("npu", "rockchip-rk3588"),
    "VitisAIExecutionProvider": _Known("npu", "amd-ryzen-ai-xdna"),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What a list of providers comes to."""

    target: str
    accelerator: DeviceKind | None
    """The kind of the first provider that is no CPU; None where there is none."""


def choose_target(providers: Providers | None, provider_options: Options | None) -> Choice:
    """The target for a model: that of the first provider that is no CPU.

    It is the option `target` of that provider, else the environment variable DOVETAIL_TARGET, else what its name
    stands for. `NPUExecutionProvider` stands for the target whose vendor's package is installed, and
    `GPUExecutionProvider` for a CUDA card by ONNX Runtime or by PyTorch; where there is none, it is the CPU with a
    warning.

    Raises:
        RunError: If a provider or an option is unknown.
    """
    for name, options in _options_by_name(providers, provider_options).items():
        known = _KNOWN[name]
        if known.kind != "cpu":
            asked = options.get("target") or os.environ.get(TARGET_VARIABLE) or known.target
            return Choice(asked or _on_this_machine(name, known.kind), known.kind)
    return Choice(CPU_ONLY, None)


def check_providers(
    providers: Providers | None, provider_options: Options | None, needed: Sequence[DeviceKind], plan: str
) -> None:
    """See that providers given with a plan, which is placed already, leave it the devices that it needs.

    Raises:
        RunError: If a provider is unknown or missing, or an option is given.
    """
    if providers is None and provider_options is None:
        return
    named = _options_by_name(providers, provider_options)
    if any(named.values()):
        raise RunError(f"plan {shown(plan)}: is compiled already; give a target with a model only")
    kinds = {_KNOWN[name].kind for name in named} | {"cpu"}
    missing = [kind for kind in needed if kind not in kinds]
    if missing:
        wanted = ", ".join({"npu": NPU, "gpu": GPU}[kind] for kind in missing)
        raise RunError(
            f"plan {shown(plan)}: has partitions for {', '.join(missing)}, which the providers leave out; "
            f"add {wanted}, or compile the model for other devices"
        )


def _on_this_machine(name: str, kind: DeviceKind) -> str:
    if kind == "gpu":
        if _CUDA in ort.get_available_providers():
            return _KNOWN[_CUDA].target
        if importlib.util.find_spec("torch") is not None:
            return _TORCH_TARGET
    else:
        for module, installed in _INSTALLED.items():
            if importlib.util.find_spec(module) is not None:
                return installed
    _logger.warning(
        "%s: no target is named and no vendor's package is installed; everything runs on the CPU. "
        "Name one by provider_options=[{'target': ...}, {}] or by %s",
        name,
        TARGET_VARIABLE,
    )
    return CPU_ONLY


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
    if name not in _KNOWN:
        raise RunError(f"provider {shown(name)}: is unknown; {meant(name, _KNOWN)}")
    allowed = () if _KNOWN[name].kind == "cpu" else ("target",)
    for option in options:
        if option not in allowed:
            there = ", ".join(allowed) or "none"
            raise RunError(
                f"provider {shown(name)}: has no option {shown(option)}, there are {there}; leave it out: "
                "the target file holds what a vendor's library is told"
            )
