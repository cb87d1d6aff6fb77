"""ONNX Runtime's execution providers: which are here, and how a session is told to use one.

A plan names a provider and gives options for it. It can't name a library or a file: the providers that come as a
plugin are in a table here, and options that could make a library load code or touch files are refused.
"""

import importlib
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import onnxruntime as ort

from dovetail.plan import BackendSpec, DeviceKind, PlanError, shown

CPU_PROVIDER: Final = "CPUExecutionProvider"


@dataclass(frozen=True, slots=True)
class _Plugin:
    """A provider that lies in a Python package of its own."""

    package: str
    module: str
    defaults: Mapping[str, str]
    """Options that hold where the plan does not say otherwise."""


_PLUGINS: Final = {
    # the type, not the path of the library: the plugin finds that beside itself
    "QNNExecutionProvider": _Plugin("onnxruntime-qnn", "onnxruntime_qnn", {"backend_type": "htp"}),
}

# words in the name of an option that would give away files, code or addresses of this process
_UNSAFE_WORDS: Final = (
    *("path", "file", "folder", "dir", "lib", "plugin", "package", "packages", "skel", "dump", "cache", "context"),
    *("external", "stream", "alloc", "address", "pointer", "callback", "handle", "custom"),
)
_UNSAFE_KEY = re.compile(rf"(^|[._])({'|'.join(_UNSAFE_WORDS)})")
_UNSAFE_VALUE = re.compile(r"[/\\\0]|\.(so|dll|dylib)\b", re.IGNORECASE)
_SAFE_KEYS: Final = frozenset({"qnn_context_priority"})

_lock = threading.Lock()


def check_backend(backend: BackendSpec, device: str) -> None:
    """Refuse what a plan must not decide.

    Raises:
        PlanError: If an option names a file, a library or an address.
    """
    for key, value in (*backend.options.items(), *backend.session_config.items()):
        if (_UNSAFE_KEY.search(key.lower()) and key not in _SAFE_KEYS) or _UNSAFE_VALUE.search(value):
            raise PlanError(
                f"device {shown(device)}: option {shown(key)} of {shown(backend.provider)} could reach files or "
                f"code of this machine, got {shown(value)}; remove it from the target description"
            )


def why_missing(backend: BackendSpec | None) -> str:
    """Why no session can use the backend on this machine; empty where one can."""
    if backend is None:
        return "nothing on this machine runs it"
    provider = backend.provider
    plugin = _PLUGINS.get(provider)
    if plugin is not None:
        try:
            _register(provider, plugin)
        except ImportError:
            return f"{provider} needs the package {plugin.package}, which is not installed"
        except Exception as problem:  # ONNX Runtime's errors have no common class
            return f"{provider} can't be loaded, {problem}"
    if provider in ort.get_available_providers():
        return ""
    return f"{provider} is not in this ONNX Runtime, which has {', '.join(ort.get_available_providers())}"


def use_provider(
    options: ort.SessionOptions, backend: BackendSpec, kind: DeviceKind
) -> list[tuple[str, dict[str, str]]] | None:
    """Tell a session's options to use an available backend.

    Returns:
        The argument `providers` for the session, None where the options hold all.
    """
    for key, value in backend.session_config.items():
        options.add_session_config_entry(key, value)
    plugin = _PLUGINS.get(backend.provider)
    devices = _plugin_devices(backend.provider, kind)
    if plugin is None or not devices:
        return [(backend.provider, dict(backend.options))]
    options.add_provider_for_devices(devices, {**plugin.defaults, **backend.options})
    return None


def _register(provider: str, plugin: _Plugin) -> None:
    """Load the plugin's library, once for the process."""
    module = importlib.import_module(plugin.module)
    with _lock:
        if not any(device.ep_name == provider for device in ort.get_ep_devices()):
            ort.register_execution_provider_library(provider, module.get_library_path())


def _plugin_devices(provider: str, kind: DeviceKind) -> list[ort.OrtEpDevice]:
    """The devices that a plugin offers: those of the kind where it tells, else all; a simulator calls itself a CPU."""
    offered = [device for device in ort.get_ep_devices() if device.ep_name == provider]
    return [device for device in offered if device.device.type.name.lower() == kind] or offered
