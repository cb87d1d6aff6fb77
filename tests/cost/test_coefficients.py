"""Coefficients: the file's figures first, derived ones with their arithmetic, and no assumption looks like a fact."""

import pytest

from dovetail.cost import Coefficient, DeviceCoefficients, coefficients_of
from dovetail.targets import load_target, target_names


def all_of(device: DeviceCoefficients) -> list[Coefficient]:
    values = [getattr(device, name) for name in device.__slots__]
    return [
        each
        for value in values
        for each in (value.values() if hasattr(value, "values") else [value])
        if isinstance(each, Coefficient)
    ]


@pytest.mark.parametrize("name", target_names())
def test_every_coefficient_is_above_zero_and_says_where_it_comes_from(name: str) -> None:
    machine = coefficients_of(load_target(name))
    for device in machine.devices:
        found = all_of(device)
        assert len(found) == 25 + (device.capacity is not None)
        for each in found:
            assert each.value > 0, each
            assert each.unit
            assert each.source
            if each.source.startswith(("assumed", "derived")):
                assert not each.verified
                assert each.confidence == "low"
        assert device.peaks["int8"].value >= device.peaks["fp16"].value or device.kind == "cpu"
        assert device.peaks["fp16"].value >= device.peaks["fp32"].value


def test_a_figure_of_the_file_is_taken_as_it_is() -> None:
    dla = coefficients_of(load_target("nvidia-orin-dla")).device("npu")
    assert (dla.peaks["int8"].value, dla.peaks["int8"].verified) == (52500, True)
    assert (dla.dram_gbps.value, dla.dram_gbps.verified) == (204.8, True)


def test_missing_peaks_come_from_the_nearest_one() -> None:
    hailo = coefficients_of(load_target("hailo-8")).device("npu")
    assert hailo.peaks["fp16"].value == 26000 / 4
    assert hailo.peaks["fp16"].source.startswith("derived: fp16 = int8 / 4, assumed, from 26000 GOPS")


def test_a_chip_behind_a_bus_without_memory_streams_over_the_bus() -> None:
    tpu = coefficients_of(load_target("google-edge-tpu")).device("npu")
    assert (tpu.dram_gbps.value, tpu.dram_derate.value) == (0.35, 1)


def test_on_chip_bandwidth_of_an_npu_is_that_of_ethos_by_peak() -> None:
    u85 = coefficients_of(load_target("arm-ethos-u85"))
    assert u85.device("npu").on_chip_gbps.value == pytest.approx(2050 / 64, rel=0.01)


def test_only_integers_are_computed_in_integers() -> None:
    machine = coefficients_of(load_target("nvidia-orin-dla"))
    assert [device.computes_int8 for device in machine.devices] == [True, True, False]
    assert coefficients_of(load_target("rockchip-rk3588")).device("cpu").computes_int8


def test_the_static_power_is_that_of_all_devices() -> None:
    machine = coefficients_of(load_target("nvidia-orin-dla"))
    assert machine.static_w.value == pytest.approx(sum(device.idle_w.value for device in machine.devices))
    assert machine.device("gpu").power_w.value + machine.device("gpu").idle_w.value == pytest.approx(30)


def test_the_memory_of_a_card_is_not_counted_twice() -> None:
    gpu = coefficients_of(load_target("nvidia-h200")).device("gpu")
    assert gpu.power_w.value == pytest.approx(700 - 70 - 4800 * 8e-3 * 3.97)
    assert gpu.capacity is not None
