"""Calls that are not waited for without end."""

import threading
import weakref
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

_R = TypeVar("_R")


class NoAnswer(Exception):  # noqa: N818 - no error of the user: the executor moves the partition on
    """A call took longer than its limit; it may still be at work, in a thread that is left to itself."""


class _Call(Generic[_R]):
    """A call and its answer, which nobody reads once the call is late."""

    def __init__(self, function: Callable[[], _R]) -> None:
        self.function = function
        self.answer: SimpleQueue[tuple[_R, None] | tuple[None, BaseException]] = SimpleQueue()

    def work(self) -> None:
        """Make the call, in a thread of the pool."""
        try:
            self.answer.put((self.function(), None))
        except BaseException as problem:
            self.answer.put((None, problem))


class Watch:
    """Threads for calls that may hang. One that hangs is left behind; the others are used again."""

    def __init__(self, limit_s: float) -> None:
        """Wait `limit_s` seconds for every call."""
        self.limit_s = limit_s
        self._idle: list[SimpleQueue[_Call[object] | None]] = []
        self._lock = threading.Lock()
        self._closed = False
        weakref.finalize(self, _end, self._idle)

    def call(self, function: Callable[[], _R]) -> _R:
        """What a function returns, or raises.

        Raises:
            NoAnswer: If it takes longer than the limit.
        """
        call = _Call(function)
        with self._lock:
            inbox = self._idle.pop() if self._idle else self._start()
        inbox.put(call)  # type: ignore[arg-type]
        try:
            result, problem = call.answer.get(timeout=self.limit_s)
        except Empty:
            raise NoAnswer(f"no answer within {self.limit_s:g} s") from None
        with self._lock:
            if self._closed:
                inbox.put(None)
            else:
                self._idle.append(inbox)
        if problem is not None:
            raise problem
        return result  # type: ignore[return-value]

    def close(self) -> None:
        """Let the idle threads end, and the others when they are done."""
        with self._lock:
            self._closed = True
            _end(self._idle)

    def _start(self) -> "SimpleQueue[_Call[object] | None]":
        inbox: SimpleQueue[_Call[object] | None] = SimpleQueue()
        # a daemon: the end of the program does not wait for a device that hangs
        threading.Thread(target=_serve, args=(inbox,), name="dovetail-watched", daemon=True).start()
        return inbox


def _end(idle: "list[SimpleQueue[_Call[object] | None]]") -> None:
    while idle:
        idle.pop().put(None)


def _serve(inbox: "SimpleQueue[_Call[object] | None]") -> None:
    while (call := inbox.get()) is not None:
        call.work()
        del call  # it holds tensors
