"""Rows by the processes of a Ray cluster, or of a Ray that is started here for the time of the sweep.

Ray hands out the rows; what becomes of one is decided by the same code as in `local`, in a process of its own on the
node. That keeps a row that hangs or dies from taking Ray's worker with it, and gives it the same words.
"""

import contextlib
import functools
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from dovetail.compiler.sweeping.job import SweepJob
from dovetail.compiler.sweeping.local import LIMIT_S, cores, new_shop, serve
from dovetail.compiler.sweeping.record import SweepRecord
from dovetail.ir.parcel import pack_model, unpack_model
from dovetail.lowering.workshop import Workshop
from dovetail.plan import DovetailError, ModelError, __version__

_RETRIES: Final = 2
"""Of a row whose worker or node is lost: that says nothing of the row."""
_ADDRESS: Final = "RAY_ADDRESS"
_LOCAL: Final = "local"
"""A Ray of our own, even where another one runs on this machine that nobody has named."""


@dataclass(frozen=True, slots=True)
class RayEngine:
    """A Ray cluster, or this machine."""

    jobs: int | None = None
    """How many rows at a time; None: as many as there are cores."""
    limit_s: float = LIMIT_S
    """Seconds for a row, from when its process begins with it."""
    address: str | None = None
    """Of the cluster, as ray.init takes it; None: what RAY_ADDRESS says, else a Ray of our own on this machine. Where
    the program has a connection already, that is used."""

    def run(self, jobs: Sequence[SweepJob]) -> Iterator[tuple[int, SweepRecord]]:
        """Yield the number and the record of each job, as they get done. Models travel as bytes.

        Raises:
            DovetailError: Ray is not installed, or the cluster can't be reached.
        """
        ray = _import_ray()
        waiting, refused = _packed(jobs)
        yield from refused
        with _connected(ray, self):
            remote = ray.remote(num_cpus=1, max_retries=_RETRIES)(serve_on_node)
            yield from _collect(ray, remote, waiting, self)


def serve_on_node(files: Mapping[str, bytes], job: SweepJob, limit_s: float, version: str) -> SweepRecord:
    """Make a row where Ray has put it.

    Args:
        files: of the model, as `pack_model` gives them.
        job: its path is the name of the model's file.
        limit_s: seconds.
        version: of the Dovetail that asks.
    """
    if version != __version__:
        return job.failed(f"Dovetail {__version__} is on the node, {version} asks; install the same on all nodes")
    with tempfile.TemporaryDirectory(prefix="dovetail-sweep-") as folder:
        unpack_model(files, Path(folder))
        return serve(_shop(), replace(job, path=Path(folder, job.path)), limit_s)


@functools.cache
def _shop() -> Workshop:
    """Of this worker of Ray's, for all its rows; its process ends with the worker."""
    return new_shop()


def _import_ray() -> ModuleType:
    try:
        import ray  # an extra: only who asks for this engine needs it
    except ImportError as error:
        raise DovetailError("--engine ray: Ray is not installed; run 'pip install dovetail[ray]'") from error
    return ray


@contextlib.contextmanager
def _connected(ray: ModuleType, engine: RayEngine) -> Iterator[None]:
    if ray.is_initialized():
        yield
        return
    address = engine.address or os.environ.get(_ADDRESS)
    settings: dict[str, Any] = {"address": address}
    if not address or address == _LOCAL:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
        settings = {"address": _LOCAL, "num_cpus": engine.jobs or cores(), "include_dashboard": False}
    try:
        ray.init(log_to_driver=False, logging_level=logging.CRITICAL, **settings)
    except Exception as error:  # ConnectionError, ValueError, RuntimeError, ...: Ray has no class for it
        words = " ".join(str(error).split())[:200]
        where = f"the cluster at '{address}'" if address else "Ray on this machine"
        raise DovetailError(
            f"--engine ray: {where} can't be reached: {words}; start it, correct --ray-address, or use --engine local"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


_Packed = tuple[int, SweepJob, dict[str, bytes]]


def _packed(jobs: Sequence[SweepJob]) -> tuple[list[_Packed], list[tuple[int, SweepRecord]]]:
    """The jobs with the files of their models, each read once; and the rows of models that can't be read."""
    read: dict[Path, dict[str, bytes] | str] = {}
    packed: list[_Packed] = []
    refused = []
    for number, job in enumerate(jobs):
        if job.path not in read:
            try:
                read[job.path] = pack_model(job.path)
            except ModelError as error:
                read[job.path] = str(error)
        files = read[job.path]
        if isinstance(files, str):
            refused.append((number, job.failed(files)))
        else:
            packed.append((number, job, files))
    return packed, refused


def _collect(
    ray: ModuleType, remote: Any, waiting: Sequence[_Packed], engine: RayEngine
) -> Iterator[tuple[int, SweepRecord]]:
    """Hand out the jobs, each model stored once in the cluster, and yield their rows as they come."""
    stored: dict[Path, Any] = {}
    running: dict[Any, tuple[int, SweepJob]] = {}
    queue = list(reversed(waiting))
    while queue or running:
        while queue and len(running) < (engine.jobs or len(waiting)):
            number, job, files = queue.pop()
            if job.path not in stored:
                stored[job.path] = ray.put(files)
            named = replace(job, path=Path(job.path.name))
            running[remote.remote(stored[job.path], named, engine.limit_s, __version__)] = number, job
        for reference in ray.wait(list(running))[0]:
            number, job = running.pop(reference)
            try:
                record = ray.get(reference)
            except ray.exceptions.RayError as error:
                record = job.failed(_why_lost(error))
            yield number, record


def _why_lost(error: Exception) -> str:
    last = next((line for line in reversed(str(error).splitlines()) if line.strip()), "")
    return f"lost on Ray ({type(error).__name__}): {last[:300]}; try again, or use --engine local"
