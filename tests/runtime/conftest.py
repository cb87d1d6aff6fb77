"""Plans from text: each partition is a graph in ONNX's text form with its device before it."""

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import onnx
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper, parser

from dovetail.plan import (
    BackendSpec,
    ModelInfo,
    Plan,
    PlanDevice,
    PlanPartition,
    Predicted,
    Step,
    TensorSpec,
    atomic_folder,
    write_plan,
)
from dovetail.runtime import OpenRequest, Value, register_backend, to_array

CPU = PlanDevice("cpu", "cpu", "CPU", BackendSpec("CPUExecutionProvider"))


@dataclass
class OwnDevice:
    """The backend `OwnDevice`: computes on the CPU what it is given, and has the faults that a test gives it."""

    fails: dict[str, str] = field(default_factory=dict)
    """Beginning of a partition's file -> the error that it raises."""
    refuses: dict[str, str] = field(default_factory=dict)
    """The same while it is loaded."""
    hangs: set[str] = field(default_factory=set)
    """Beginnings of partitions' files that never answer while the test runs."""
    spoils: Callable[[list[Value]], object] | None = None
    """What it makes of its outputs."""
    latency_s: float = 0.0
    """Asleep for so long in every run."""
    runs: list[str] = field(default_factory=list)
    """Files of partitions, as they were run."""
    opened: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def open(self, request: OpenRequest) -> "OwnSession":
        """The opener."""
        self.opened.append(request.model.name)
        if cause := _of(self.refuses, request.model.name):
            raise RuntimeError(cause)
        return OwnSession(self, request)


class OwnSession:
    """A partition on it."""

    def __init__(self, device: OwnDevice, request: OpenRequest) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = ort.InferenceSession(str(request.model), options)
        self._device = device
        self._request = request

    def run(self, inputs: Sequence[Value]) -> list[Value]:
        """Run it, or fail as told."""
        device, name = self._device, self._request.model.name
        device.runs.append(name)
        if cause := _of(device.fails, name):
            raise RuntimeError(cause)
        if any(name.startswith(each) for each in device.hangs):
            device.over.wait()
        if device.latency_s:
            time.sleep(device.latency_s)
        feeds = {name: to_array(value, name) for name, value in zip(self._request.inputs, inputs, strict=True)}
        outputs = self._session.run(list(self._request.outputs), feeds)
        return outputs if device.spoils is None else device.spoils(outputs)  # type: ignore[return-value]


def _of(causes: Mapping[str, str], name: str) -> str:
    return next((cause for start, cause in causes.items() if name.startswith(start)), "")


@pytest.fixture
def own_device() -> Iterator[OwnDevice]:
    device = OwnDevice()
    register_backend("OwnBackend", device.open)
    yield device
    device.over.set()
    register_backend("OwnBackend", None)


class PlanFromText(Protocol):
    """`npu: p (float[2] x) => (float[2] y) { y = Relu(x) }` is a partition for the device `npu`.

    Partitions run in the order given; tensors of equal name are the same tensor. A graph in `emulated` is the
    emulated form of the partition with that index. Devices are in order of preference; the CPU is added.
    """

    def __call__(
        self,
        *partitions: str,
        devices: Sequence[PlanDevice] = (),
        outputs: Sequence[str] = ("y",),
        inputs: Sequence[str] = ("x",),
        emulated: Mapping[int, str] | None = None,
        external: bool = False,
        path: Path | None = None,
        concurrent: Sequence[tuple[int, int]] = (),
    ) -> Path: ...


@pytest.fixture
def plan_from_text(tmp_path: Path) -> PlanFromText:
    def write(
        *partitions: str,
        devices: Sequence[PlanDevice] = (),
        outputs: Sequence[str] = ("y",),
        inputs: Sequence[str] = ("x",),
        emulated: Mapping[int, str] | None = None,
        external: bool = False,
        path: Path | None = None,
        concurrent: Sequence[tuple[int, int]] = (),
    ) -> Path:
        final = path or tmp_path / "model.plan"
        targets = [text.partition(":")[0] for text in partitions]
        models = [_model(text.partition(":")[2]) for text in partitions]
        imitations = {index: _model(text) for index, text in (emulated or {}).items()}
        with atomic_folder(final) as folder:
            (folder / "partitions").mkdir()
            for index, model in imitations.items():
                onnx.save(model, folder / f"partitions/{index:03d}.emulated.onnx")
            for index, model in enumerate(models):
                file = folder / f"partitions/{index:03d}.onnx"
                onnx.save(model, file, save_as_external_data=external, location="weights.bin", size_threshold=0)
            plan = _plan(models, targets, (*devices, CPU), inputs, outputs, imitations.keys())
            write_plan(_overlapping(plan, concurrent), folder)
        return final

    return write


def _model(text: str) -> onnx.ModelProto:
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> {text}')
    for tensor in model.graph.initializer:
        # the parser fills fields that can't lie in an external file
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))
    onnx.checker.check_model(model)
    return model


def _spec(info: onnx.ValueInfoProto) -> TensorSpec:
    kind = info.type.tensor_type
    is_text = kind.elem_type == onnx.TensorProto.STRING
    dtype = "string" if is_text else helper.tensor_dtype_to_np_dtype(kind.elem_type).name
    if not kind.HasField("shape"):
        return TensorSpec(info.name, dtype, None)
    shape = tuple(dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None for dim in kind.shape.dim)
    return TensorSpec(info.name, dtype, shape)


def _plan(
    models: Sequence[onnx.ModelProto],
    targets: Sequence[str],
    devices: Sequence[PlanDevice],
    inputs: Sequence[str],
    outputs: Sequence[str],
    emulated: Collection[int],
) -> Plan:
    slots: dict[str, TensorSpec] = {}
    for model in models:
        for info in (*model.graph.input, *model.graph.output):
            slots.setdefault(info.name, _spec(info))
    partitions = tuple(
        _partition(index, model, target, devices, slots, index in emulated)
        for index, (model, target) in enumerate(zip(models, targets, strict=True))
    )
    return Plan(
        dovetail_version="0",
        model=ModelInfo("test", "0" * 64),
        target="test",
        objective="latency",
        predicted=Predicted(),
        devices=tuple(devices),
        inputs=tuple(slots[name] for name in inputs),
        outputs=tuple(slots[name] for name in outputs),
        slots=tuple(slots.values()),
        partitions=partitions,
        steps=_steps(partitions, list(slots), outputs),
        operators=(),
        transfers=(),
    )


def _overlapping(plan: Plan, concurrent: Sequence[tuple[int, int]]) -> Plan:
    """The plan with pairs of partitions, by their index, that are meant to run at the same time."""
    names = [partition.id for partition in plan.partitions]
    others: dict[str, list[str]] = {name: [] for name in names}
    for one, two in concurrent:
        others[names[one]].append(names[two])
        others[names[two]].append(names[one])
    return replace(plan, partitions=tuple(replace(each, concurrent=tuple(others[each.id])) for each in plan.partitions))


def _partition(
    index: int,
    model: onnx.ModelProto,
    target: str,
    devices: Sequence[PlanDevice],
    slots: Mapping[str, TensorSpec],
    emulated: bool,
) -> PlanPartition:
    names = [device.id for device in devices]
    position = names.index(target)
    return PlanPartition(
        id=f"{index:03d}-{target}",
        device=target,
        kind=devices[position].kind,
        nodes=tuple(node.name for node in model.graph.node),
        inputs=tuple(slots[info.name] for info in model.graph.input),
        outputs=tuple(slots[info.name] for info in model.graph.output),
        file=f"partitions/{index:03d}.onnx",
        emulated_file=f"partitions/{index:03d}.emulated.onnx" if emulated else None,
        fallback=tuple(names[position + 1 :]),
    )


def _steps(partitions: Sequence[PlanPartition], slots: list[str], outputs: Sequence[str]) -> tuple[Step, ...]:
    """Each partition once; a tensor is freed after its last reader, or at once where it has none."""
    last = {
        spec.name: index
        for index, partition in enumerate(partitions)
        for spec in (*partition.outputs, *partition.inputs)
    }
    return tuple(
        Step(
            partition.id,
            tuple(slots.index(spec.name) for spec in partition.inputs),
            tuple(slots.index(spec.name) for spec in partition.outputs),
            tuple(slots.index(name) for name, user in last.items() if user == index and name not in outputs),
        )
        for index, partition in enumerate(partitions)
    )
