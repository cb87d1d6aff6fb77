"""The roofline, worked out by hand; and what published figures say of it."""

import math
from dataclasses import replace

import pytest
from tests.cost.networks import conv, mobilenet_v2, resnet50
from tests.targets.operators import operator, tensor, weights

from dovetail.cost import Coefficient, DeviceCoefficients, Precision, Step, coefficients_of, unit_cost, work_of
from dovetail.cost.model import fill_of, resident_share
from dovetail.targets import load_target


def value(number: float, unit: str) -> Coefficient:
    return Coefficient(number, unit, "test", True, "high")


DEVICE = DeviceCoefficients(
    id="npu",
    kind="npu",
    name="by hand",
    numerics="fp16",
    computes_int8=True,
    peaks={"int8": value(1000, "GOPS"), "fp16": value(500, "GOPS"), "fp32": value(100, "GOPS")},
    efficiency={"dense": value(0.5, "of the peak"), "depthwise": value(0.1, "of the peak")},
    mac_block_in=value(64, "channels"),
    mac_block_out=value(50, "channels"),
    mac_block_image=value(4, "channels"),
    mac_block_places=value(1, "places"),
    outputs_a_pass=value(1000, "channels"),
    depthwise_block=value(1, "channels"),
    vector=value(10, "GOPS"),
    vector_serial=value(1, "share"),
    dram_gbps=value(10, "GB/s"),
    dram_derate=value(0.5, "of the peak"),
    dram_pj_per_bit=value(10, "pJ/bit"),
    on_chip_bytes=value(100_000, "B"),
    on_chip_activations=value(1, "share"),
    on_chip_constants=value(1, "share"),
    on_chip_gbps=value(100, "GB/s"),
    launch_us=value(7, "us"),
    overhead_us=value(3, "us"),
    power_w=value(2, "W"),
    idle_w=value(1, "W"),
    waiting_share=value(0.5, "of the power"),
    capacity=None,
)
CONV = conv(1, 10, 64, 100, 1)  # 640 k MAC, 6400 B in, 10,000 B out, 6400 + 400 B of constants


def test_a_layer_that_computes_longest() -> None:
    cost = unit_cost([CONV], DEVICE, "int8", static_w=4)
    compute = 2 * 640_000 / 500e3 + 10_000 / 10e3  # 2.56 + 1 us of the bias
    assert cost.latency_us == pytest.approx(compute + 3)
    own = 2 * compute + 0.5 * 2 * 3 + 6800 * 8 * 10e-6
    assert cost.energy_uj == pytest.approx(own + 4 * (compute + 3))


def test_fp16_on_the_device_doubles_the_bytes_of_int8_and_halves_those_of_fp32() -> None:
    step = Step(work_of(operator("Relu", [tensor(1, 8, 50, 50)], tensor(1, 8, 50, 50))))
    cost = unit_cost([step], DEVICE, "fp16")
    assert cost.latency_us == pytest.approx(20_000 / 10e3 + 3)
    on_chip = [term for term in cost.terms if term.name == "Relu on-chip memory"]
    assert on_chip[0].value == pytest.approx(2 * 20_000 * 2 / 100e3)


def test_activations_over_the_on_chip_memory_go_through_the_dram() -> None:
    work = work_of(operator("Relu", [tensor(300, 100)], tensor(300, 100)))
    cost = unit_cost([Step(work)], DEVICE, "fp16")
    assert cost.latency_us == pytest.approx(2 * 30_000 * 2 / 5e3 + 3)


def test_a_batch_is_taken_in_parts_of_as_many_pictures_as_fit() -> None:
    """6 of 16 pictures fit, so there are 3 parts, each with its constants and its overhead."""
    slow, batch = replace(DEVICE, dram_gbps=value(0.5, "GB/s")), [conv(16, 10, 64, 100, 1)]
    parts = unit_cost(batch, slow, "int8")
    assert parts.latency_us == pytest.approx(3 * 6800 / 250 + 3 * 3)
    assert "x 3 parts of the batch" in next(term.source for term in parts.terms if term.name == "Conv overhead")
    assert unit_cost(batch, slow, "int8", resident=1).latency_us == pytest.approx(16 * 3.56 + 3 * 3)
    whole = unit_cost(batch, replace(slow, kind="gpu"), "int8")
    assert whole.latency_us - 3 == pytest.approx((16 * 16_400 + 6800) / 250)


def test_a_batch_is_not_cut_where_the_overhead_of_the_parts_takes_longer_than_the_dram() -> None:
    device = replace(DEVICE, dram_gbps=value(100, "GB/s"), overhead_us=value(30, "us"))
    cost = unit_cost([conv(16, 10, 64, 100, 1)], device, "int8")
    assert cost.latency_us == pytest.approx(16 * 3.56 + 30)


def test_channels_that_do_not_fill_a_block_are_padded() -> None:
    cost = unit_cost([conv(1, 10, 16, 60, 1)], DEVICE, "int8")  # 16 of 64 x 60 of 2 x 50 channels
    dense = 2 * 96_000 / (500e3 * 0.25 * 0.6)
    assert cost.latency_us == pytest.approx(dense + 6000 / 10e3 + 3)
    assert " x fill 0.15 of 16 x 60 channels in blocks of 64 channels [test] x 50 " in cost.terms[0].source


def test_of_a_penalty_and_padding_the_worse_counts() -> None:
    step = replace(conv(1, 10, 16, 50, 1), penalty=2.0, why="padding")
    bias, padded = 2 * 5000 / 10e3, 2 * 80_000 / 500e3 * 4
    cost = unit_cost([step], DEVICE, "int8")
    assert cost.latency_us == pytest.approx(padded + bias + 3)
    assert cost.terms[0].source.endswith("M operations / 10 GOPS [test] x 2 (padding)")
    assert unit_cost([replace(step, penalty=5.0)], DEVICE, "int8").latency_us == pytest.approx(
        (2 * 80_000 / 500e3 + 5000 / 10e3) * 5 + 3
    )


def test_only_a_matrix_array_has_blocks() -> None:
    narrow = conv(1, 10, 8, 50, 1)
    assert fill_of(narrow, DEVICE, "fp16") == 1 / 8
    assert fill_of(narrow, DEVICE, "fp32") == 1
    assert fill_of(replace(narrow, vector_only=True), DEVICE, "int8") == 1
    assert fill_of(conv(1, 10, 8, 8, 3, group=8), DEVICE, "int8") == 1
    assert fill_of(narrow, coefficients_of(load_target("cpu-only")).devices[0], "int8") == 1


@pytest.mark.parametrize(
    ("change", "latency"),
    [
        ({"treatment": "free"}, 0),
        ({"treatment": "fused"}, 3.56),
        ({"penalty": 2.0}, 7.12 + 3),
        ({"vector_only": True}, 2 * 64 + 1 + 3),
        ({"repeats": 5.0}, 5 * 6.56),
    ],
)
def test_how_a_step_is_run(change: dict[str, object], latency: float) -> None:
    step = replace(CONV, **change)  # type: ignore[arg-type]
    assert unit_cost([step], DEVICE, "int8").latency_us == pytest.approx(latency)


def test_depthwise_is_slower_a_mac_than_dense() -> None:
    step = Step(work_of(operator("Conv", [tensor(1, 8, 9, 9), weights(8, 1, 3, 3)], tensor(1, 8, 9, 9), group=8)))
    assert unit_cost([step], DEVICE, "fp16").latency_us == pytest.approx(2 * 648 * 9 / 50e3 + 3)


def test_the_terms_are_the_arithmetic_of_the_figures() -> None:
    cost = unit_cost([CONV, replace(CONV, treatment="fused")], DEVICE, "int8", static_w=4)
    words = {term.name: term.source for term in cost.terms}
    assert words["Conv compute"].startswith("2 x 0.64 M MAC / (1000 GOPS [test] x 0.5 of the peak [test]) + 0.01 M")
    assert math.fsum(term.value for term in cost.terms if term.unit == "uJ") == pytest.approx(cost.energy_uj)


# --- published figures --------------------------------------------------------------------------------------------


def images_a_second(target: str, network: list[Step], batch: int, resident: float = 0) -> float:
    npu = coefficients_of(load_target(target)).device("npu")
    return 1e6 * batch / (unit_cost(network, npu, "int8", 0, resident).latency_us + npu.launch_us.value)


@pytest.mark.parametrize(
    ("target", "batch", "published", "resident"),
    [
        ("nvidia-orin-dla:agx-orin-64gb", 2, 2037, 0),
        ("nvidia-orin-dla:agx-orin-64gb-50w", 2, 1948, 0),
        ("nvidia-orin-dla:agx-orin-64gb-30w", 2, 1928, 0),
        ("nvidia-orin-dla:agx-orin-64gb-15w", 2, 1072, 0),
        ("hailo-8", 1, 1372, 1),
    ],
)
def test_resnet50_is_within_a_factor_of_two_of_the_published_rate(
    target: str, batch: int, published: float, resident: float
) -> None:
    assert 0.5 < images_a_second(target, resnet50(batch), batch, resident) / published < 2


@pytest.mark.parametrize(("target", "share", "reached"), [("nvidia-orin-dla", 0.94, 0.32), ("hailo-8", 0.99, 0.37)])
def test_the_efficiency_of_full_blocks_is_that_of_resnet50_without_its_padding(
    target: str, share: float, reached: float
) -> None:
    npu = coefficients_of(load_target(target)).device("npu")
    works = [step.work for step in resnet50() if step.work.macs]
    padded = sum(step.work.macs / fill_of(step, npu, "int8") for step in resnet50())
    fill = sum(work.macs for work in works) / padded
    assert fill == pytest.approx(share, abs=0.01)
    assert npu.efficiency["dense"].value * fill == pytest.approx(reached, abs=0.03)


def test_mobilenet_on_hailo_is_within_a_factor_of_two_of_the_published_rate() -> None:
    assert 0.5 < images_a_second("hailo-8", mobilenet_v2(), 1, 1) / 2597 < 2


def test_the_networks_are_the_well_known_ones() -> None:
    assert sum(step.work.macs for step in resnet50()) == pytest.approx(4.09e9, rel=0.01)
    assert sum(step.work.macs for step in mobilenet_v2()) == pytest.approx(0.3008e9, rel=0.01)


@pytest.mark.parametrize("mode", ["", "-50w", "-30w", "-15w"])
def test_the_dla_computes_an_image_with_a_part_of_the_energy_of_the_gpu(mode: str) -> None:
    """2.6 to 5.6 times the images a second and watt (NVIDIA, Deep-Learning-Accelerator-SW), the accelerators alone."""
    machine = coefficients_of(load_target(f"nvidia-orin-dla:agx-orin-64gb{mode}"))
    energies = []
    for device in ("npu", "gpu"):
        coefficients = replace(machine.device(device), dram_pj_per_bit=value(0, "pJ/bit"))
        energies.append(unit_cost(resnet50(64), coefficients, "int8").energy_uj)
    assert 2 < energies[1] / energies[0] < 6


def test_a_large_batch_is_faster_on_the_gpu_of_an_orin() -> None:
    machine = coefficients_of(load_target("nvidia-orin-dla"))
    dla, gpu = (unit_cost(resnet50(64), machine.device(name), "int8").latency_us for name in ("npu", "gpu"))
    assert gpu < dla


@pytest.mark.parametrize("target", ["intel-npu", "apple-ane-coreml"])
def test_one_picture_is_faster_on_the_npu_of_a_laptop(target: str) -> None:
    machine = coefficients_of(load_target(target))
    latency = {}
    for name in ("npu", "gpu"):
        device = machine.device(name)
        precision: Precision = "fp16"
        latency[name] = unit_cost(mobilenet_v2(), device, precision).latency_us + device.launch_us.value
    assert latency["npu"] < latency["gpu"]


def test_a_vector_unit_beside_the_array_takes_no_time_of_its_own_unless_it_is_the_slower() -> None:
    beside = replace(DEVICE, vector_serial=value(0, "share"))
    assert unit_cost([CONV], beside, "int8").latency_us == pytest.approx(2.56 + 3)  # of 2.56 + 1 us
    slow = replace(beside, vector=value(1, "GOPS"))
    assert unit_cost([CONV], slow, "int8").latency_us == pytest.approx(10 + 3)
    assert " beside " in unit_cost([CONV], beside, "int8").terms[0].source


def test_activations_that_are_not_kept_cross_the_dram_although_they_fit() -> None:
    device = replace(DEVICE, on_chip_activations=value(0, "share"), dram_gbps=value(1, "GB/s"))
    cost = unit_cost([CONV], device, "int8", resident=1.0)
    assert cost.latency_us == pytest.approx((6400 + 10_000) / 0.5e3 + 3)  # DRAM of 1 GB/s at one half
    assert any("constants and activations" in term.source for term in cost.terms)


def test_constants_that_are_never_kept_are_read_on_every_run() -> None:
    assert resident_share(DEVICE, 1000, 1000) == 1
    assert resident_share(replace(DEVICE, on_chip_constants=value(0, "share")), 1000, 1000) == 0


def test_the_input_is_read_once_for_each_pass_over_the_output_channels() -> None:
    device = replace(DEVICE, outputs_a_pass=value(30, "channels"), on_chip_gbps=value(1, "GB/s"))
    constants = 6400 + 400
    cost = unit_cost([CONV], device, "int8", resident=1.0)
    assert cost.latency_us == pytest.approx((4 * 6400 + 10_000 + constants) / 1e3 + 3)  # 100 channels in passes of 30
