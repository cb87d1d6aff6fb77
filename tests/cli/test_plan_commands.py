"""`inspect`, `explain` and `run` on a plan that is there."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from tests.cli.calling import dovetail, error_of

from dovetail.cli.execution import latency_lines
from dovetail.compiler import compile_model
from dovetail.plan import plan_from_json, read_plan
from dovetail.plan.arrays import read_arrays

_CLASSES = """
<ir_version: 8, opset_import: ["": 17]>
g (float[2,4] x) => (float[2,4] y, int64[2,4] i)
<float[1] k = {{{factor}}}>
{{ y = Abs(x)  p = Add(y, k)  i = Cast<to=7>(p) }}
"""


class TestInspect:
    def test_text(self, tiny_plan: Path) -> None:
        result = dovetail("inspect", tiny_plan)

        assert result.exit_code == 0
        assert "operators   3   npu 1 (33.3 %)   cpu 2 (66.7 %)" in result.stdout
        assert result.stderr == ""

    def test_json_is_one_document_and_the_plan(self, tiny_plan: Path) -> None:
        result = dovetail("inspect", tiny_plan, "--format", "json")

        assert json.loads(result.stdout)["target"] == "null-npu"
        assert plan_from_json(result.stdout) == read_plan(tiny_plan)

    def test_output_file(self, tiny_plan: Path, tmp_path: Path) -> None:
        result = dovetail("inspect", tiny_plan, "-o", tmp_path / "report.txt")

        assert (result.exit_code, result.stdout) == (0, "")
        assert (tmp_path / "report.txt").read_text() == dovetail("inspect", tiny_plan).stdout

    def test_output_that_can_not_be_written(self, tiny_plan: Path, tmp_path: Path) -> None:
        assert "its folder does not exist" in error_of(
            dovetail("inspect", tiny_plan, "-o", tmp_path / "none/report.txt")
        )

    @pytest.mark.parametrize("option", [("-t", "cpu-only"), ("--dim", "batch=1")])
    def test_plan_takes_no_target_or_shape(self, tiny_plan: Path, option: tuple[str, str]) -> None:
        assert "is a plan, made for its target and shapes" in error_of(dovetail("inspect", tiny_plan, *option))

    def test_model_needs_a_target(self, tiny_model: Path) -> None:
        line = error_of(dovetail("inspect", tiny_model))

        assert "is a model and needs a target; give -t with one of" in line
        assert "cpu-only" in line

    def test_missing_source(self, tmp_path: Path) -> None:
        assert "does not exist" in error_of(dovetail("inspect", tmp_path / "none.onnx"))

    def test_folder_that_is_no_plan(self, tmp_path: Path) -> None:
        assert "is not a plan folder" in error_of(dovetail("inspect", tmp_path))


class TestExplain:
    def test_operator(self, tiny_plan: Path) -> None:
        result = dovetail("explain", tiny_plan, "scale")

        assert result.exit_code == 0
        assert "op_list: Mul is not in the operator list of Null NPU" in result.stdout
        assert "000-npu: hidden float32 batchx2 (?)" in result.stdout

    def test_unknown_operator(self, tiny_plan: Path) -> None:
        line = error_of(dovetail("explain", tiny_plan, "skale"))

        assert "no operator is named 'skale'; did you mean 'scale'?" in line


class TestRun:
    def test_made_up_inputs(self, tiny_plan: Path, tmp_path: Path) -> None:
        result = dovetail("run", tiny_plan, "--random", "0", "--output", tmp_path / "y.npz", "--repeat", "3")

        assert result.exit_code == 0
        assert "device-missing" in result.stdout
        assert "over 3 runs (measured)" in result.stdout
        assert "symbolic dimensions are 1 in made-up inputs: batch" in result.stderr
        assert list(read_arrays(tmp_path / "y.npz", "outputs")) == ["y", "big"]

    def test_given_inputs(self, tiny_plan: Path, tmp_path: Path) -> None:
        np.save(tmp_path / "x.npy", np.array([[-1, 2], [3, 4]], np.float32))
        np.save(tmp_path / "limit.npy", np.array(2.5, np.float32))
        inputs = ["--input", f"x={tmp_path / 'x.npy'}", "--input", f"limit={tmp_path / 'limit.npy'}"]

        result = dovetail("run", tiny_plan, *inputs, "--output", tmp_path / "y.npz")

        assert result.exit_code == 0
        outputs = read_arrays(tmp_path / "y.npz", "outputs")
        assert outputs["y"].tolist() == [[0, 5], [7.5, 10]]
        assert outputs["big"].tolist() == [[False, False], [True, True]]

    def test_emulation_is_labelled(self, tiny_plan: Path) -> None:
        result = dovetail("run", tiny_plan, "--random", "0", "--emulate", "--repeat", "2")

        assert result.exit_code == 0
        assert "npu (emulated fp16)" in result.stdout
        assert "(measured, NPU emulated on the CPU)" in result.stdout

    def test_strict_refuses_a_missing_device(self, tiny_plan: Path) -> None:
        assert "npu" in error_of(dovetail("run", tiny_plan, "--random", "0", "--strict"))

    def test_missing_inputs_are_named(self, tiny_plan: Path, tmp_path: Path) -> None:
        result = dovetail("run", tiny_plan, "--output", tmp_path / "y.npz")

        assert "no value for 'x', 'limit'" in result.stderr
        assert (result.exit_code, result.stdout) == (2, "")
        assert not (tmp_path / "y.npz").exists()

    def test_unknown_input_is_named(self, tiny_plan: Path, tmp_path: Path) -> None:
        result = dovetail("run", tiny_plan, "--input", f"z={tmp_path / 'z.npy'}", "--random", "0")

        assert result.exit_code == 2
        assert "--input z: the plan has no such input; choose one of 'x', 'limit'" in result.stderr

    def test_wrong_shape_is_named(self, tiny_plan: Path, tmp_path: Path) -> None:
        np.save(tmp_path / "x.npy", np.zeros((1, 3), np.float32))

        result = dovetail("run", tiny_plan, "--input", f"x={tmp_path / 'x.npy'}", "--random", "0")

        assert (result.exit_code, result.stdout) == (2, "")
        assert "'x'" in result.stderr.splitlines()[-1]

    def test_output_folder_is_checked_before_the_run(self, tiny_plan: Path, tmp_path: Path) -> None:
        line = error_of(dovetail("run", tiny_plan, "--random", "0", "--output", tmp_path / "none/y.npz"))

        assert "its folder does not exist" in line


def test_a_latency_is_written_without_an_exponent() -> None:
    (line,) = latency_lines([1.7406, 0.9874, 12.5], {})
    assert str(line) == "latency: median 1741 ms, min 987, max 12500 over 3 runs (measured)"


class TestVerify:
    def test_equal_outputs(self, tiny_plan: Path, tiny_model: Path) -> None:
        result = dovetail("verify", tiny_plan, tiny_model, "--samples", "2")

        assert result.exit_code == 0
        assert result.stdout.splitlines()[-1] == (
            "ok: max error 0, tolerance 1e-05 (default: all partitions ran on the CPU in fp32), 2 samples"
        )

    def test_what_is_no_float_is_counted_and_not_measured(self, tmp_path: Path) -> None:
        mine, other = (tmp_path / name for name in ("mine.onnx", "other.onnx"))
        for path, factor in ((mine, 10), (other, 1000)):
            onnx.save(onnx.parser.parse_model(_CLASSES.format(factor=factor)), path)
        plan = compile_model(mine, "cpu-only").save(tmp_path / "mine.plan")

        result = dovetail("verify", plan, other)

        assert result.exit_code == 1
        assert "FAILED: max error 0, tolerance 1e-05; of the other types 8 elements differ, none may" in result.stdout

    def test_emulated_fp16_is_within_the_wider_default_only(self, tiny_plan: Path, tiny_model: Path) -> None:
        within = dovetail("verify", tiny_plan, tiny_model, "--emulate")
        beyond = dovetail("verify", tiny_plan, tiny_model, "--emulate", "--tolerance", "0", "--samples", "4")

        assert within.exit_code == 0
        assert "tolerance 0.01 (default: not all partitions ran on the CPU in fp32)" in within.stdout
        assert beyond.exit_code == 1
        assert beyond.stdout.splitlines()[-1].startswith("FAILED: max error ")
        assert "tolerance 0 (given)" in beyond.stdout

    def test_given_inputs(self, tiny_plan: Path, tiny_model: Path, tmp_path: Path) -> None:
        np.savez(tmp_path / "inputs.npz", x=np.ones((5, 2), np.float32), limit=np.array(2, np.float32))

        result = dovetail("verify", tiny_plan, tiny_model, "--inputs", tmp_path / "inputs.npz")

        assert result.exit_code == 0
        assert "1 sample" in result.stdout

    def test_missing_array_is_named(self, tiny_plan: Path, tiny_model: Path, tmp_path: Path) -> None:
        np.savez(tmp_path / "inputs.npz", x=np.ones((5, 2), np.float32))

        result = dovetail("verify", tiny_plan, tiny_model, "--inputs", tmp_path / "inputs.npz")

        assert "no array for 'limit'; it has 'x'" in error_of(result)

    def test_another_model_fails_and_is_said_to_be_another(self, tiny_plan: Path, tiny_model: Path) -> None:
        other = onnx.load(tiny_model)
        other.graph.node[2].op_type = "Less"
        onnx.save(other, tiny_model)

        result = dovetail("verify", tiny_plan, tiny_model)

        assert result.exit_code == 1
        assert "FAILED: 2 of 2 differ" in result.stdout
        assert "the plan was made from another model" in result.stderr

    def test_a_model_with_other_inputs_is_refused_as_another(self, tiny_plan: Path, tmp_path: Path) -> None:
        onnx.save(onnx.parser.parse_model(_CLASSES.format(factor=1)), tmp_path / "other.onnx")

        line = error_of(dovetail("verify", tiny_plan, tmp_path / "other.onnx"))

        assert line.endswith("does not run with its inputs and outputs; give the model that the plan was made from")

    def test_missing_model(self, tiny_plan: Path, tmp_path: Path) -> None:
        result = dovetail("verify", tiny_plan, tmp_path / "none.onnx")

        assert (result.exit_code, result.stdout) == (2, "")
        assert "none.onnx" in result.stderr.splitlines()[-1]


@pytest.mark.parametrize("command", ["inspect", "run"])
class TestDamagedPlan:
    def test_changed_file(self, tiny_plan: Path, command: str) -> None:
        with (tiny_plan / "partitions/001-cpu.onnx").open("ab") as file:
            file.write(b"\0")

        assert "partitions/001-cpu.onnx" in error_of(dovetail(command, tiny_plan))

    def test_missing_file(self, tiny_plan: Path, command: str) -> None:
        (tiny_plan / "partitions/000-npu.onnx").unlink()

        assert "partitions/000-npu.onnx" in error_of(dovetail(command, tiny_plan))

    def test_plan_json_that_is_no_json(self, tiny_plan: Path, command: str) -> None:
        (tiny_plan / "plan.json").write_text("{")

        assert "plan.json" in error_of(dovetail(command, tiny_plan))

    def test_missing_plan(self, tiny_plan: Path, command: str) -> None:
        shutil.rmtree(tiny_plan)

        error_of(dovetail(command, tiny_plan))
