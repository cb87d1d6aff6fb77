"""Child processes for the user's models: limits on time and memory that the child can't lift."""

import contextlib
import os
import subprocess
from collections.abc import Sequence
from typing import IO, Final

MEMORY_LIMIT: Final = 16 << 30
"""Bytes that a child may write to; mapped weights and address space that drivers only reserve do not count."""


def run_child(
    command: Sequence[str],
    *,
    seconds: float,
    given: bytes = b"",
    stderr: int | IO[bytes] = subprocess.DEVNULL,
    memory: int = MEMORY_LIMIT,
) -> "subprocess.CompletedProcess[bytes]":
    """Run a command to its end, without its standard output.

    Args:
        command: the program and its arguments.
        seconds: of wall-clock time; of CPU time on every core, should nobody be left to watch the clock.
        given: its standard input.
        stderr: where its standard error goes, as in subprocess.
        memory: bytes of data, on Linux.

    Raises:
        subprocess.TimeoutExpired: it was stopped.
    """
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": stderr}
    with subprocess.Popen(command, **pipes) as child:  # type: ignore[call-overload]
        limit_process(child.pid, memory, int(seconds + 1))
        try:
            _, errors = child.communicate(given, timeout=seconds)
        except BaseException:
            child.kill()
            raise
    return subprocess.CompletedProcess(command, child.returncode, b"", errors)


def limit_process(process: int, memory: int, seconds: int | None = None) -> None:
    """Set limits from outside, while Python still starts there: nothing of ours runs between fork and exec.

    Args:
        process: its id.
        memory: bytes of data.
        seconds: of CPU time on every core; None for no limit.
    """
    with contextlib.suppress(ImportError, AttributeError, OSError, ValueError):  # Linux only; or it is gone already
        import resource

        limits = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_DATA, memory)]
        if seconds is not None:
            limits.append((resource.RLIMIT_CPU, seconds * (os.cpu_count() or 1)))
        for kind, limit in limits:
            _, hard = resource.prlimit(process, kind)
            lowest = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.prlimit(process, kind, (lowest, lowest))
