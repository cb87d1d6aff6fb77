"""A plan written by hand, with one of everything that a report shows."""

from dataclasses import replace

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
    State,
    Step,
    TensorSpec,
    Transfer,
)

IMAGE = TensorSpec("image", "float32", (1, 3, 32, 32))
FEATURES = TensorSpec("features", "float16", (1, 8, 16, 16))
LIMIT = TensorSpec("limit", "int64", ())
BOXES = TensorSpec("boxes", "float32", ("count", 4))

OP_LIST = Reason(
    rule="op_list",
    message="'loop' (Loop): Loop is not in the operator list of Some NPU",
    got="Loop",
    allowed="any of 60 operators",
    source="Some NPU manual, table 4",
)


def verdict(device: str, state: State = "supported", *reasons: Reason) -> PlanVerdict:
    return PlanVerdict(device, state, reasons)


def stride(operator: str, value: str) -> Reason:
    return Reason(
        rule="attr_range",
        message=f"'{operator}' (Conv): strides must be in [1, 3], got {value}",
        got=value,
        allowed="[1, 3]",
        source="Some NPU manual, table 7",
        confidence="low",
        fix="use two convolutions",
    )


def operator(name: str, op_type: str, partition: str, unit: int, *reasons: Reason, **more: str) -> PlanOperator:
    state: State = "unsupported" if reasons else "supported"
    return PlanOperator(
        name=name,
        op_type=op_type,
        domain="",
        device=partition[4:],
        partition=partition,
        unit=unit,
        verdicts=(verdict("npu", state, *reasons), verdict("cpu")),
        reason=reasons[0].message if reasons else more.get("reason", ""),
        origins=tuple(filter(None, more.get("origins", "").split())),
        inside=more.get("inside", ""),
        fallback=reasons[0] if reasons else None,
    )


@pytest.fixture(scope="session")
def plan() -> Plan:
    """A network of three partitions whose tail holds a Loop and whose boxes have a symbolic size."""
    return Plan(
        dovetail_version="0.1.0",
        model=ModelInfo("face.onnx", "ab" * 32, {"--dim batch": "1"}, eliminated=("dropout_1", "bn_1")),
        target="some-npu:b2",
        objective="greedy",
        predicted=Predicted(),
        devices=(
            PlanDevice("npu", "npu", "Some NPU", None, numerics="fp16"),
            PlanDevice("cpu", "cpu", "Arm cores", BackendSpec("CPUExecutionProvider")),
        ),
        inputs=(IMAGE, LIMIT),
        outputs=(BOXES,),
        slots=(IMAGE, LIMIT, FEATURES, BOXES),
        partitions=(
            PlanPartition(
                "000-npu", "npu", "npu", ("conv_1", "relu_1"), (IMAGE,), (FEATURES,), "a.onnx", None, ("cpu",)
            ),
            PlanPartition(
                "001-cpu",
                "cpu",
                "cpu",
                ("conv_2", "conv_3", "loop"),
                (FEATURES, LIMIT),
                (BOXES,),
                "b.onnx",
                None,
                (),
            ),
        ),
        steps=(Step("000-npu", (0,), (2,), (0,)), Step("001-cpu", (2, 1), (3,), (1, 2))),
        operators=(
            operator("conv_1", "Conv", "000-npu", 0, origins="conv_1 bn_1"),
            operator("relu_1", "Relu", "000-npu", 0),
            operator("conv_2", "Conv", "001-cpu", 1, stride("conv_2", "(4, 4)")),
            operator("conv_3", "Conv", "001-cpu", 2, stride("conv_3", "(5, 5)")),
            operator(
                "relu_3",
                "Relu",
                "001-cpu",
                3,
                reason="'relu_3' (Relu): a partition of 1 operator is too small",
            ),
            operator("loop", "Loop", "001-cpu", 4, OP_LIST),
            operator("loop/add", "Add", "001-cpu", 4, inside="loop"),
        ),
        transfers=(
            Transfer("image", "host", "npu", 12288, ("000-npu",)),
            Transfer("features", "npu", "cpu", 4096, ("001-cpu",)),
            Transfer("boxes", "cpu", "host", None, ()),
        ),
        notes=("limit: 1 partition of the NPU was given back",),
    )


@pytest.fixture(
    params=(
        "|</details>`@org/team`[x](http://evil.org)\n# z #1 <script>&amp;\\|",
        "::error::{0} ##[group]%0A::stop,a:b\r\n\x1b[31m",
        "層/" * 3000,
        "n" * 70_000,
    ),
    ids=("markup", "commands", "wide", "long"),
)
def hostile(request: pytest.FixtureRequest, plan: Plan) -> tuple[Plan, str]:
    """The plan with a name from a model file that nobody would choose, wherever a name can stand; and the name."""
    name: str = request.param
    reason = stride(name, f"({name}, 4)")
    broken = replace(operator(name, "Conv", "001-cpu", 1, reason), fallback=reason, origins=(name, "conv_2"))
    partitions = tuple(
        replace(each, nodes=tuple(name if node == "conv_2" else node for node in each.nodes))
        for each in plan.partitions
    )
    changed = replace(
        plan,
        model=replace(plan.model, name=name, bindings={f"--dim {name}": "1"}),
        operators=tuple(broken if each.name == "conv_2" else each for each in plan.operators),
        partitions=partitions,
        transfers=tuple(replace(each, tensor=name) for each in plan.transfers),
        notes=(f"limit: {name}",),
    )
    return changed, name
