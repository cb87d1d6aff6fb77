"""A child process that serves one request after another, and is replaced when a request kills or holds it."""

import contextlib
import json
import subprocess
import threading
from collections.abc import Mapping, Sequence
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Final, Self

from dovetail.lowering.child import MEMORY_LIMIT, limit_process
from dovetail.plan.errors import LoweringError

_START_S: Final = 60.0
"""Seconds until the child says, in a first line, that it is there: it loads the vendor's library."""
_END_S: Final = 10.0
"""Seconds from the end of a child's output to its own end."""
_LONGEST_LINE: Final = 1 << 20
"""Characters; what is longer is no answer."""
_SHOWN: Final = 100
_KILLED: Final = "signal 9"


class NoAnswer(Exception):  # noqa: N818 - the caller makes it a cause in words
    """The child died of a request, or gave no answer in time; the text says which."""

    def __init__(self, words: str, timed_out: bool, was_killed: bool = False) -> None:
        super().__init__(words)
        self.timed_out = timed_out
        self.was_killed = was_killed
        """By somebody else than itself, as the system does where memory runs out."""


class Workshop:
    """Starts the child with the first request. For one thread at a time, but for `stop`."""

    def __init__(self, command: Sequence[str], memory: int = MEMORY_LIMIT) -> None:
        """Remember what to start.

        Args:
            command: the program and its arguments. It prints a line when it is ready, then reads a JSON object a line
                and answers each with one.
            memory: bytes of data that it may have, on Linux.
        """
        self._command = list(command)
        self._memory = memory
        self._child: subprocess.Popen[str] | None = None
        self._answers: SimpleQueue[str] = SimpleQueue()

    def ask(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """The answer to a request.

        Raises:
            NoAnswer: the child is gone then; the next request gets another one.
            LoweringError: it does not start, which says nothing of the request.
        """
        if not self._answers.empty():  # it has ended meanwhile, or speaks unasked: no answer would be to the request
            self.close()
        child = self._start() if self._child is None else self._child
        assert child.stdin is not None
        with contextlib.suppress(OSError):  # it is gone: its output has ended as well
            child.stdin.write(json.dumps(request) + "\n")
            child.stdin.flush()
        line = self._read(child, seconds)
        answer = _read_json(line)
        if not isinstance(answer, dict):
            self.close()
            raise NoAnswer(f"its answer can't be read: {line[:_SHOWN]!r}", timed_out=False)
        return answer

    def _read(self, child: "subprocess.Popen[str]", seconds: float) -> str:
        try:
            line = self._answers.get(timeout=seconds)
        except Empty:
            self.close()
            raise NoAnswer(f"no answer within {seconds:g} s", timed_out=True) from None
        if not line:  # its output has ended
            end = _end(child)
            self.close()
            raise NoAnswer(f"it crashed ({end})", timed_out=False, was_killed=end == _KILLED)
        return line

    def stop(self) -> None:
        """Kill the child, from any thread; whoever waits for its answer gets `NoAnswer`, or LoweringError."""
        if (child := self._child) is not None:
            child.kill()

    def close(self) -> None:
        """Kill the child and let go of it."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            for pipe in (self._child.stdin, self._child.stdout):
                with contextlib.suppress(OSError):  # a request that was never read
                    if pipe is not None:
                        pipe.close()
        self._child = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> "subprocess.Popen[str]":
        child = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        limit_process(child.pid, self._memory)
        self._child, self._answers = child, SimpleQueue()
        threading.Thread(target=_listen, args=(child, self._answers), daemon=True).start()
        try:
            self._read(child, _START_S)
        except NoAnswer as problem:
            raise LoweringError(
                f"the compiler's process {self._command[0]!r} ended before it was asked anything: {problem}; "
                f"install its package again, or compile without --verify"
            ) from None
        return child


def _listen(child: "subprocess.Popen[str]", answers: "SimpleQueue[str]") -> None:
    assert child.stdout is not None
    try:
        while line := child.stdout.readline(_LONGEST_LINE):
            answers.put(line)
    except ValueError:  # closed meanwhile
        pass
    answers.put("")


def _read_json(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _end(child: "subprocess.Popen[str]") -> str:
    """How a child ended whose output has ended."""
    try:
        status = child.wait(timeout=_END_S)
    except subprocess.TimeoutExpired:
        return "it closed its output"
    return f"signal {-status}" if status < 0 else f"exit status {status}"
