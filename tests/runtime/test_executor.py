"""Running a plan: results, feeds and outputs, memory."""

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from dovetail.plan import PlanError, RunError
from dovetail.runtime import Executor

PlanFromText = Callable[..., Path]

RELU = "cpu: p (float[2,3] x) => (float[2,3] a) { a = Relu(x) }"
DOUBLE = "cpu: p (float[2,3] a) => (float[2,3] y) { y = Add(a, a) }"
X = np.arange(-3, 3, dtype=np.float32).reshape(2, 3)


def test_two_partitions_give_what_their_composition_gives(plan_from_text: PlanFromText) -> None:
    with Executor(plan_from_text(RELU, DOUBLE)) as executor:
        outputs = executor.run({"x": X})
        assert executor.placement == {"000-cpu": "cpu", "001-cpu": "cpu"}
        assert executor.events == []
    assert list(outputs) == ["y"]
    np.testing.assert_array_equal(outputs["y"], 2 * np.maximum(X, 0))


def test_wanted_outputs_come_in_the_order_wanted(plan_from_text: PlanFromText) -> None:
    with Executor(plan_from_text(RELU, DOUBLE, outputs=("a", "y"))) as executor:
        assert list(executor.run({"x": X}, ["y", "a"])) == ["y", "a"]
        assert list(executor.run({"x": X}, ["a"])) == ["a"]
        with pytest.raises(RunError, match=r"output 'z': the plan has no such output; choose one of 'a', 'y'"):
            executor.run({"x": X}, ["z"])


def test_an_input_that_is_an_output_is_copied(plan_from_text: PlanFromText) -> None:
    with Executor(plan_from_text(RELU, DOUBLE, outputs=("x", "y"))) as executor:
        outputs = executor.run({"x": X})
    np.testing.assert_array_equal(outputs["x"], X)
    assert not np.shares_memory(outputs["x"], X)


def test_a_partition_without_inputs_runs(plan_from_text: PlanFromText) -> None:
    constant = "cpu: p () => (float[2] y) { y = Constant <value_floats = [1.0, 2.0]> () }"
    with Executor(plan_from_text(constant, inputs=())) as executor:
        np.testing.assert_array_equal(executor.run({})["y"], [1, 2])


def test_results_outlive_the_executor(plan_from_text: PlanFromText) -> None:
    with Executor(plan_from_text(RELU, DOUBLE)) as executor:
        result = executor.run({"x": X})["y"]
    del executor
    gc.collect()
    np.testing.assert_array_equal(result, 2 * np.maximum(X, 0))


def test_closed_executor_says_so(plan_from_text: PlanFromText) -> None:
    executor = Executor(plan_from_text(RELU, DOUBLE))
    executor.close()
    with pytest.raises(RunError, match="the executor is closed"):
        executor.run({"x": X})


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("float[2,3]", np.asfortranarray(X)),
        ("float[2,3]", np.repeat(X, 2, axis=1)[:, ::2]),
        ("float[2,3]", X.astype(">f4")),
        ("float[2,0]", np.zeros((2, 0), np.float32)),
        ("float16[2,3]", X.astype(np.float16)),
        ("double[n,3]", X.astype(np.float64)),
        ("bool[2]", np.array([True, False])),
        ("bool", np.array(True)),
        ("float", np.float32(3)),
        ("int64[2]", np.array([1, -1])),
        ("uint8[n]", np.array([1, 255], np.uint8)),
        ("string[2]", np.array(["a", "ü"])),
        ("string[2]", np.array(["a", "ü"], object)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_kind_of_feed_arrives_as_it_is(
    plan_from_text: PlanFromText, kind: str, value: npt.NDArray[np.generic]
) -> None:
    first = f"cpu: p ({kind} x) => ({kind} a) {{ a = Identity(x) }}"
    second = f"cpu: p ({kind} a) => ({kind} y) {{ y = Identity(a) }}"
    with Executor(plan_from_text(first, second)) as executor:
        result = executor.run({"x": value})["y"]
    np.testing.assert_array_equal(result, value)
    assert result.shape == value.shape


def test_strings_and_numbers_in_one_partition(plan_from_text: PlanFromText) -> None:
    both = "cpu: p (string[2] s, float[2] x) => (string[2] t, float[2] y) { t = Identity(s) y = Relu(x) }"
    after = "cpu: p (string[2] t) => (string[2] u) { u = Identity(t) }"
    with Executor(plan_from_text(both, after, inputs=("s", "x"), outputs=("u", "y"))) as executor:
        outputs = executor.run({"s": np.array(["a", "b"]), "x": np.array([-1, 2], np.float32)})
    assert outputs["u"].tolist() == ["a", "b"]
    assert outputs["y"].tolist() == [0, 2]


def test_text_made_by_a_partition_reaches_the_next(plan_from_text: PlanFromText) -> None:
    first = "cpu: p (int64[2] x) => (string[2] a) { a = Cast <to = 8> (x) }"
    second = "cpu: p (string[2] a) => (string[2] y) { y = Identity(a) }"
    with Executor(plan_from_text(first, second)) as executor:
        assert executor.run({"x": np.array([1, 2])})["y"].tolist() == ["1", "2"]


def test_an_output_without_a_numpy_type_is_an_error(plan_from_text: PlanFromText) -> None:
    cast = "cpu: p (float[2] x) => (bfloat16[2] y) { y = Cast <to = 16> (x) }"
    with Executor(plan_from_text(cast)) as executor, pytest.raises(RunError, match="output 'y': NumPy has no type"):
        executor.run({"x": np.array([1, 2], np.float32)})


def test_no_copy_between_partitions(plan_from_text: PlanFromText) -> None:
    rows = 1 << 10
    chain = [f"cpu: p (float[{rows}] t{i}) => (float[{rows}] t{i + 1}) {{ t{i + 1} = Neg(t{i}) }}" for i in range(4)]
    plan = plan_from_text(*chain, inputs=("t0",), outputs=("t4",))
    with Executor(plan) as executor:
        state = executor._first.acquire()
        addresses = {slot: value.data_ptr() for slot, value in state.fixed.items()}
    assert len(addresses) == 3
    # two places for three tensors: t3 lies where t1 was, which nobody reads any more
    assert addresses[1] == addresses[3] != addresses[2]


@pytest.mark.parametrize("size", ["n", str(1 << 20)])
def test_dynamic_and_large_tensors_are_freed_after_their_last_use(plan_from_text: PlanFromText, size: str) -> None:
    chain = [f"cpu: p (float[{size}] t{i}) => (float[{size}] t{i + 1}) {{ t{i + 1} = Relu(t{i}) }}" for i in range(6)]
    plan = plan_from_text(*chain, inputs=("t0",), outputs=("t6",))
    numbers = np.linspace(-1, 1, 1 << 20, dtype=np.float32)
    with Executor(plan) as executor:
        program = executor._first
        state = program.acquire()
        program.feed(state, {"t0": numbers})
        for call, freed in zip(state.calls, state.freed, strict=True):
            call()
            state.release(freed)
            assert sum(value is not None for value in state.values) == 2, "the input, and what was made last"
        np.testing.assert_array_equal(program.results(state, {}, ["t6"])["t6"], np.maximum(numbers, 0))
        program.release(state)
        assert all(value is None for value in state.values)


def test_results_of_later_runs_are_other_arrays(plan_from_text: PlanFromText) -> None:
    for text in (DOUBLE, DOUBLE.replace("[2,3]", "[n,m]")):
        with Executor(plan_from_text(RELU, text)) as executor:
            first = executor.run({"x": X})["y"]
            second = executor.run({"x": X + 1})["y"]
            third = executor.run({"x": X + 2})["y"]
        for number, result in enumerate((first, second, third)):
            np.testing.assert_array_equal(result, 2 * np.maximum(X + number, 0))
            assert result.flags.writeable


def test_an_output_that_another_partition_reads_is_the_callers(plan_from_text: PlanFromText) -> None:
    with Executor(plan_from_text(RELU, DOUBLE, outputs=("a", "y"))) as executor:
        first = executor.run({"x": X})
        executor.run({"x": X + 5})
    np.testing.assert_array_equal(first["a"], np.maximum(X, 0))
    np.testing.assert_array_equal(first["y"], 2 * np.maximum(X, 0))


def test_an_output_of_another_shape_than_the_model_says_is_given_as_onnxruntime_gives_it(
    plan_from_text: PlanFromText,
) -> None:
    nonzero = "cpu: p (float[2,3] a) => (int64[2,6] y) { y = NonZero(a) }"
    with Executor(plan_from_text(RELU, nonzero)) as executor:
        for shift in (0, 1, 9):
            x = X + shift
            np.testing.assert_array_equal(executor.run({"x": x})["y"], np.array(np.nonzero(np.maximum(x, 0))))
        assert executor.events == []


def test_several_executors_and_threads_at_once(plan_from_text: PlanFromText, tmp_path: Path) -> None:
    first = plan_from_text(RELU, DOUBLE)
    second = plan_from_text(RELU, "cpu: p (float[2,3] a) => (float[2,3] y) { y = Neg(a) }", path=tmp_path / "b.plan")
    results: dict[int, npt.NDArray[np.generic]] = {}

    def work(index: int, executor: Executor) -> None:
        for _ in range(20):
            results[index] = executor.run({"x": X + index})["y"]

    with Executor(first) as doubling, Executor(second) as negating:
        threads = [threading.Thread(target=work, args=(i, (doubling, negating)[i % 2])) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for index in range(4):
        np.testing.assert_array_equal(results[index], np.maximum(X + index, 0) * (2, -1)[index % 2])


def test_weights_beside_the_models_and_a_path_of_any_letters(plan_from_text: PlanFromText, tmp_path: Path) -> None:
    folder = tmp_path / "mit Leerzeichen und Ümläuten 中"
    folder.mkdir()
    scale = "cpu: p (float[2] x) => (float[2] y) <float[2] w = {2, 3}> { y = Mul(x, w) }"
    plan = plan_from_text(scale, external=True, path=folder / "größe.plan")
    assert (plan / "partitions" / "weights.bin").stat().st_size > 0
    for place, _, names in os.walk(plan):
        for name in names:
            Path(place, name).chmod(0o444)
        Path(place).chmod(0o555)
    before = sorted(plan.rglob("*"))
    try:
        with Executor(plan) as executor:
            np.testing.assert_array_equal(executor.run({"x": np.array([1, 1], np.float32)})["y"], [2, 3])
    finally:
        for place, _, _ in os.walk(plan):
            Path(place).chmod(0o755)
    assert sorted(plan.rglob("*")) == before


def test_a_changed_file_is_refused_before_anything_runs(plan_from_text: PlanFromText) -> None:
    plan = plan_from_text(RELU, DOUBLE)
    payload = plan / "partitions" / "001.onnx"
    payload.write_bytes(payload.read_bytes() + b"\0")
    with pytest.raises(PlanError, match=r"partitions/001\.onnx' is changed or truncated"):
        Executor(plan)


def test_a_payload_that_is_no_model_names_the_partition(plan_from_text: PlanFromText) -> None:
    plan = plan_from_text(RELU, DOUBLE)
    (plan / "partitions" / "001.onnx").write_bytes(b"not a model")
    with pytest.raises(
        RunError, match=r"partition '001-cpu': device 'cpu' refused it, .*, and no other device may run it"
    ):
        Executor(plan, verify=False)


def test_the_runtime_loads_nothing_but_numpy_and_onnxruntime() -> None:
    code = (
        "import sys, dovetail.runtime, dovetail.session;"
        "heavy = {'onnx', 'onnx_ir', 'networkx', 'torch', 'pydantic', 'click', 'rich', 'yaml'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
