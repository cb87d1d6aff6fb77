"""Runs of a plan as a trace: the JSON that chrome://tracing and Perfetto open.

Every device is a process with two tracks: what was measured, and what the plan had predicted. An arrow is a tensor
that goes from one device to another.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from dovetail.plan.schema import Plan, PlanPartition, Transfer, Variant
from dovetail.report.summary import boundary

if TYPE_CHECKING:  # reports need no ONNX Runtime
    from dovetail.runtime import Span

HOST: Final = "host"
"""The caller's side, as transfers name it; its slices are whole runs."""
MEASURED: Final = 1
PREDICTED: Final = 2
_TRACKS: Final[Mapping[int, str]] = {MEASURED: "measured", PREDICTED: "predicted"}
_INSIDE_US: Final = 0.001
MOST_NAMES: Final = 1000
"""Names of operators in a slice; a partition may have a hundred thousand."""

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TracedRun:
    """One run of a plan, with times of `time.perf_counter_ns`."""

    start_ns: int
    end_ns: int
    spans: tuple["Span", ...]


@dataclass(frozen=True, slots=True)
class _Slice:
    """A partition on a track, in microseconds from the beginning of the trace."""

    partition: PlanPartition
    device: str
    start: float
    end: float
    args: Json


def render_trace(plan: Plan, runs: Sequence[TracedRun]) -> str:
    """Return runs of a plan as strict JSON, times in microseconds from the start of the first.

    Arrows and predicted times are shown for runs that had each partition of the plan, or of its variant, once; not for
    a batch that was run in several pieces. Predicted slices begin with their run and are left out while those of an
    earlier run still last.

    Args:
        plan: that ran; of several batch sizes, with its variants.
        runs: one after the other.
    """
    origin = runs[0].start_ns if runs else 0
    events = [*_names(plan)]
    pids = {HOST: 0} | {device.id: number for number, device in enumerate(plan.devices, 1)}
    flows, free_from = count(1), 0.0
    for number, run in enumerate(runs):
        start, end = _micro(run.start_ns, origin), _micro(run.end_ns, origin)
        events.append(_complete(f"run {number}", 0, MEASURED, start, end, {}))
        ran = _measured(plan, run, origin)
        events += [_event(each, pids, MEASURED) for each in ran]
        whole = _whole(plan, run)
        if whole is None:
            continue
        events += _arrows(whole, ran, start, pids, MEASURED, flows)
        foreseen = _predicted(whole, start)
        if foreseen and start >= free_from:
            events += [_event(each, pids, PREDICTED) for each in foreseen]
            events += _arrows(whole, foreseen, start, pids, PREDICTED, flows)
            free_from = max(each.end for each in foreseen)
    other = {"model": plan.model.name, "target": plan.target, "predicted": plan.predicted.source}
    document = {"displayTimeUnit": "ms", "otherData": other, "traceEvents": events}
    return json.dumps(document, allow_nan=False) + "\n"


def _micro(clock_ns: int, origin_ns: int) -> float:
    return (clock_ns - origin_ns) / 1000


def _names(plan: Plan) -> Iterator[Json]:
    """Yield the names and the order of processes and tracks."""
    shown = [(HOST, "host"), *((device.id, f"{device.id}: {device.name}") for device in plan.devices)]
    for pid, (device, name) in enumerate(shown):
        yield _meta("process_name", pid, 0, {"name": name})
        yield _meta("process_sort_index", pid, 0, {"sort_index": pid})
        for track, words in _TRACKS.items():
            if device == HOST and track == PREDICTED:
                continue
            yield _meta("thread_name", pid, track, {"name": "runs" if device == HOST else words})
            yield _meta("thread_sort_index", pid, track, {"sort_index": track})


def _measured(plan: Plan, run: TracedRun, origin: int) -> list[_Slice]:
    known = {each.id: each for part in _parts(plan) for each in part.partitions}
    return [
        _Slice(
            known[span.partition],
            span.device,
            _micro(span.start_ns, origin),
            _micro(span.end_ns, origin),
            {"ran on": span.label, **_args(known[span.partition])},
        )
        for span in run.spans
    ]


def _predicted(part: Plan | Variant, start: float) -> list[_Slice]:
    return [
        _Slice(
            each,
            each.device,
            start + 1000 * each.predicted["start_ms"],
            start + 1000 * each.predicted["end_ms"],
            {"figures": part.predicted.source, **_args(each)},
        )
        for each in part.partitions
        if each.predicted is not None and {"start_ms", "end_ms"} <= each.predicted.keys()
    ]


def _whole(plan: Plan, run: TracedRun) -> Plan | Variant | None:
    """Return the plan or its variant all of whose partitions ran, each once."""
    ran = sorted(span.partition for span in run.spans)
    return next((part for part in _parts(plan) if sorted(each.id for each in part.partitions) == ran), None)


def _parts(plan: Plan) -> tuple[Plan | Variant, ...]:
    return plan, *plan.variants


def _args(partition: PlanPartition) -> Json:
    """Return what a slice tells when it is clicked."""
    left = len(partition.nodes) - MOST_NAMES
    return {
        "planned for": partition.device,
        "operators": len(partition.nodes),
        "bytes in": boundary(partition.inputs).bytes,
        "bytes out": boundary(partition.outputs).bytes,
        "nodes": [*partition.nodes[:MOST_NAMES], *([f"and {left} more"] if left > 0 else [])],
    }


def _arrows(
    part: Plan | Variant,
    slices: Sequence[_Slice],
    start: float,
    pids: Mapping[str, int],
    track: int,
    flows: Iterator[int],
) -> Iterator[Json]:
    """Yield an arrow for every planned transfer that took place: maker and reader ran on different devices."""
    place = {each.partition.id: each for each in slices}
    maker = {spec.name: each for each in slices for spec in each.partition.outputs}
    for transfer in part.transfers:
        reader = min((place[name] for name in transfer.consumers if name in place), key=lambda s: s.start, default=None)
        made = maker.get(transfer.tensor)
        if reader is None or (made is not None and made.device == reader.device):
            continue  # it goes to the host, or its partitions have moved together
        if made is None:
            source, out = (pids[HOST], MEASURED), start
        else:
            # an arrow leaves the slice that is there at its time, and at its very end there is none
            source, out = (pids[made.device], track), max(made.start, made.end - _INSIDE_US)
        flow = next(flows)
        yield _flow("s", transfer, flow, *source, out)
        yield _flow("f", transfer, flow, pids[reader.device], track, reader.start)


def _flow(phase: str, transfer: Transfer, flow: int, pid: int, track: int, at: float) -> Json:
    made = {"name": transfer.tensor, "cat": "transfer", "ph": phase, "id": flow, "pid": pid, "tid": track, "ts": at}
    # an arrow ends at the slice around its end, not at the next one
    return made | ({"bp": "e"} if phase == "f" else {}) | {"args": {"bytes": transfer.bytes}}


def _event(each: _Slice, pids: Mapping[str, int], track: int) -> Json:
    return _complete(each.partition.id, pids[each.device], track, each.start, each.end, each.args)


def _complete(name: str, pid: int, track: int, start: float, end: float, args: Json) -> Json:
    category = _TRACKS[track]
    span = {"ts": start, "dur": max(end - start, 0.0)}
    return {"name": name, "cat": category, "ph": "X", "pid": pid, "tid": track, **span, "args": args}


def _meta(name: str, pid: int, track: int, args: Json) -> Json:
    return {"name": name, "ph": "M", "pid": pid, "tid": track, "args": args}
