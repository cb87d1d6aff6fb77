"""The bundled runtime: runs a plan on the devices of this machine. Needs numpy and onnxruntime only."""

from dovetail.runtime.backends import OpenRequest, PartitionSession, register_backend
from dovetail.runtime.environment import share_thread_pool
from dovetail.runtime.events import Event, EventKind
from dovetail.runtime.executor import Executor
from dovetail.runtime.feeds import Array
from dovetail.runtime.observing import Observer, Span
from dovetail.runtime.values import Value, to_array, to_value
from dovetail.runtime.worker import SIMULATOR

__all__ = [
    "SIMULATOR",
    "Array",
    "Event",
    "EventKind",
    "Executor",
    "Observer",
    "OpenRequest",
    "PartitionSession",
    "Span",
    "Value",
    "register_backend",
    "share_thread_pool",
    "to_array",
    "to_value",
]
