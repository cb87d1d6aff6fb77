"""Rows by processes of this machine: one that dies or hangs costs its own row."""

import base64
import contextlib
import os
import pickle
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from dovetail.compiler.sweeping.job import SweepJob
from dovetail.compiler.sweeping.record import SweepRecord
from dovetail.lowering.workshop import NoAnswer, Workshop
from dovetail.plan.errors import LoweringError

LIMIT_S: Final = 600.0
"""Seconds for a row: thirty times what the solver is given unless it is told otherwise."""
_COMMAND: Final = (sys.executable, "-P", str(Path(__file__).with_name("child.py")))
_STARTS: Final = 2
"""Attempts at a process; one that does not start says nothing of the row."""
_TICK_S: Final = 0.05

_Todo = SimpleQueue[tuple[int, SweepJob]]
_Done = SimpleQueue[tuple[int, SweepRecord | BaseException]]


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """Processes of this machine."""

    jobs: int | None = None
    """How many at a time; None: one for each core that this process may use."""
    limit_s: float = LIMIT_S
    """Seconds for a row, from when its process begins with it."""

    def run(self, jobs: Sequence[SweepJob]) -> Iterator[tuple[int, SweepRecord]]:
        """Yield the number and the record of each job, as they get done. Closing the iterator ends all processes."""
        todo: _Todo = SimpleQueue()
        done: _Done = SimpleQueue()
        for each in enumerate(jobs):
            todo.put(each)
        shops = [new_shop() for _ in range(min(self.jobs or cores(), len(jobs)))]
        threads = [threading.Thread(target=_work, args=(shop, todo, done, self.limit_s), daemon=True) for shop in shops]
        try:
            for thread in threads:
                thread.start()
            for _ in jobs:
                number, record = _wait_for(done)
                if isinstance(record, BaseException):
                    raise record
                yield number, record
        finally:
            _end(shops, threads, todo)


def new_shop() -> Workshop:
    """What serves rows: a process that is started with the first, and again when one kills it."""
    return Workshop(_COMMAND)


def serve(shop: Workshop, job: SweepJob, limit_s: float) -> SweepRecord:
    """The row of a job, made by the process of a workshop; a row of failure where that dies or takes too long."""
    request = {"job": base64.b64encode(pickle.dumps(job)).decode()}
    problem = ""
    for _ in range(_STARTS):
        try:
            return SweepRecord(**shop.ask(request, min(limit_s, threading.TIMEOUT_MAX)))
        except NoAnswer as lost:
            return job.failed(_why_lost(lost, limit_s))
        except LoweringError as error:
            problem = str(error.__context__ or error)
    return job.failed(f"its process does not start: {problem}; close other programs, or use fewer --jobs")


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _why_lost(lost: NoAnswer, limit_s: float) -> str:
    if lost.timed_out:
        return f"over the time limit of {limit_s:g} s; give more with --limit-s"
    if lost.was_killed:
        return "its process was killed, as the system does where memory runs out; use fewer --jobs"
    return f"its process died: {lost}; report it with the model"


def _work(shop: Workshop, todo: _Todo, done: _Done, limit_s: float) -> None:
    with shop:
        while True:
            try:
                number, job = todo.get_nowait()
            except Empty:
                return
            try:
                done.put((number, serve(shop, job, limit_s)))
            except BaseException as error:  # it is raised where somebody waits
                done.put((number, error))


def _wait_for(done: _Done) -> tuple[int, SweepRecord | BaseException]:
    """The next that is done. Waits for a moment at a time: an interrupt that comes just before a wait begins is seen
    after it only."""
    while True:
        with contextlib.suppress(Empty):
            return done.get(timeout=_TICK_S)


def _end(shops: Sequence[Workshop], threads: Sequence[threading.Thread], todo: _Todo) -> None:
    """Leave nothing running; a thread may be about to start a process just now."""
    with contextlib.suppress(Empty):
        while True:
            todo.get_nowait()
    while any(thread.is_alive() for thread in threads):
        for shop in shops:
            shop.stop()
        for thread in threads:
            thread.join(_TICK_S)
