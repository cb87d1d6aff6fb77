"""Making one ONNX Runtime session for one partition on one device."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import onnxruntime as ort

from dovetail.plan import BackendSpec, DeviceKind
from dovetail.runtime.capture import captured_output
from dovetail.runtime.environment import note_shared_pool, session_options
from dovetail.runtime.providers import CPU_PROVIDER, use_provider
from dovetail.runtime.words import one_line, vendor_words

_logger = logging.getLogger("dovetail.runtime")

_NEEDS_SHARED_POOL: Final = "use_per_session_threads must be false"
_ERRORS, _NOTHING, _EVERYTHING = 3, 4, 0
"""Severities of ONNX Runtime's log."""


class DeviceFailure(Exception):  # noqa: N818 - no error of the user: the executor moves the partition on
    """A device refused a partition, or failed while it ran; the text is the cause in one line."""


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """A model to be run on a device."""

    model: Path
    backend: BackendSpec
    kind: DeviceKind
    optimize: bool = True
    threads: int = 0
    """For the CPU; 0 for one per physical core."""
    share_weights: bool = False
    """See `environment.session_options`."""


def open_session(request: SessionRequest) -> ort.InferenceSession:
    """Make a session that runs the whole model on the backend, and nothing of it elsewhere.

    Raises:
        DeviceFailure: With the words of the library that refused.
    """
    provider = request.backend.provider
    if provider == CPU_PROVIDER:
        session, problem = _try_create(request, _NOTHING)
        if session is None:
            raise DeviceFailure(one_line(str(problem))) from problem
        return session
    with captured_output() as output:
        session, problem = _try_create(request, _ERRORS)
    _log(output.text)
    if session is None:
        raise DeviceFailure(vendor_words(str(problem), output.text + _reasons(request))) from problem
    if provider not in session.get_providers():
        raise DeviceFailure(vendor_words(f"ONNX Runtime dropped {provider}", output.text))
    return session


def _reasons(request: SessionRequest) -> str:
    """The log of a second try: why a device refuses an operator is said at the highest verbosity only."""
    with captured_output() as output:
        _try_create(request, _EVERYTHING)
    _log(output.text)
    return output.text


def _try_create(request: SessionRequest, severity: int) -> tuple[ort.InferenceSession, None] | tuple[None, Exception]:
    try:
        return _create(request, severity), None
    except Exception as problem:  # ONNX Runtime's errors have no common class
        if _NEEDS_SHARED_POOL not in str(problem):
            return None, problem
    note_shared_pool()
    return _try_create(request, severity)


def _create(request: SessionRequest, severity: int) -> ort.InferenceSession:
    on_cpu = request.backend.provider == CPU_PROVIDER
    # the threads of a device's session would only wait
    options = session_options(request.threads if on_cpu else 1, request.optimize, request.share_weights)
    options.log_severity_level = severity
    if not on_cpu:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    providers = use_provider(options, request.backend, request.kind)
    # without enable_fallback=0 a provider that fails is replaced by the CPU with a few words on stdout
    return ort.InferenceSession(str(request.model), options, providers=providers, enable_fallback=0)


def _log(text: str) -> None:
    if text.strip():
        _logger.debug("printed while a session was made:\n%s", text)
