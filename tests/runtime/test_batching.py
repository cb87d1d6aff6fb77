"""Batches of sizes that a plan was not made for: cut, filled up, joined, and said."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import parser

from dovetail.compiler import CompileOptions, compile_model
from dovetail.plan import Plan, PlanError, Predicted, RunError, atomic_folder, batches_of, read_plan, write_plan
from dovetail.runtime import Executor
from dovetail.runtime.batching import cheapest

ROOT = Path(__file__).resolve().parents[2]
THREE_CPUS = str(ROOT / "tests" / "data" / "three-cpus.yaml")
ROWS = """<ir_version: 8, opset_import: ["": 17]>
    rows (float[batch,3] x, float[1] scale) => (float[batch,3] y, int64[batch] best) {
        [first] a = Neg(x)
        [second] b = Mul(a, scale)
        [third] y = Softmax(b)
        [fourth] best = ArgMax <axis = 1, keepdims = 0> (y)
    }"""
TOTAL = """<ir_version: 8, opset_import: ["": 17]>
    total (float[batch,3] x) => (float[3] y) { y = ReduceSum <keepdims = 0> (x, axis) }"""

Array = npt.NDArray[Any]


def compiled(folder: Path, text: str = ROWS, figures: Mapping[str, float] | None = None) -> Path:
    """A plan for some batch sizes; `b4` in figures is the predicted latency of a size."""
    model = parser.parse_model(text)
    if "axis" in text and "ReduceSum" in text:
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([0]), "axis"))
    saved = compile_model(model, THREE_CPUS, CompileOptions(batches=(1, 4, 16))).save(folder / "whole.plan")
    plan = with_figures(read_plan(saved), figures or {})
    with atomic_folder(folder / "m.plan") as made:
        (saved / "partitions").rename(made / "partitions")
        write_plan(plan, made)
    return folder / "m.plan"


def with_figures(plan: Plan, figures: Mapping[str, float]) -> Plan:
    def predicted(batch: int | None) -> Predicted:
        return Predicted(latency_ms=figures.get(f"b{batch}"))

    variants = tuple(replace(each, predicted=predicted(each.batch)) for each in plan.variants)
    return replace(plan, predicted=predicted(plan.batch), variants=variants)


def feeds(rows: int) -> dict[str, Array]:
    numbers = np.random.default_rng(rows).standard_normal((rows, 3)).astype(np.float32)
    return {"x": numbers, "scale": np.array([2], np.float32)}


def expected(given: dict[str, Array]) -> dict[str, Array]:
    powers = np.exp(-given["x"] * given["scale"])
    y = powers / powers.sum(axis=1, keepdims=True)
    return {"y": y, "best": y.argmax(axis=1)}


def check(results: dict[str, Array], given: dict[str, Array]) -> None:
    wanted = expected(given)
    assert set(results) == set(wanted)
    for name, array in results.items():
        assert array.shape == wanted[name].shape
        np.testing.assert_allclose(array, wanted[name], rtol=1e-5)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 15, 16, 17, 40, 100])
def test_every_number_of_rows_gives_its_own_rows(tmp_path: Path, rows: int) -> None:
    with Executor(compiled(tmp_path)) as executor:
        check(executor.run(feeds(rows)), feeds(rows))
        check(executor.run_async(feeds(rows)).result(timeout=20), feeds(rows))
        assert list(executor.run(feeds(rows), ["best"])) == ["best"]


def test_known_sizes_run_as_they_are_and_are_loaded_when_needed(tmp_path: Path) -> None:
    with Executor(compiled(tmp_path)) as executor:
        assert set(executor._programs) == {1}
        check(executor.run(feeds(16)), feeds(16))
        assert set(executor._programs) == {1, 16}
        assert executor.events == []


def test_it_is_said_once_for_each_batch_size(tmp_path: Path) -> None:
    with Executor(compiled(tmp_path, figures={"b1": 1, "b4": 2, "b16": 4})) as executor:
        for _ in range(3):
            executor.run(feeds(5))
            executor.run_async(feeds(3)).result(timeout=20)
        said = [(event.kind, event.cause) for event in executor.events]
    assert said == [("batch", "batch 5 runs as 4 and 1"), ("batch", "batch 3 runs as 4 (1 row added)")]


def test_the_cheaper_way_is_taken(tmp_path: Path) -> None:
    flat, steep = tmp_path / "flat", tmp_path / "steep"
    for folder, figures in ((flat, {"b1": 1.0, "b4": 1.1, "b16": 1.2}), (steep, {"b1": 1.0, "b4": 4.5, "b16": 20.0})):
        folder.mkdir()
        with Executor(compiled(folder, figures=figures)) as executor:
            check(executor.run(feeds(5)), feeds(5))
            causes = [event.cause for event in executor.events]
        assert causes == ["batch 5 runs as 16 (11 rows added)" if folder == flat else "batch 5 runs as 5 x 1"]


def test_one_size_of_several_is_all_there_is_when_asked_for(tmp_path: Path) -> None:
    with Executor(compiled(tmp_path), batch=4) as executor:
        assert batches_of(executor.plan) == (4,)
        with pytest.raises(RunError, match="dimension 0 must be 4"):
            executor.run(feeds(5))
    with pytest.raises(PlanError, match="made for 1, 4, 16, not for batch 5"):
        Executor(tmp_path / "m.plan", batch=5)


def test_inputs_of_different_batches_are_refused(tmp_path: Path) -> None:
    text = ROWS.replace("float[1] scale", "float[batch,1] scale")
    with Executor(compiled(tmp_path, text)) as executor:
        with pytest.raises(RunError, match=r"input 'x': dimension 0 \(batch\) must be 2 as in input 'scale', got 5"):
            executor.run({"x": np.zeros((5, 3), np.float32), "scale": np.ones((2, 1), np.float32)})
        scaled = {"x": feeds(5)["x"], "scale": np.arange(1, 6, dtype=np.float32)[:, None]}
        check(executor.run(scaled), scaled)


def test_an_output_without_rows_can_not_be_cut(tmp_path: Path) -> None:
    with Executor(compiled(tmp_path, TOTAL)) as executor:
        four = np.ones((4, 3), np.float32)
        np.testing.assert_array_equal(executor.run({"x": four})["y"], [4, 4, 4])
        with pytest.raises(RunError, match=r"made for batch 1, 4, 16, got 5, and 'y' does not carry the batch in its"):
            executor.run({"x": np.ones((5, 3), np.float32)})


def test_no_rows_and_wrong_feeds_are_errors(tmp_path: Path) -> None:
    with Executor(compiled(tmp_path)) as executor:
        with pytest.raises(RunError, match="got 0; give a batch of 1 to"):
            executor.run(feeds(0))
        with pytest.raises(RunError, match="input 'scale': no value given"):
            executor.run({"x": feeds(5)["x"]})
        with pytest.raises(RunError, match="input 'x': must be float32, got float64"):
            executor.run({**feeds(5), "x": feeds(5)["x"].astype(float)})
        with pytest.raises(RunError, match="dimension 1 must be 3"):
            executor.run({**feeds(5), "x": np.zeros((5, 2), np.float32)})


@given(
    st.integers(1, 40),
    st.dictionaries(st.integers(1, 9), st.integers(1, 30).map(float), min_size=1, max_size=3),
)
def test_no_way_costs_less_than_the_one_found(rows: int, costs: dict[int, float]) -> None:
    found = cheapest(rows, costs)
    assert sum(found) >= rows
    counts = [range(-(-rows // size) + 1) for size in costs]
    ways = (
        sum(count * cost for count, cost in zip(way, costs.values(), strict=True))
        for way in itertools.product(*counts)
        if sum(count * size for count, size in zip(way, costs, strict=True)) >= rows
    )
    assert sum(costs[size] for size in found) == min(ways)


@given(st.integers(1, 10**5), st.sets(st.integers(1, 64), min_size=1, max_size=4))
def test_rows_are_not_added_where_they_cost(rows: int, sizes: set[int]) -> None:
    found = cheapest(rows, {size: float(size) for size in sizes | {1}})
    assert sum(found) == rows
    assert found == sorted(found, reverse=True)
