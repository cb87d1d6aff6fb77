"""From a model's file to a verified plan, and what can be wrong on the way: one line, exit code 2, nothing written."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from tests.cli.calling import dovetail

from dovetail.plan import plan_from_json, read_plan
from dovetail.plan.arrays import read_arrays

SAMPLE_MODELS = Path(__file__).parents[2] / "sample_models"

NULL_NPU = """
schema: 1
name: null-npu
vendor: nobody
devices:
- id: npu
  kind: npu
  name: Null NPU
  numerics: fp16
  data_quality: low
  ops: {Relu: , Conv: , Gemm: , Add: }
- id: cpu
  kind: cpu
  name: host CPU
  backend: {provider: CPUExecutionProvider}
  data_quality: high
  any_operator: {domains: ['', com.microsoft], refusal: custom operator}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model: Path) -> Path:
    """The current folder, with a small model and a target whose NPU no host has."""
    (tmp_path / "null-npu.yaml").write_text(NULL_NPU)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(*arguments: object) -> str:
    """Return the one line that a command refuses with; the folder must stay as it is."""
    before = contents()
    result = dovetail(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert contents() == before
    return line


def contents() -> dict[Path, bytes]:
    return {path: path.read_bytes() if path.is_file() else b"" for path in Path().rglob("*")}


class TestCompile:
    def test_writes_a_plan_here_and_prints_the_verdict(self, folder: Path) -> None:
        result = dovetail("compile", "tiny.onnx", "-t", "null-npu.yaml", "--solver", "greedy")

        assert result.exit_code == 0
        assert "operators   3   npu 1 (33.3 %)   cpu 2 (66.7 %)" in result.stdout
        assert result.stdout.endswith("written to tiny.plan\n")
        assert read_plan(folder / "tiny.plan").target == "null-npu"

    def test_replaces_a_plan(self, folder: Path) -> None:
        dovetail("compile", "tiny.onnx", "-t", "null-npu.yaml", "-o", "a.plan")
        result = dovetail("compile", "tiny.onnx", "-t", "cpu-only", "-o", "a.plan")

        assert result.exit_code == 0
        assert read_plan(folder / "a.plan").target == "cpu-only:host"

    def test_placed_by_hand(self, folder: Path) -> None:
        result = dovetail("compile", "tiny.onnx", "-t", "null-npu.yaml", "--place", "relu=cpu")

        assert result.exit_code == 0
        assert "npu 0 (0.0 %)   cpu 3" in result.stdout

    def test_loading_options_are_kept(self, folder: Path) -> None:
        options = ["--dim", "batch=4", "--bind", "limit=2"]

        result = dovetail("compile", "tiny.onnx", "-t", "cpu-only", *options)

        assert "--dim batch=4  --bind limit=2" in result.stdout
        (x,) = read_plan(folder / "tiny.plan").inputs
        assert x.shape == (4, 2)
        verified = dovetail("verify", "tiny.plan", "tiny.onnx")
        assert (verified.exit_code, verified.stderr) == (0, "")


class TestRefused:
    def test_truncated_file(self, folder: Path) -> None:
        data = (folder / "tiny.onnx").read_bytes()
        (folder / "cut.onnx").write_bytes(data[: len(data) // 2])

        assert "'cut.onnx'" in refusal("compile", "cut.onnx", "-t", "cpu-only")

    def test_file_that_is_no_onnx(self, folder: Path) -> None:
        assert "'null-npu.yaml'" in refusal("compile", "null-npu.yaml", "-t", "cpu-only")

    def test_empty_file(self, folder: Path) -> None:
        (folder / "empty.onnx").touch()

        assert "empty.onnx" in refusal("compile", "empty.onnx", "-t", "cpu-only")

    def test_missing_file(self, folder: Path) -> None:
        assert "none.onnx" in refusal("compile", "none.onnx", "-t", "cpu-only")

    def test_missing_external_data(self, folder: Path) -> None:
        model = onnx.load("tiny.onnx")
        weight = onnx.numpy_helper.from_array(np.ones((64, 64), np.float32), "weight")
        model.graph.initializer.append(weight)
        model.graph.output.append(onnx.helper.make_tensor_value_info("weight", onnx.TensorProto.FLOAT, [64, 64]))
        onnx.save(model, "big.onnx", save_as_external_data=True, location="big.weights", size_threshold=0)
        (folder / "big.weights").unlink()

        line = refusal("compile", "big.onnx", "-t", "cpu-only")

        assert "big.weights" in line
        assert "'weight'" in line

    @pytest.mark.parametrize("command", ["compile", "inspect"])
    @pytest.mark.parametrize("target", ["hailo-8", "cambricon-mlu370", "cambricon-mlu370:mlu370-s4"])
    def test_target_whose_operators_nobody_publishes(self, folder: Path, command: str, target: str) -> None:
        name = target.partition(":")[0]

        line = refusal(command, "tiny.onnx", "-t", target)

        assert "publishes no list of the operators" in line
        assert f"extends: {name}" in line
        assert "-t my.yaml" in line

    def test_a_list_of_the_users_own_is_enough(self, folder: Path) -> None:
        text = "schema: 1\nname: mine\nextends: cambricon-mlu370\ndevices:\n  npu:\n    ops: {Relu: }\n"
        Path("mine.yaml").write_text(text)

        result = dovetail("compile", "tiny.onnx", "-t", "mine.yaml", "--solver", "greedy")

        assert result.exit_code == 0
        assert "npu 1 (33.3 %)" in result.stdout

    def test_unknown_target(self, folder: Path) -> None:
        line = refusal("compile", "tiny.onnx", "-t", "cpu-onyl")

        assert "'cpu-onyl'" in line
        assert "cpu-only" in line

    @pytest.mark.parametrize("option", [("--shape", "z=1,2"), ("--dim", "bach=1"), ("--bind", "z=1")])
    def test_unknown_input(self, folder: Path, option: tuple[str, str]) -> None:
        name = option[1].partition("=")[0]

        assert name in refusal("compile", "tiny.onnx", "-t", "cpu-only", *option)

    def test_wrong_shape(self, folder: Path) -> None:
        assert "--shape x" in refusal("compile", "tiny.onnx", "-t", "cpu-only", "--shape", "x=1,3")

    def test_unknown_device(self, folder: Path) -> None:
        assert "tpu" in refusal("compile", "tiny.onnx", "-t", "cpu-only", "--place", "relu=tpu")

    def test_folder_that_does_not_exist(self, folder: Path) -> None:
        assert "none" in refusal("compile", "tiny.onnx", "-t", "cpu-only", "-o", "none/tiny.plan")

    @pytest.mark.parametrize("kind", ["file", "folder"])
    def test_something_that_is_no_plan_is_not_overwritten(self, folder: Path, kind: str) -> None:
        precious = folder / "precious"
        if kind == "file":
            precious.write_text("data")
        else:
            precious.mkdir()
            (precious / "thesis.txt").write_text("data")

        assert "precious" in refusal("compile", "tiny.onnx", "-t", "cpu-only", "-o", "precious")

    def test_model_for_run(self, folder: Path) -> None:
        assert "tiny.onnx" in refusal("run", "tiny.onnx", "--random", "0")

    def test_tampered_plan(self, folder: Path) -> None:
        dovetail("compile", "tiny.onnx", "-t", "cpu-only")
        with (folder / "tiny.plan/partitions/000-cpu.onnx").open("r+b") as file:
            file.write(b"\0")

        for command in (["run", "tiny.plan", "--random", "0"], ["verify", "tiny.plan", "tiny.onnx"]):
            assert "partitions/000-cpu.onnx" in refusal(*command)


class TestInspectAndExplain:
    def test_model_is_reported_and_nothing_written(self, folder: Path) -> None:
        before = contents()

        result = dovetail("inspect", "tiny.onnx", "-t", "null-npu.yaml")

        assert result.exit_code == 0
        assert "op_list" in result.stdout
        assert contents() == before

    def test_json_of_a_model_is_that_of_its_plan_but_for_the_files(self, folder: Path) -> None:
        dovetail("compile", "tiny.onnx", "-t", "null-npu.yaml")

        model = json.loads(dovetail("inspect", "tiny.onnx", "-t", "null-npu.yaml", "--format", "json").stdout)
        plan = json.loads(dovetail("inspect", "tiny.plan", "--format", "json").stdout)

        assert model.pop("files") == {}
        assert plan.pop("files") != {}
        assert model == plan

    def test_explain_a_model(self, folder: Path) -> None:
        result = dovetail("explain", "tiny.onnx", "scale", "-t", "null-npu.yaml")

        assert result.exit_code == 0
        assert "on npu: unsupported" in result.stdout


@pytest.mark.parametrize("name", ["control_flow", "digits_qdq", "transformer"])
class TestSampleModels:
    def test_compiled_run_and_verified(self, folder: Path, name: str) -> None:
        model = SAMPLE_MODELS / f"{name}.onnx"

        compiled = dovetail("compile", model, "-t", "null-npu.yaml")
        ran = dovetail("run", f"{name}.plan", "--random", "0", "--output", "outputs.npz")
        verified = dovetail("verify", f"{name}.plan", model)
        emulated = dovetail("verify", f"{name}.plan", model, "--emulate")

        assert [each.exit_code for each in (compiled, ran, verified, emulated)] == [0, 0, 0, 0]
        plan = read_plan(folder / f"{name}.plan")
        assert list(read_arrays(folder / "outputs.npz", "outputs")) == [spec.name for spec in plan.outputs]

    def test_every_report_fits_100_columns(self, folder: Path, name: str) -> None:
        result = dovetail("inspect", SAMPLE_MODELS / f"{name}.onnx", "-t", "null-npu.yaml")

        assert result.exit_code == 0
        assert max(map(len, result.stdout.splitlines())) <= 100

    def test_every_operator_can_be_explained(self, folder: Path, name: str) -> None:
        model = SAMPLE_MODELS / f"{name}.onnx"
        plan = plan_from_json(dovetail("inspect", model, "-t", "null-npu.yaml", "--format", "json").stdout)

        result = dovetail("explain", model, "*", "-t", "null-npu.yaml")

        assert result.exit_code == 0
        assert all(f"({operator.op_type})" in result.stdout for operator in plan.operators)
