"""The bundled runtime: runs a plan on the devices of this machine. Needs numpy and onnxruntime only."""

from dovetail.runtime.environment import share_thread_pool
from dovetail.runtime.events import Event, EventKind
from dovetail.runtime.executor import Executor

__all__ = ["Event", "EventKind", "Executor", "share_thread_pool"]
