"""What an observer of an executor is told: when each partition ran, and where."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter_ns
from typing import TypeAlias

from dovetail.plan import RunError
from dovetail.runtime.words import one_line
from dovetail.runtime.worker import Worker


@dataclass(frozen=True, slots=True)
class Span:
    """One run of one partition."""

    partition: str
    device: str
    """The device that it ran on, for example `npu`."""
    label: str
    """The same for people, as in `Executor.placement`: `npu (emulated fp16)`."""
    start_ns: int
    """On the clock of `time.perf_counter_ns`."""
    end_ns: int


Observer: TypeAlias = Callable[[Span], object]
"""Called after every run of a partition, in the thread that ran it, which waits for it; so by several threads where
devices overlap. What it raises ends the run."""


def observed(call: Callable[[], None], worker: Callable[[], Worker], observer: Observer) -> None:
    """Make a call that runs a partition, and tell the observer if it ran well.

    Args:
        call: Runs the partition.
        worker: Asked after the call, which may have moved the partition.
        observer: Is told.

    Raises:
        RunError: If the observer raises; as any other error it would count for the device's.
    """
    start = perf_counter_ns()
    call()
    end = perf_counter_ns()
    ran = worker()
    try:
        observer(Span(ran.partition.id, ran.device, ran.label, start, end))
    except Exception as problem:
        cause = one_line(str(problem)) or type(problem).__name__
        raise RunError(f"observer: raised {cause}; make one that takes a Span and raises nothing") from problem
