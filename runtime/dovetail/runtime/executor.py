"""Running a plan: a loop over its steps."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from dovetail.plan import RunError, Step, for_batch, read_plan, shown
from dovetail.runtime.dispatcher import Dispatcher, ExecutorOptions
from dovetail.runtime.events import Event
from dovetail.runtime.feeds import Array, check_feeds
from dovetail.runtime.worker import Value, to_array, to_value


class Executor:
    """A plan that is ready to run. `run` may be called from several threads.

    A device that is missing, refuses a partition or fails while it runs hands the partition to the next device that
    the plan allows: one warning in the log, one `Event` per partition. The CPU is the last and has no next.
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
    ) -> None:
        """Read the plan and make a session for every partition.

        Args:
            path: The plan folder. It is only read.
            strict: Raise instead of moving a partition to another device.
            emulate: Run the partitions of an NPU on the CPU, with the NPU's rounding of floats.
            verify: Compare every file with its SHA-256.
            optimize: Let ONNX Runtime rewrite the partitions. Without, a plan on the CPU gives bit for bit what
                the whole model gives without.
            threads: For each session on the CPU; None for one per physical core.
            batch: The batch size of a plan that was made for several; None for its first.

        Raises:
            PlanError: If the plan is damaged, asks for what a plan must not, or was not made for this batch size.
            RunError: If no device can run a partition, or with `strict` not the first.
        """
        plan = read_plan(Path(path), verify=verify)
        self.plan = plan if batch is None else for_batch(plan, batch)
        options = ExecutorOptions(strict, emulate, optimize, threads or 0)
        self._dispatcher = Dispatcher(self.plan, Path(path).absolute(), options)
        self._slot_of = {spec.name: slot for slot, spec in enumerate(self.plan.slots)}

    @property
    def placement(self) -> dict[str, str]:
        """Partition -> where it really runs, for example `cpu` or `npu (emulated fp16)`."""
        return self._dispatcher.placement()

    @property
    def events(self) -> list[Event]:
        """What did not run where the plan put it, oldest first."""
        return self._dispatcher.events

    def run(self, feeds: Mapping[str, Array], output_names: Sequence[str] | None = None) -> dict[str, Array]:
        """Run the plan once.

        Args:
            feeds: An array for every input of the plan. They are read in place and not changed.
            output_names: The outputs wanted; None for all.

        Returns:
            The outputs by name, in the order wanted.

        Raises:
            RunError: If feeds or names do not fit the plan, or no device can run a partition.
        """
        names = self._output_names(output_names)
        arrays = check_feeds(self.plan.inputs, feeds)
        slots: list[Value | None] = [None] * len(self.plan.slots)
        for name in arrays.keys() & self._slot_of.keys():
            slots[self._slot_of[name]] = to_value(arrays[name], name)
        for step in self.plan.steps:
            self._run_step(step, slots)
        return {
            name: arrays[name].copy() if name in arrays else to_array(slots[self._slot_of[name]], name)
            for name in names
        }

    def _run_step(self, step: Step, slots: list[Value | None]) -> None:
        outputs = self._dispatcher.run(step.partition, [slots[slot] for slot in step.inputs])
        for slot, value in zip(step.outputs, outputs, strict=True):
            slots[slot] = value
        for slot in step.free:
            slots[slot] = None

    def _output_names(self, wanted: Sequence[str] | None) -> list[str]:
        known = [spec.name for spec in self.plan.outputs]
        for name in wanted or ():
            if name not in known:
                has = ", ".join(map(shown, known))
                raise RunError(f"output {shown(name)}: the plan has no such output, it has {has}; name one of them")
        return known if wanted is None else list(wanted)

    def close(self) -> None:
        """Give the sessions back. The arrays of earlier runs stay valid."""
        self._dispatcher.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
