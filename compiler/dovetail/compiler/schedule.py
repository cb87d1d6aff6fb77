"""What crosses partitions: slots, the steps that fill them, and transfers between devices."""

from collections.abc import Sequence
from dataclasses import dataclass

from dovetail.ir import Border, Graph, byte_size, tensor_spec
from dovetail.plan.schema import Step, TensorSpec, Transfer

HOST = "host"
"""Where a caller's arrays are, in transfers."""
CPU = "cpu"
"""The device that works in the host's memory."""


@dataclass(frozen=True, slots=True)
class Handed:
    """A partition as the schedule needs it."""

    id: str
    device: str
    border: Border


@dataclass(frozen=True, slots=True)
class Schedule:
    """How partitions hand tensors to each other."""

    slots: tuple[TensorSpec, ...]
    steps: tuple[Step, ...]
    transfers: tuple[Transfer, ...]


def make_schedule(graph: Graph, placed: Sequence[Handed]) -> Schedule:
    """Number the tensors that cross a border, and free each after its last reader. O(size of all borders)."""
    slots: dict[str, TensorSpec] = {str(value.name): tensor_spec(value) for value in graph.inputs}
    for each in placed:
        slots.update((str(value.name), tensor_spec(value)) for value in each.border.outputs)
    number = {name: index for index, name in enumerate(slots)}
    last_reader = {str(value.name): each.id for each in placed for value in each.border.inputs}
    results = {str(value.name) for value in graph.outputs}
    steps = []
    for each in placed:
        inputs = [str(value.name) for value in each.border.inputs]
        outputs = [str(value.name) for value in each.border.outputs]
        unread = [name for name in outputs if name not in last_reader]
        done = [name for name in inputs if last_reader[name] == each.id] + unread
        free = tuple(number[name] for name in done if name not in results)
        steps.append(
            Step(each.id, tuple(number[name] for name in inputs), tuple(number[name] for name in outputs), free)
        )
    return Schedule(tuple(slots.values()), tuple(steps), _transfers(graph, placed, slots))


def _transfers(graph: Graph, placed: Sequence[Handed], slots: dict[str, TensorSpec]) -> tuple[Transfer, ...]:
    """One transfer per tensor and destination device; the CPU works in the host's memory."""
    home = {str(value.name): HOST for value in graph.inputs}
    home.update((str(value.name), each.device) for each in placed for value in each.border.outputs)
    readers: dict[tuple[str, str], list[str]] = {}
    for each in placed:
        for value in each.border.inputs:
            readers.setdefault((str(value.name), each.device), []).append(each.id)
    for value in graph.outputs:
        if (str(value.name), CPU) not in readers:  # what has gone there for a reader is in the host's memory already
            readers.setdefault((str(value.name), HOST), [])
    return tuple(
        Transfer(name, home[name], device, byte_size(slots[name]), tuple(consumers))
        for (name, device), consumers in readers.items()
        if not _same_memory(home[name], device)
    )


def _same_memory(a: str, b: str) -> bool:
    return a == b or {a, b} <= {HOST, CPU}
