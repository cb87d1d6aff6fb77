"""compile_model by cost: objectives, bounds, batch sizes, what the plan says of them."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from dovetail.compiler import CompileOptions, compile_model, trace_pareto
from dovetail.partition import OBJECTIVES, Objective
from dovetail.plan import ModelError, PartitionError, Plan, batches_of, for_batch
from dovetail.runtime import Executor

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"
MOBILENET = SAMPLES / "mobilenet_v2.onnx"
DETECTOR = SAMPLES / "ssd_detector.onnx"
ORIN = "nvidia-orin-dla"


def devices(plan: Plan) -> Counter[str]:
    return Counter(operator.device for operator in plan.operators)


@pytest.fixture(scope="module")
def detector() -> dict[str, Plan]:
    """The detector on an Orin, for each objective."""
    return {each: compile_model(DETECTOR, ORIN, CompileOptions(objective=each)).plan for each in OBJECTIVES}


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_no_objective_is_worse_than_a_simple_placement(detector: dict[str, Plan], objective: Objective) -> None:
    predicted = detector[objective].predicted
    assert predicted.value is not None
    assert predicted.alternatives
    for other in predicted.alternatives:
        values = {"latency": other.latency_ms, "energy": other.energy_mj, "edp": other.latency_ms * other.energy_mj}
        if objective in values:
            assert predicted.value <= values[objective] * (1 + 1e-9), other.name


def test_every_objective_is_best_at_what_it_minimises(detector: dict[str, Plan]) -> None:
    latency = {each: plan.predicted.serial_latency_ms or 0.0 for each, plan in detector.items()}
    energy = {each: plan.predicted.energy_mj or 0.0 for each, plan in detector.items()}
    assert detector["latency"].predicted.value == pytest.approx(min(latency.values()), rel=2e-4)
    assert energy["energy"] == pytest.approx(min(energy.values()), rel=2e-4)
    products = {each: latency[each] * energy[each] for each in detector}
    assert products["edp"] <= min(products.values()) * (1 + 1e-3)


def test_a_proof_stands_in_the_plan(detector: dict[str, Plan]) -> None:
    for plan in detector.values():
        predicted = plan.predicted
        assert predicted.lower_bound is not None
        assert predicted.gap is not None
        assert 0 < predicted.lower_bound <= (predicted.value or 0.0) * (1 + 1e-9)
        assert predicted.source == "modelled"
        assert not predicted.timed_out


def test_costs_of_operators_and_partitions_add_up(detector: dict[str, Plan]) -> None:
    plan = detector["latency"]
    for partition in plan.partitions:
        assert partition.predicted is not None
        inside = [each for each in plan.operators if each.partition == partition.id and each.cost is not None]
        units = sum(each.cost["latency_us"] for each in inside if each.cost is not None) / 1e3
        assert units < partition.predicted["latency_ms"] <= units + 0.2, "the rest is the launch"
    for operator in plan.operators:
        taken = [verdict for verdict in operator.verdicts if verdict.state in ("supported", "soft")]
        if not operator.inside:
            assert all(verdict.cost is not None for verdict in taken)
            assert all(plan.costs[verdict.cost].terms is not None for verdict in taken if verdict.cost is not None)


def test_costs_of_partitions_and_transfers_add_up_to_the_latency() -> None:
    for model in (DETECTOR, SAMPLES / "transformer.onnx"):
        plan = compile_model(model, "qualcomm-hexagon-htp").plan
        inside = sum((each.predicted or {})["latency_ms"] for each in plan.partitions)
        between = [each.cost["latency_us"] / 1e3 for each in plan.transfers if each.cost is not None]
        assert len(between) == len(plan.transfers) > 0
        assert inside + sum(between) == pytest.approx(plan.predicted.serial_latency_ms)


def test_a_bound_on_latency_is_kept_by_the_energy_objective() -> None:
    free = compile_model(MOBILENET, ORIN, CompileOptions(objective="energy")).plan.predicted
    fast = compile_model(MOBILENET, ORIN).plan.predicted
    assert free.serial_latency_ms is not None
    assert fast.serial_latency_ms is not None
    assert fast.serial_latency_ms < free.serial_latency_ms
    between = (fast.serial_latency_ms + free.serial_latency_ms) / 2
    bounded = compile_model(MOBILENET, ORIN, CompileOptions(objective="energy", max_latency_ms=between)).plan.predicted
    assert (bounded.serial_latency_ms or 0.0) <= between
    assert (free.energy_mj or 0.0) <= (bounded.energy_mj or 0.0) <= (fast.energy_mj or 0.0) * (1 + 1e-9)


def test_a_bound_that_no_placement_keeps_says_by_how_much() -> None:
    with pytest.raises(PartitionError, match=r"latency must be at most 0\.001 ms, but .* ms more; raise the limit"):
        compile_model(MOBILENET, ORIN, CompileOptions(max_latency_ms=0.001))
    with pytest.raises(PartitionError, match=r"energy must be at most 1 mJ together with at most 0\.35 ms latency"):
        compile_model(MOBILENET, ORIN, CompileOptions(max_latency_ms=0.35, max_energy_mj=1.0))


def test_greedy_is_the_rule_of_old() -> None:
    plan = compile_model(MOBILENET, ORIN, CompileOptions(solver="greedy")).plan
    taken = [each for each in plan.operators if each.verdicts[0].state in ("supported", "soft")]
    assert {each.device for each in taken} == {"npu"}
    assert (plan.predicted.solver, plan.predicted.gap, plan.predicted.lower_bound) == ("greedy", None, None)


def test_an_operator_that_costs_less_elsewhere_says_so() -> None:
    plan = compile_model(MOBILENET, ORIN).plan
    assert devices(plan) == {"cpu": len(plan.operators)}
    taken = [each for each in plan.operators if each.verdicts[0].state == "supported"]
    assert taken
    assert all(each.reason.startswith("costs less here for the whole model (latency); alone") for each in taken)


def test_the_same_model_is_placed_alike_twice() -> None:
    first, second = (compile_model(DETECTOR, ORIN).plan for _ in range(2))
    assert first == second


def test_a_plan_for_several_batch_sizes_runs_each(tmp_path: Path) -> None:
    options = CompileOptions(batches=(1, 8), objective="energy")
    saved = compile_model(MOBILENET, ORIN, options).save(tmp_path / "m.plan")
    pictures = np.random.default_rng(0).uniform(-1, 1, (8, 3, 96, 96)).astype(np.float32)
    with Executor(saved, batch=8) as eight:
        assert batches_of(eight.plan) == (8,)
        together = eight.run({"image": pictures})["logits"]
    with Executor(saved) as one:
        alone = np.concatenate([one.run({"image": picture[None]})["logits"] for picture in pictures])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-4)


def test_constants_of_all_batch_sizes_are_written_once(tmp_path: Path) -> None:
    one = compile_model(MOBILENET, ORIN, CompileOptions(batches=(1,))).save(tmp_path / "1.plan")
    three = compile_model(MOBILENET, ORIN, CompileOptions(batches=(1, 8, 64))).save(tmp_path / "3.plan")
    weights = [(each / "partitions" / "weights.bin").stat().st_size for each in (one, three)]
    assert weights[1] <= 1.01 * weights[0]


def test_equal_placements_have_one_number() -> None:
    plan = compile_model(MOBILENET, ORIN, CompileOptions(batches=(1, 2, 64))).plan
    placements: dict[int, dict[str, str]] = {}
    for number, batch in zip((0, *(each.placement for each in plan.variants)), batches_of(plan), strict=True):
        where = {each.name: each.device for each in for_batch(plan, batch).operators}
        assert placements.setdefault(number, where) == where
    assert len(set(map(str, placements.values()))) == len(placements)


def test_a_batch_that_the_model_can_not_have_is_an_error() -> None:
    with pytest.raises(ModelError, match="Reshape"):
        compile_model(SAMPLES / "transformer.onnx", ORIN, CompileOptions(batches=(8,)))


def test_the_front_is_a_front() -> None:
    front = trace_pareto(MOBILENET, ORIN)
    assert len(front.points) >= 2
    for faster, slower in zip(front.points, front.points[1:], strict=False):
        assert faster.latency_ms < slower.latency_ms
        assert faster.energy_mj > slower.energy_mj
    fast = compile_model(MOBILENET, ORIN).plan.predicted
    frugal = compile_model(MOBILENET, ORIN, CompileOptions(objective="energy")).plan.predicted
    assert front.points[0].latency_ms == pytest.approx(fast.value, rel=1e-3)
    assert front.points[-1].energy_mj == pytest.approx(frugal.value, rel=1e-3)
