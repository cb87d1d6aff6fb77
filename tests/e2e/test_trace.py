"""Traces of real runs, held to the rules of the Chrome trace format by a reader that knows nothing of the writer."""

import json
import math
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.cli.calling import dovetail

from dovetail.plan import Plan, read_plan

SAMPLE_MODELS = sorted((Path(__file__).parents[2] / "sample_models").glob("*.onnx"))
PREDICTED = "predicted"
Event = dict[str, Any]


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def slices_by_track(events: list[Event]) -> dict[tuple[int, int], list[Event]]:
    """Complete events by process and thread, in the order of their start, the longer first."""
    tracks = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            assert event["dur"] >= 0
            tracks[event["pid"], event["tid"]].append(event)
    return {track: sorted(each, key=lambda e: (e["ts"], -e["dur"])) for track, each in tracks.items()}


def check_form(events: list[Event]) -> None:
    """Every event has what its phase needs, and its process and thread have names."""
    named = defaultdict(set)
    for event in events:
        assert {"name", "ph", "pid", "tid"} <= event.keys()
        assert event["ph"] in "XMsf"
        if event["ph"] == "M":
            named[event["name"]].add((event["pid"], event["tid"] if event["name"].startswith("thread") else 0))
        else:
            assert math.isfinite(event["ts"])
            assert event["ts"] >= 0
    for event in events:
        if event["ph"] != "M":
            assert (event["pid"], 0) in named["process_name"]
            assert (event["pid"], event["tid"]) in named["thread_name"]


def check_slices(tracks: dict[tuple[int, int], list[Event]]) -> None:
    """Slices of one thread follow each other: a viewer would stack them as callers and called."""
    for slices in tracks.values():
        for one, next_one in pairwise(slices):
            assert one["ts"] + one["dur"] <= next_one["ts"] + 1e-6, (one["name"], next_one["name"])


def check_flows(events: list[Event], tracks: dict[tuple[int, int], list[Event]], plan: Plan) -> None:
    """Every tensor that goes to a device has arrows, with one start and one end, each in a slice of its thread."""
    devices = {device.id for device in plan.devices}
    moved = {transfer.tensor for transfer in plan.transfers if transfer.destination in devices}
    assert {event["name"] for event in events if event["ph"] == "s"} == moved
    ends = defaultdict(list)
    for event in events:
        if event["ph"] in "sf":
            ends[event["id"]].append(event)
    for pair in ends.values():
        assert [event["ph"] for event in pair] == ["s", "f"]
        assert pair[0]["pid"] != pair[1]["pid"]
        for event in pair:
            around = tracks[event["pid"], event["tid"]]
            assert any(each["ts"] <= event["ts"] <= each["ts"] + each["dur"] for each in around), event


def check_makespan(events: list[Event], plan: Plan) -> None:
    """Predicted slices end when the plan says that its last partition ends; measured ones lie in their runs."""
    runs = [event for event in events if event["ph"] == "X" and event["name"].startswith("run ")]
    predicted = [event for event in events if event["ph"] == "X" and event["cat"] == PREDICTED]
    inside = [event for event in events if event["ph"] == "X" and event["cat"] != PREDICTED and event not in runs]
    assert len(runs) == 2
    assert len(inside) == 2 * len(plan.partitions)
    for event in inside:
        assert any(run["ts"] <= event["ts"] and event["ts"] + event["dur"] <= run["ts"] + run["dur"] for run in runs)
    assert plan.predicted.latency_ms is not None
    first = predicted[: len(plan.partitions)]
    last_ms = (max(event["ts"] + event["dur"] for event in first) - runs[0]["ts"]) / 1000
    ends_ms = [each.predicted["end_ms"] for each in plan.partitions if each.predicted is not None]
    assert last_ms == pytest.approx(max(ends_ms), abs=1e-9)
    assert last_ms <= plan.predicted.latency_ms * (1 + 1e-9)


@pytest.mark.parametrize("model", SAMPLE_MODELS, ids=lambda model: model.stem)
def test_trace_of_a_sample_is_sound(model: Path, tmp_path: Path) -> None:
    plan, trace = tmp_path / "sample.plan", tmp_path / "trace.json"
    compiled = dovetail("compile", model, "-t", "qualcomm-hexagon-htp", "-o", plan)
    assert compiled.exit_code == 0, compiled.stderr

    result = dovetail("run", plan, "--random", 0, "--emulate", "--repeat", 1, "--trace", trace)

    assert result.exit_code == 0, result.stderr
    events = json.loads(trace.read_text(encoding="ascii"), parse_constant=refuse)["traceEvents"]
    check_form(events)
    tracks = slices_by_track(events)
    check_slices(tracks)
    check_flows(events, tracks, read_plan(plan))
    check_makespan(events, read_plan(plan))
