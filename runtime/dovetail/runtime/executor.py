"""A plan that is ready to run."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from dovetail.plan import Plan, RunError, for_batch, read_plan
from dovetail.runtime.batching import Batching, Piece
from dovetail.runtime.devices import Devices, ExecutorOptions
from dovetail.runtime.events import Event
from dovetail.runtime.feeds import Array
from dovetail.runtime.lanes import Lanes
from dovetail.runtime.observing import Observer
from dovetail.runtime.pipeline import in_order, joined
from dovetail.runtime.program import Program

Results = dict[str, Array]


class Executor:
    """A plan that is ready to run. Everything may be called from several threads.

    A device that is missing, refuses a partition, fails while it runs or gives no answer in time hands the partition
    to the next device that the plan allows: one warning in the log, one `Event` per partition. The CPU is the last
    and has no next. A device that fails `max_failures` times, or once gives no answer, is left alone until `reset`.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        strict: bool = False,
        emulate: bool = False,
        verify: bool = True,
        optimize: bool = True,
        threads: int | None = None,
        batch: int | None = None,
        timeout_s: float | None = None,
        max_failures: int = 3,
        share_weights: bool = False,
        observer: Observer | None = None,
    ) -> None:
        """Read the plan and make a session for every partition, of a plan for several batch sizes those of its first.

        Args:
            path: The plan folder. It is only read.
            strict: Raise instead of moving a partition to another device.
            emulate: Run the partitions of an NPU on the CPU, with the NPU's rounding of floats.
            verify: Compare every file with its SHA-256.
            optimize: Let ONNX Runtime rewrite the partitions. Without, a plan on the CPU gives bit for bit what
                the whole model gives without.
            threads: For each session on the CPU; None for one per physical core.
            batch: The only batch size to run, of a plan that was made for several; None to go by the feeds.
            timeout_s: Seconds that a device may take for a partition; None to wait without end. Each partition then
                costs two changes of threads.
            max_failures: After so many failures a device is left alone.
            share_weights: Let all processes that run the plan share its weights in memory. Large matrix
                multiplications take up to twice the time so.
            observer: Is told when each partition ran, and where; nothing is measured without.

        Raises:
            PlanError: If the plan is damaged, asks for what a plan must not, or was not made for this batch size.
            RunError: If no device can run a partition, or with `strict` not the first; or if an option is out of range.
        """
        if timeout_s is not None and not timeout_s > 0:
            raise RunError(f"timeout_s: must be above 0, got {timeout_s}; give seconds, or None to wait without end")
        if max_failures < 1:
            raise RunError(f"max_failures: must be at least 1, got {max_failures}; give a larger number")
        plan = read_plan(Path(path), verify=verify)
        self.plan = plan if batch is None else for_batch(plan, batch)
        options = ExecutorOptions(
            strict, emulate, optimize, threads or 0, timeout_s, max_failures, share_weights, observer
        )
        self._folder = Path(path).absolute()
        self._devices = Devices(self.plan.devices, options)
        self._lanes = Lanes()
        self._lock = threading.Lock()
        self._closed = False
        self._batching = Batching(self.plan) if self.plan.variants else None
        first = self.plan if self._batching is None else for_batch(self.plan, self._batching.sizes[0])
        self._first = self._load(first)
        self._programs = {first.batch: self._first}
        self._said: set[int] = set()

    @property
    def placement(self) -> dict[str, str]:
        """Partition -> where it really runs, for example `cpu` or `npu (emulated fp16)`; of batch sizes run so far."""
        programs = list(self._programs.values())
        return {name: where for program in reversed(programs) for name, where in program.placement().items()}

    @property
    def events(self) -> list[Event]:
        """What did not run where the plan put it, and batches that the plan was not made for, oldest first."""
        return self._devices.events

    def run(self, feeds: Mapping[str, Array], output_names: Sequence[str] | None = None) -> Results:
        """Run the plan once.

        Args:
            feeds: An array for every input of the plan. They are read in place and not changed.
            output_names: The outputs wanted; None for all.

        Returns:
            The outputs by name, in the order wanted. No later run writes to them.

        Raises:
            RunError: If feeds or names do not fit the plan, or no device can run a partition.
        """
        names = self._first.output_names(output_names)
        if self._batching is None:
            return self._first.run(feeds, names)
        rows = self._batching.size_of(feeds)
        if rows in self._batching.sizes:
            return self._program(rows).run(feeds, names)
        pieces = self._pieces(self._batching, rows)
        results = [self._program(piece.size).run(self._batching.cut(feeds, piece), names) for piece in pieces]
        return self._batching.join(pieces, results)

    def run_async(self, feeds: Mapping[str, Array], output_names: Sequence[str] | None = None) -> "Future[Results]":
        """Begin a run; each of its steps runs in the thread of its device, beside those of other runs.

        Args:
            feeds: As for `run`; they must stay as they are until the run has ended.
            output_names: As for `run`.

        Returns:
            What gives the result of `run`, or raises its error. It can be cancelled until the run has begun. Nothing
            bounds how many runs wait: `run_many` does.
        """
        try:
            return self._start(feeds, output_names)
        except Exception as problem:  # whoever asks for the result wants to know, not whoever begins the run
            failed: Future[Results] = Future()
            failed.set_exception(problem)
            return failed

    def run_many(
        self,
        inputs: Iterable[Mapping[str, Array]],
        output_names: Sequence[str] | None = None,
        *,
        depth: int | None = None,
    ) -> Iterator[Results]:
        """Run the plan for one input after the other, so that all devices work at the same time.

        Args:
            inputs: Feeds as for `run`, read only as they are needed; each must stay as it is until its result is out.
            output_names: As for `run`.
            depth: How many runs may be under way; None for one more than the plan uses devices.

        Returns:
            The results in the order of the inputs. The first error is raised where its result would stand, and ends
            it. Closing it cancels the runs that have not begun.

        Raises:
            RunError: If `depth` is less than 1.
        """
        lanes = len(set(self._first.wiring.lanes))
        depth = lanes + 1 if depth is None else depth
        if depth < 1:
            raise RunError(f"depth: must be at least 1, got {depth}; give how many runs may be under way")
        return in_order(inputs, lambda feeds: self.run_async(feeds, output_names), depth)

    def reset(self) -> None:
        """Try all devices again, those that have failed, are missing or gave no answer, from the next run on."""
        self._devices.reset()

    def close(self) -> None:
        """Give sessions and threads back; runs that have begun may fail. The arrays of earlier runs stay valid."""
        with self._lock:
            self._closed = True
            programs = list(self._programs.values())
        self._lanes.close()
        if self._devices.watch is not None:
            self._devices.watch.close()
        for program in programs:
            program.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self, feeds: Mapping[str, Array], output_names: Sequence[str] | None) -> "Future[Results]":
        names = self._first.output_names(output_names)
        batching = self._batching
        if batching is None:
            return self._first.submit(feeds, names)
        rows = batching.size_of(feeds)
        if rows in batching.sizes:
            return self._program(rows).submit(feeds, names)
        pieces = self._pieces(batching, rows)
        parts = [self._program(piece.size).submit(batching.cut(feeds, piece), names) for piece in pieces]
        return joined(parts, partial(batching.join, pieces))

    def _pieces(self, batching: Batching, rows: int) -> tuple[Piece, ...]:
        pieces = batching.pieces(rows)
        with self._lock:
            if rows not in self._said:
                self._said.add(rows)
                self._devices.record([Event("batch", "", "", "", batching.words(rows, pieces))])
        return pieces

    def _program(self, size: int) -> Program:
        """The program of a batch size, loaded when it is first needed: most callers use one."""
        program = self._programs.get(size)
        if program is None:
            with self._lock:
                if self._closed:
                    raise RunError("the executor is closed; make a new one")
                if size not in self._programs:
                    self._programs[size] = self._load(for_batch(self.plan, size))
                program = self._programs[size]
        return program

    def _load(self, plan: Plan) -> Program:
        return Program(plan, self._folder, self._devices, self._lanes)
