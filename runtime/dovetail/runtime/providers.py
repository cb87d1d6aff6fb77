"""ONNX Runtime's execution providers: which are here, and how a session is told to use one.

A plan names a provider and gives options for it. It can't name a library or a file: the providers that come as a
plugin are in a table here, and so are the options that a plan may give. Vendors have many more, and no rule tells
those that load code or touch files by their names.
"""

import importlib
import platform
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import onnxruntime as ort

from dovetail.plan import BackendSpec, DeviceKind, PlanError, shown
from dovetail.runtime.backends import has_own_sessions, why_backend_missing

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

_SIMULATED_ON: Final = {"QNNExecutionProvider": frozenset({"x86_64", "AMD64"})}
"""Processors beside which a vendor builds no such device: its package simulates it there."""

# what an option may be that stands below; none names a file, a library or an address
_OPTIONS: Final[Mapping[str, frozenset[str]]] = {
    provider: frozenset(words.split())
    for provider, words in {
        CPU_PROVIDER: "",
        "CANNExecutionProvider": "device_id enable_cann_graph precision_mode op_select_impl_mode npu_mem_limit",
        "CoreMLExecutionProvider": """AllowLowPrecisionAccumulationOnGPU EnableOnSubgraphs MLComputeUnits ModelFormat
            RequireStaticInputShapes SpecializationStrategy""",
        "CUDAExecutionProvider": """arena_extend_strategy cudnn_conv_algo_search cudnn_conv_use_max_workspace device_id
            gpu_mem_limit prefer_nhwc use_tf32""",
        "OpenVINOExecutionProvider": """device_type disable_dynamic_shapes enable_qdq_optimizer model_priority
            num_of_threads num_streams precision""",
        "QNNExecutionProvider": """backend_type device_id enable_htp_fp16_precision
            htp_graph_finalization_optimization_mode htp_performance_mode htp_arch offload_graph_io_quantization
            qnn_context_priority rpc_control_latency soc_model vtcm_mb""",
        "TensorrtExecutionProvider": """device_id trt_bf16_enable trt_builder_optimization_level trt_dla_core
            trt_dla_enable trt_fp16_enable trt_int8_enable trt_max_partition_iterations trt_max_workspace_size
            trt_min_subgraph_size trt_sparsity_enable""",
        "VitisAIExecutionProvider": "target",
    }.items()
}
_ANY_PROVIDER: Final = frozenset({"device_id", "device_type", "num_threads", "precision", "priority"})
"""Options of a provider that is not known here."""
_SESSION_ENTRIES: Final = frozenset(
    {
        "session.disable_prepacking",
        "session.disable_quant_qdq",
        "session.enable_quant_qdq_cleanup",
        "session.inter_op.allow_spinning",
        "session.intra_op.allow_spinning",
        "session.set_denormal_as_zero",
    }
)
_VALUE = re.compile(r"-?\w{1,64}(\.\d{1,20})?", re.ASCII)
"""A word or a number; `GPU.1` too."""
_VALUES: Final = {"backend_type": re.compile("cpu|gpu|htp")}  # `saver` would write files

_lock = threading.Lock()


def check_backend(backend: BackendSpec, device: str) -> None:
    """Refuse what a plan must not decide.

    Raises:
        PlanError: If an option is not among those that are known to reach no file or code, or its value is no plain
            word or number.
    """
    known = _OPTIONS.get(backend.provider, _ANY_PROVIDER)
    for allowed, given in ((known, backend.options), (_SESSION_ENTRIES, backend.session_config)):
        for key, value in given.items():
            option = f"device {shown(device)}: option {shown(key)} of {shown(backend.provider)}"
            if key not in allowed:
                there = ", ".join(sorted(allowed)) or "none"
                raise PlanError(f"{option} may not stand in a plan; remove it, those that may are {there}")
            if not _VALUES.get(key, _VALUE).fullmatch(value):
                raise PlanError(f"{option} must be a plain word or number, got {shown(value)}; change or remove it")


def why_missing(backend: BackendSpec | None) -> str:
    """Why no session can use the backend on this machine; empty where one can."""
    if backend is None:
        return "nothing on this machine runs it"
    provider = backend.provider
    if has_own_sessions(provider):
        return why_backend_missing(provider)
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


def is_simulated(backend: BackendSpec | None) -> bool:
    """Whether what a backend runs on here is the vendor's simulator of the device."""
    return backend is not None and platform.machine() in _SIMULATED_ON.get(backend.provider, ())


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
