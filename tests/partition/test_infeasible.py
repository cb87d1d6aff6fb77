"""Limits that contradict each other: what is said of them is true."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from tests.partition.costed import EveryPlacement, Floats, costed_problems, every_placement

from dovetail.cost import CostTable
from dovetail.partition import DeviceLimits, PlaceOptions, Problem, Tensor, place
from dovetail.plan.errors import PartitionError

ANY = st.sampled_from([2, 2, 3]).flatmap(lambda devices: costed_problems(devices, 8 if devices == 2 else 5))
PARTS = st.none() | st.integers(-2, 3).map(lambda tenth: tenth / 10)
"""Of the way from the smallest to the largest value."""
TEXT = re.compile(
    r"placement: the (?P<what>.+?) must be at most (?P<most>\S+)(?: ms| mJ| MB)?"
    r"(?: together with at most (?P<beside>.+))?, but "
    r"(?P<verb>no placement has less than|the least that was found is) (?P<least>\S+)(?: ms| mJ| MB)?, "
    r"(?P<more>\S+)(?: ms| mJ| MB)? more; raise the limit, take pins away, or choose another target"
)


def quantity(problem: Problem, everything: EveryPlacement, what: str) -> Floats:
    """In the unit that messages use."""
    if what in ("latency", "energy"):
        return (everything.latency if what == "latency" else everything.energy) * 1e-3
    kind, _, device = what.rpartition(" ")
    number = problem.devices.index(device)
    if kind == "memory of":
        return everything.memory[:, number] * 1e-6
    assert kind == "partitions on"
    return everything.partitions[:, number].astype(np.float64)


def tight(values: Floats, part: float) -> float:
    return float(values.min() + part * (values.max() - values.min())) / 1e3


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(ANY, PARTS, PARTS)
def test_what_is_said_to_be_the_least_is(problem: Problem, latency: float | None, energy: float | None) -> None:
    everything = every_placement(problem)
    options = PlaceOptions(
        max_latency_ms=None if latency is None else tight(everything.latency, latency),
        max_energy_mj=None if energy is None else tight(everything.energy, energy),
    )
    assume(not everything.within(problem, options).any())
    with pytest.raises(PartitionError) as error:
        place(problem, options)
    message = str(error.value)
    assert "inf" not in message.replace("infeasible", "")
    assert "nan" not in message
    assert "\n" not in message
    found = TEXT.fullmatch(message)
    event("a figure" if found else "no figure")
    if found is None:
        assert message.startswith(("placement: no placement was found that keeps all of: ", "device "))
        return
    values = quantity(problem, everything, found["what"])
    least, most, more = (float(found[name]) for name in ("least", "most", "more"))
    assert more == pytest.approx(least - most, rel=1e-3, abs=1e-5 * max(least, most))
    assert least > most * (1 - 1e-5)
    if found["verb"] == "no placement has less than":
        beside = beside_of(problem, everything, found["beside"])
        assert least <= float(values[beside].min(initial=np.inf)) * (1 + 1e-5)
    else:
        assert least >= float(values.min()) * (1 - 1e-5)


def beside_of(problem: Problem, everything: EveryPlacement, text: str | None) -> np.typing.NDArray[np.bool_]:
    """The placements that keep the limits named beside, as `8 ms latency and 2 partitions on npu`."""
    kept = np.ones(len(everything.device_of), np.bool_)
    for part in text.split(" and ") if text else ():
        amount, _, what = part.partition(" ")
        values = quantity(problem, everything, re.sub(r"^(ms|mJ|MB) ", "", what))
        kept &= values <= float(amount) * (1 + 1e-5)
    return kept


def chain(memory: float = 0.0, **changes: object) -> Problem:
    """Three units: 10 us and 3 uJ on the NPU, 30 us and 1 uJ on the CPU; moving a tensor is 1 of each, no launches."""
    away = np.broadcast_to(1 - np.eye(2), (3, 2, 2))
    costs = CostTable(
        np.tile([10.0, 30.0], (3, 1)),
        np.tile([3.0, 1.0], (3, 1)),
        away,
        away,
        np.zeros(2),
        np.zeros(2),
        np.full((3, 2), 4e6),
        np.array([memory or np.inf, np.inf]),
    )
    tensors = (Tensor(4, 0, (1,)), Tensor(4, 1, (2,)), Tensor(4, 2, (), is_output=True))
    allowed = ((True, True),) * 3
    problem = Problem(("npu", "cpu"), ("a", "b", "c"), allowed, ((0, 1), (1, 2)), (1, 1, 1), {}, {}, tensors=tensors)
    return replace(problem, costs=costs, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("problem", "options", "words"),
    [
        # all on the npu, and the output back: 31 us
        (chain(), PlaceOptions(max_latency_ms=0.02), "latency must be at most 0.02 ms, but .* 0.031 ms, 0.011 ms more"),
        # all on the cpu: 3 uJ
        (chain(), PlaceOptions(max_energy_mj=0.001), "energy must be at most 0.001 mJ, but .* 0.003 mJ, 0.002 mJ more"),
        # two units on the npu, 51 us at least, take 8 uJ
        (
            chain(),
            PlaceOptions(max_latency_ms=0.06, max_energy_mj=0.0045),
            "energy must be at most 0.0045 mJ together with at most 0.06 ms latency, but .* more",
        ),
        (
            chain(memory=4e6, pins={0: 0, 1: 0}),
            PlaceOptions(),
            "memory of npu must be at most 4 MB, but no placement has less than 8 MB, 4 MB more",
        ),
        (
            chain(memory=5e6),
            PlaceOptions(max_latency_ms=0.05),
            "memory of npu must be at most 5 MB together with at most 0.05 ms latency, but .* more",
        ),
        (
            chain(pins={0: 0, 1: 1, 2: 0}, limits={0: DeviceLimits(max_partitions=1)}),
            PlaceOptions(),
            "the partitions on npu must be at most 1, but no placement has less than 2, 1 more; .* take pins away",
        ),
        (
            chain(limits={0: DeviceLimits(max_partitions=0)}),
            PlaceOptions(max_latency_ms=0.05),
            "partitions on npu must be at most 0 together with at most 0.05 ms latency, but .* more",
        ),
        (
            chain(pins={1: 0}, allowed=((True, True), (False, True), (True, True))),
            PlaceOptions(),
            "unit 'b': a pin must name a device that supports it, got 'npu'; pin it to cpu",
        ),
    ],
)
@pytest.mark.parametrize("objective", ["latency", "energy", "edp", "throughput"])
def test_limits_are_named_with_what_is_missing(
    problem: Problem, options: PlaceOptions, words: str, objective: str
) -> None:
    with pytest.raises(PartitionError, match=words):
        place(problem, replace(options, objective=objective))  # type: ignore[arg-type]
