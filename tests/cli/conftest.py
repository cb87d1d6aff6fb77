"""A small plan that really runs: an NPU that no host has, then the CPU."""

from pathlib import Path

import onnx
import onnx.parser
import pytest

from dovetail.plan import (
    BackendSpec,
    ModelInfo,
    Plan,
    PlanDevice,
    PlanOperator,
    PlanPartition,
    PlanVerdict,
    Predicted,
    Reason,
    Step,
    TensorSpec,
    Transfer,
    atomic_folder,
    sha256_file,
    write_plan,
)

X = TensorSpec("x", "float32", ("batch", 2))
LIMIT = TensorSpec("limit", "float32", ())
HIDDEN = TensorSpec("hidden", "float32", ("batch", 2))
Y = TensorSpec("y", "float32", ("batch", 2))
BIG = TensorSpec("big", "bool", ("batch", 2))

WHOLE = """
<ir_version: 8, opset_import: ["": 17]>
tiny (float[batch, 2] x, float limit) => (float[batch, 2] y, bool[batch, 2] big) {
    [relu] hidden = Relu(x)
    [scale] y = Mul(hidden, limit)
    [compare] big = Greater(hidden, limit)
}
"""
HEAD = """
<ir_version: 8, opset_import: ["": 17]>
head (float[batch, 2] x) => (float[batch, 2] hidden) { [relu] hidden = Relu(x) }
"""
ROUNDED_HEAD = """
<ir_version: 8, opset_import: ["": 17]>
head (float[batch, 2] x) => (float[batch, 2] hidden) {
    narrow = Cast<to: int = 10>(x)
    rounded = Cast<to: int = 1>(narrow)
    hidden = Relu(rounded)
}
"""
TAIL = """
<ir_version: 8, opset_import: ["": 17]>
tail (float[batch, 2] hidden, float limit) => (float[batch, 2] y, bool[batch, 2] big) {
    [scale] y = Mul(hidden, limit)
    [compare] big = Greater(hidden, limit)
}
"""


def save(text: str, path: Path) -> Path:
    onnx.save(onnx.parser.parse_model(text), path)
    return path


@pytest.fixture
def tiny_model(tmp_path: Path) -> Path:
    """y = relu(x) * limit, big = relu(x) > limit."""
    return save(WHOLE, tmp_path / "tiny.onnx")


@pytest.fixture
def tiny_plan(tmp_path: Path, tiny_model: Path) -> Path:
    """A plan for it in two partitions: the Relu on an NPU without backend, the rest on the CPU."""
    with tiny_model.open("rb") as file:
        digest = sha256_file(file)
    final = tmp_path / "tiny.plan"
    with atomic_folder(final) as folder:
        (folder / "partitions").mkdir()
        save(HEAD, folder / "partitions/000-npu.onnx")
        save(ROUNDED_HEAD, folder / "partitions/000-npu.emulated.onnx")
        save(TAIL, folder / "partitions/001-cpu.onnx")
        write_plan(_plan(digest), folder)
    return final


def _plan(digest: str) -> Plan:
    refusal = Reason("op_list", "'scale' (Mul): Mul is not in the operator list of Null NPU", "Mul", "Relu")
    return Plan(
        dovetail_version="0.1.0",
        model=ModelInfo("tiny.onnx", digest),
        target="null-npu",
        objective="greedy",
        predicted=Predicted(),
        devices=(
            PlanDevice("npu", "npu", "Null NPU", None, numerics="fp16"),
            PlanDevice("cpu", "cpu", "CPU", BackendSpec("CPUExecutionProvider")),
        ),
        inputs=(X, LIMIT),
        outputs=(Y, BIG),
        slots=(X, LIMIT, HIDDEN, Y, BIG),
        partitions=(
            PlanPartition(
                id="000-npu",
                device="npu",
                kind="npu",
                nodes=("relu",),
                inputs=(X,),
                outputs=(HIDDEN,),
                file="partitions/000-npu.onnx",
                emulated_file="partitions/000-npu.emulated.onnx",
                fallback=("cpu",),
            ),
            PlanPartition(
                id="001-cpu",
                device="cpu",
                kind="cpu",
                nodes=("scale", "compare"),
                inputs=(HIDDEN, LIMIT),
                outputs=(Y, BIG),
                file="partitions/001-cpu.onnx",
                emulated_file=None,
                fallback=(),
            ),
        ),
        steps=(Step("000-npu", (0,), (2,), (0,)), Step("001-cpu", (2, 1), (3, 4), (2, 1))),
        operators=(
            _operator("relu", "Relu", "000-npu", PlanVerdict("npu", "supported")),
            _operator("scale", "Mul", "001-cpu", PlanVerdict("npu", "unsupported", (refusal,))),
            _operator("compare", "Greater", "001-cpu", PlanVerdict("npu", "unsupported", (refusal,))),
        ),
        transfers=(Transfer("hidden", "npu", "cpu", None, ("001-cpu",)),),
    )


def _operator(name: str, op_type: str, partition: str, verdict: PlanVerdict) -> PlanOperator:
    return PlanOperator(
        name=name,
        op_type=op_type,
        domain="",
        device=partition[4:],
        partition=partition,
        unit=0,
        verdicts=(verdict, PlanVerdict("cpu", "supported")),
        reason=verdict.reasons[0].message if verdict.reasons else "",
    )
