"""A thread per device, for plans whose devices work at the same time and for requests that nobody waits for."""

import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeAlias

Job: TypeAlias = Callable[[], None]
"""Raises nothing."""


class Lanes:
    """The threads of an executor, made when they are first needed. Each does its jobs in the order they came."""

    def __init__(self) -> None:
        """Have no thread yet."""
        self._inboxes: dict[str, SimpleQueue[Job | None]] = {}
        self._lock = threading.Lock()
        self._closed = False
        weakref.finalize(self, _end, self._inboxes)

    def put(self, device: str, job: Job) -> None:
        """Let the thread of a device do a job.

        Raises:
            RuntimeError: If the lanes are closed.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("closed")
            inbox = self._inboxes.get(device) or self._start(device)
            inbox.put(job)

    def close(self) -> None:
        """Let every thread end once it has done what it has."""
        with self._lock:
            self._closed = True
            _end(self._inboxes)

    def _start(self, device: str) -> "SimpleQueue[Job | None]":
        inbox: SimpleQueue[Job | None] = SimpleQueue()
        # a daemon: an executor that is never closed does not hold up the end of the program
        threading.Thread(target=_serve, args=(inbox,), name=f"dovetail-{device}", daemon=True).start()
        self._inboxes[device] = inbox
        return inbox


def _end(inboxes: "dict[str, SimpleQueue[Job | None]]") -> None:
    for inbox in inboxes.values():
        inbox.put(None)


def _serve(inbox: "SimpleQueue[Job | None]") -> None:
    while (job := inbox.get()) is not None:
        job()
        del job  # it holds tensors
