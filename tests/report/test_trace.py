"""Runs as a trace: where slices stand, which arrows there are, and that it is strict JSON."""

import json
from dataclasses import replace
from typing import Any

import pytest

from dovetail.plan import Plan, as_variant
from dovetail.report import TracedRun, render_trace
from dovetail.runtime import Span

MS = 1_000_000
HEAD, TAIL = "000-npu", "001-cpu"


@pytest.fixture
def timed(plan: Plan) -> Plan:
    """The plan with predicted times: 1 ms, a transfer of half a millisecond, 2 ms."""
    figures = {HEAD: (0.0, 1.0), TAIL: (1.5, 3.5)}
    return replace(
        plan,
        partitions=tuple(
            replace(each, predicted=dict(zip(("start_ms", "end_ms"), figures[each.id], strict=True)))
            for each in plan.partitions
        ),
    )


def ran(start_ms: int, *devices: str) -> TracedRun:
    """A run of 10 ms that begins at a time; the head runs in its second millisecond, the tail in its fifth."""
    at = start_ms * MS
    head, tail = devices
    return TracedRun(
        at,
        at + 10 * MS,
        (Span(HEAD, head, head, at + MS, at + 2 * MS), Span(TAIL, tail, tail, at + 4 * MS, at + 5 * MS)),
    )


def events(text: str) -> list[dict[str, Any]]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    found: list[dict[str, Any]] = json.loads(text, parse_constant=refuse)["traceEvents"]
    return found


def slices(text: str, category: str) -> list[tuple[str, int, float, float]]:
    found = [each for each in events(text) if each["ph"] == "X" and each["cat"] == category]
    return [(each["name"], each["pid"], each["ts"], each["dur"]) for each in found]


def arrows(text: str) -> list[tuple[str, tuple[int, int], tuple[int, int]]]:
    """Return tensor, process and track where it starts, and where it ends."""
    ends = {each["id"]: each for each in events(text) if each["ph"] == "f"}
    starts = [each for each in events(text) if each["ph"] == "s"]
    assert len(ends) == len(starts)
    return [(s["name"], (s["pid"], s["tid"]), (ends[s["id"]]["pid"], ends[s["id"]]["tid"])) for s in starts]


def test_each_device_is_a_process_with_two_tracks(timed: Plan) -> None:
    names = [each for each in events(render_trace(timed, [ran(0, "npu", "cpu")])) if each["name"].endswith("_name")]

    processes = {each["pid"]: each["args"]["name"] for each in names if each["name"] == "process_name"}
    assert processes == {0: "host", 1: "npu: Some NPU", 2: "cpu: Arm cores"}
    tracks = [(each["pid"], each["tid"], each["args"]["name"]) for each in names if each["name"] == "thread_name"]
    assert tracks == [
        (0, 1, "runs"),
        *((pid, *track) for pid in (1, 2) for track in ((1, "measured"), (2, "predicted"))),
    ]


def test_times_are_microseconds_from_the_first_run(timed: Plan) -> None:
    text = render_trace(timed, [ran(500, "npu", "cpu")])

    assert slices(text, "measured") == [("run 0", 0, 0, 10000), (HEAD, 1, 1000, 1000), (TAIL, 2, 4000, 1000)]
    assert slices(text, "predicted") == [(HEAD, 1, 0, 1000), (TAIL, 2, 1500, 2000)]


def test_a_slice_tells_operators_and_bytes(timed: Plan) -> None:
    (head,) = (e for e in events(render_trace(timed, [ran(0, "npu", "cpu")])) if (e["name"], e.get("tid")) == (HEAD, 1))

    assert head["args"] == {
        "ran on": "npu",
        "planned for": "npu",
        "operators": 2,
        "bytes in": 12288,
        "bytes out": 4096,
        "nodes": ["conv_1", "relu_1"],
    }


def test_arrows_are_the_planned_transfers_between_devices(timed: Plan) -> None:
    found = arrows(render_trace(timed, [ran(0, "npu", "cpu")]))

    assert found == [
        *(("image", (0, 1), (1, 1)), ("features", (1, 1), (2, 1))),
        *(("image", (0, 1), (1, 2)), ("features", (1, 2), (2, 2))),
    ]


def test_an_arrow_starts_inside_the_slice_that_made_the_tensor(timed: Plan) -> None:
    found = events(render_trace(timed, [ran(0, "npu", "cpu")]))

    start, end = (next(e for e in found if (e["name"], e["ph"], e["tid"]) == ("features", way, 1)) for way in "sf")
    assert 1000 <= start["ts"] < 2000
    assert (end["ts"], end["bp"], end["args"]) == (4000, "e", {"bytes": 4096})


def test_a_partition_that_moved_is_shown_where_it_ran_and_needs_no_transfer(timed: Plan) -> None:
    text = render_trace(timed, [ran(0, "cpu", "cpu")])

    assert (HEAD, 2, 1000, 1000) in slices(text, "measured")
    assert ("features", (2, 1), (2, 1)) not in arrows(text)
    assert [each[0] for each in arrows(text) if each[2][1] == 1] == ["image"]


def test_predicted_slices_never_overlap_those_of_the_run_before(timed: Plan) -> None:
    text = render_trace(timed, [ran(start, "npu", "cpu") for start in (0, 2, 20)])

    assert [start for name, _, start, _ in slices(text, "predicted") if name == HEAD] == [0, 20000]
    assert [start for name, _, start, _ in slices(text, "measured") if name == HEAD] == [1000, 3000, 21000]


def test_a_run_of_another_batch_size_is_that_of_its_variant(timed: Plan) -> None:
    other = tuple(replace(each, id=f"b8-{each.id}") for each in timed.partitions)
    steps = tuple(replace(each, partition=f"b8-{each.partition}") for each in timed.steps)
    variant = as_variant(replace(timed, partitions=other, steps=steps, transfers=()), 8, 1)
    run = ran(0, "npu", "cpu")
    run = replace(run, spans=tuple(replace(span, partition=f"b8-{span.partition}") for span in run.spans))
    text = render_trace(replace(timed, batch=1, variants=(variant,)), [run])

    assert [each[0] for each in slices(text, "predicted")] == ["b8-000-npu", "b8-001-cpu"]
    assert arrows(text) == []


def test_a_batch_in_pieces_has_measured_slices_alone(timed: Plan) -> None:
    run = ran(0, "npu", "cpu")
    text = render_trace(timed, [replace(run, spans=run.spans * 2)])

    assert len(slices(text, "measured")) == 5
    assert (slices(text, "predicted"), arrows(text)) == ([], [])


def test_a_plan_without_figures_is_traced_without_them(plan: Plan) -> None:
    assert slices(render_trace(plan, [ran(0, "npu", "cpu")]), "predicted") == []


def test_names_with_control_characters_stay_strict_json(timed: Plan) -> None:
    odd = 'conv\n\x00"\u2028'
    partitions = tuple(replace(each, nodes=(odd,)) for each in timed.partitions)
    text = render_trace(replace(timed, partitions=partitions), [ran(0, "npu", "cpu")])

    assert text.isascii()
    assert text.count("\n") == 1
    assert [e["args"]["nodes"] for e in events(text) if e["name"] == HEAD] == [[odd]] * 2
