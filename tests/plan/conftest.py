"""A small plan as data, and as a folder with payload files of arbitrary bytes."""

from pathlib import Path

import pytest

from dovetail.plan import (
    Alternative,
    BackendSpec,
    Certificate,
    CostTerm,
    ModelInfo,
    Plan,
    PlanDevice,
    PlanOperator,
    PlanPartition,
    PlanVerdict,
    Predicted,
    Reason,
    Step,
    TensorCheck,
    TensorSpec,
    Transfer,
    UnitFigures,
    atomic_folder,
    write_plan,
)


@pytest.fixture
def plan() -> Plan:
    """Two partitions, `x -npu-> a -cpu-> y`, with every kind of field filled."""
    x = TensorSpec("x", "float32", (1, "batch", None))
    a = TensorSpec("ä", "float32", None)
    y = TensorSpec("y", "int64", ())
    reason = Reason("dtype", "Relu takes float16", "float64", "float16", "data sheet", "high", "cast it")
    return Plan(
        dovetail_version="0",
        model=ModelInfo("model", "0" * 64, {"batch": "1"}, ("folded",)),
        target="test:small",
        objective="latency",
        predicted=Predicted(
            1.5, 2.0, None, 0.5, 2.0, 1.0, 0.25, "cuts", True, False, (Alternative("greedy", 3.0, 4.0),), "modelled"
        ),
        devices=(
            PlanDevice("npu", "npu", "NPU", BackendSpec("QNNExecutionProvider", {"soc_model": "57"}), "fp16"),
            PlanDevice("cpu", "cpu", "CPU", None),
        ),
        inputs=(x,),
        outputs=(y,),
        slots=(x, a, y),
        partitions=(
            PlanPartition(
                "000-npu", "npu", "npu", ("n0",), (x,), (a,), "partitions/0.onnx", "partitions/e.onnx", ("cpu",)
            ),
            PlanPartition(
                "001-cpu",
                "cpu",
                "cpu",
                ("n1",),
                (a,),
                (y,),
                "partitions/1.onnx",
                None,
                (),
                ("000-npu",),
                (),
                {"ms": 0.5},
            ),
        ),
        steps=(Step("000-npu", (0,), (1,), (0,)), Step("001-cpu", (1,), (2,), (1,))),
        operators=(
            PlanOperator("n0", "Relu", "", "npu", "000-npu", 0, (PlanVerdict("npu", "soft", (reason,), "HVX", 0),), ""),
            PlanOperator("n1", "Cast", "", "cpu", "001-cpu", 1, (), "pinned", ("old",), "loop", {"ms": 0.5}),
        ),
        transfers=(Transfer("ä", "npu", "cpu", None, ("001-cpu",)),),
        costs=(UnitFigures(1.0, 2.0, False, "modelled", (CostTerm("compute", 1.0, "us", "1 + 0"),)),),
        notes=("a note",),
        certificate=Certificate(
            True,
            ("tool 1",),
            {"onnxruntime": "1"},
            1,
            "0" * 64,
            3,
            (TensorCheck("000-npu", "h", 0.5, 40.0, 1.0, 20.0, True),),
        ),
        files=dict.fromkeys(("partitions/0.onnx", "partitions/1.onnx", "partitions/e.onnx"), "a" * 64),
    )


@pytest.fixture
def plan_folder(plan: Plan, tmp_path: Path) -> Path:
    final = tmp_path / "model.plan"
    with atomic_folder(final) as folder:
        (folder / "partitions").mkdir()
        for name in ("0.onnx", "1.onnx", "e.onnx", "weights.bin"):
            (folder / "partitions" / name).write_bytes(name.encode())
        write_plan(plan, folder)
    return final
