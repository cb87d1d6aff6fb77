"""Fitting coefficients: those that made-up timings were made with are found again, and what says nothing is refused."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.targets.operators import operator, tensor, weights

from dovetail.cost import DeviceCoefficients, Step, coefficients_of, work_of
from dovetail.cost.costs_file import with_figures
from dovetail.cost.fitting import FREE, LEAST_SAMPLES, Sample, errors_of, fit, halves, present
from dovetail.plan.errors import LoweringError
from dovetail.targets import OperatorView, load_target

TARGET: Final = load_target("rockchip-rk3588")
RATES: Final = ("efficiency_dense", "efficiency_depthwise", "vector_gops", "sram_gbps", "op_overhead_us")


def device(values: Mapping[str, float]) -> DeviceCoefficients:
    return coefficients_of(with_figures(TARGET, "npu", values, "test")).devices[0]


def convolution(channels: int, outputs: int, size: int, kernel: int, group: int = 1) -> OperatorView:
    inputs = [tensor(1, channels, size, size), weights(outputs, channels // group, kernel, kernel)]
    return operator("Conv", inputs, tensor(1, outputs, size, size), group=group, pads=(kernel // 2,) * 4)


OPERATORS: Final = (
    *(convolution(c, k, 28, 3) for c, k in ((32, 64), (64, 256), (256, 256), (160, 128), (96, 48))),
    *(convolution(c, c, size, 7, group=c) for c, size in ((64, 56), (128, 28), (256, 56))),
    *(operator("Softmax", [tensor(1, c, 56, 56)], tensor(1, c, 56, 56)) for c in (16, 64, 128)),
    *(operator("Transpose", [tensor(1, c, 56, 56)], tensor(1, c, 56, 56)) for c in (16, 64, 128)),
    *(operator("Relu", [tensor(1, n)], tensor(1, n)) for n in (8, 32, 64)),
)


def samples(values: Mapping[str, float], noise: Mapping[int, float] | None = None) -> list[Sample]:
    """Timings as a device with these figures would give them, some of them too long by a factor."""
    made = []
    for number, op in enumerate(OPERATORS):
        work = work_of(op)
        constants, activations = work.bytes_weights / 2, (work.bytes_in + work.bytes_out) / 2  # in fp16
        blank = Sample(f"op{number}", (Step(work),), "fp16", constants, activations, 1.0)
        made.append(replace(blank, latency_us=blank.predicted(device(values)) * (noise or {}).get(number, 1.0)))
    return made


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    dense=st.floats(0.1, 0.9),
    depthwise=st.floats(0.02, 0.3),
    vector=st.floats(10, 300),
    sram=st.floats(20, 300),
    overhead=st.floats(0.5, 4),
)
def test_rates_are_found_again(dense: float, depthwise: float, vector: float, sram: float, overhead: float) -> None:
    true = dict(zip(RATES, (dense, depthwise, vector, sram, overhead), strict=True))
    given_samples = samples(true)
    found = device(fit(device, given_samples))
    assert errors_of(found, given_samples).median_relative < 0.03
    assert errors_of(found, given_samples).rank_correlation > 0.98


def test_each_rate_is_found_where_units_of_its_kind_take_the_time() -> None:
    true = {"efficiency_dense": 0.6, "efficiency_depthwise": 0.05, "vector_gops": 60.0, "op_overhead_us": 1.5}
    found = fit(device, samples(true))
    for name, value in true.items():
        assert found[name] == pytest.approx(value, rel=0.05), name


def test_a_block_of_channels_is_found_where_widths_differ() -> None:
    found = fit(device, samples({"mac_block_in": 64, "efficiency_dense": 0.5}))
    assert found["mac_block_in"] == 64


def test_odd_timings_do_not_move_the_others() -> None:
    true = {"efficiency_dense": 0.6, "efficiency_depthwise": 0.05, "op_overhead_us": 1.5}
    found = fit(device, samples(true, noise={0: 30.0, 9: 30.0, 15: 0.05}))
    assert found["efficiency_dense"] == pytest.approx(0.6, rel=0.1)
    assert found["efficiency_depthwise"] == pytest.approx(0.05, rel=0.1)


def test_what_the_timings_say_nothing_of_is_left_alone() -> None:
    only_dense = [*samples({"efficiency_dense": 0.7})[:5], *samples({"efficiency_dense": 0.7})[8:]]
    found = fit(device, only_dense)
    assert "efficiency_depthwise" not in found
    assert "depthwise_block" not in found
    assert found["efficiency_dense"] == pytest.approx(0.7, rel=0.05)


def test_the_fit_is_the_same_on_every_run() -> None:
    made = samples({"efficiency_dense": 0.37, "vector_gops": 80.0})
    assert fit(device, made) == fit(device, made)


def test_too_few_timings_are_refused() -> None:
    with pytest.raises(LoweringError, match=f"calibration: 3 different units to fit, at least {LEAST_SAMPLES // 2}"):
        fit(device, samples({})[:3])


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_timings_that_are_none_are_refused(bad: float) -> None:
    made = samples({})
    made[4] = replace(made[4], latency_us=bad)
    with pytest.raises(LoweringError, match=r"'op4' took .* us; a timing must be finite and above zero"):
        fit(device, made)


def test_timings_that_determine_nothing_are_refused() -> None:
    nothing = work_of(operator("Reshape", [tensor(2, 3), weights(1)], tensor(6)))
    made = [Sample(f"r{n}", (Step(nothing, "free"), Step(work_of(OPERATORS[0]))), "fp16", 0, 0, 5.0) for n in range(2)]
    with pytest.raises(LoweringError):
        fit(device, made)


def test_halves_are_disjoint_whole_and_the_same_on_every_run() -> None:
    made = samples({})
    one, two = halves(made)
    assert sorted(sample.name for sample in (*one, *two)) == sorted(sample.name for sample in made)
    assert abs(len(one) - len(two)) <= 1
    assert halves(made) == (one, two)


def test_every_fitted_figure_is_one_that_the_model_reads() -> None:
    before = present(device({}))
    assert set(before) == set(FREE)
    for name, freedom in FREE.items():
        other = next(each for each in (*freedom.choices, 0.123) if each != before[name])
        assert present(device({name: other}))[name] == pytest.approx(other), name
