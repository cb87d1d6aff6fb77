"""Models of the runtime's benchmark, cut into partitions by the compiler, and the ways to run them."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from dovetail.compiler import CompileOptions, compile_model
from dovetail.plan import BackendSpec, Plan, PlanDevice, atomic_folder, read_plan, write_plan

THREE_CPUS = Path(__file__).resolve().parents[1] / "tests" / "data" / "three-cpus.yaml"
DEVICES = ("npu", "gpu")
"""Neighbours in a cut; both are the host's CPU."""
SLEEPER = "Sleeper"


def conv_net(channels: int, size: int, layers: int = 50) -> onnx.ModelProto:
    """Convolutions of 3 by 3, one after the other."""
    rng = np.random.default_rng(0)
    scale = 1 / np.sqrt(9 * channels)
    weights = [
        numpy_helper.from_array((rng.standard_normal((channels, channels, 3, 3)) * scale).astype(np.float32), f"w{i}")
        for i in range(layers)
    ]
    nodes = [helper.make_node("Conv", [f"t{i}", f"w{i}"], [f"t{i + 1}"], f"n{i}", pads=[1] * 4) for i in range(layers)]
    return model_of(nodes, weights, [1, channels, size, size], layers)


def mlp(width: int = 64, layers: int = 50, batch: int = 1) -> onnx.ModelProto:
    """Matrix multiplications, one after the other."""
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(rng.standard_normal((width, width), np.float32) / np.float32(np.sqrt(width)), f"w{i}")
        for i in range(layers)
    ]
    nodes = [helper.make_node("MatMul", [f"t{i}", f"w{i}"], [f"t{i + 1}"], f"n{i}") for i in range(layers)]
    return model_of(nodes, weights, [batch, width], layers)


def model_of(
    nodes: Sequence[onnx.NodeProto], weights: Sequence[onnx.TensorProto], shape: Sequence[int], layers: int
) -> onnx.ModelProto:
    """A model from `t0` to the last tensor, all of one shape."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("t0", f"t{layers}")]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def cut(model: onnx.ModelProto | Path, count: int, folder: Path, layers: int = 50) -> Path:
    """A plan of `count` partitions of equal length, all on the CPU."""
    place = tuple((f"n{i}", DEVICES[i * count // layers % 2]) for i in range(layers))
    saved = compile_model(model, str(THREE_CPUS), CompileOptions(place=place)).save(folder / f"{count}.plan")
    assert len(read_plan(saved, verify=False).partitions) == count
    return saved


def two_devices(folder: Path, side_by_side: bool, layers: int = 50) -> Path:
    """A plan for the CPU and a device whose backend sleeps: two branches side by side, or one after the other."""
    model = conv_net(32, 28, layers)
    graph = model.graph
    source = "t0" if side_by_side else f"t{layers}"
    graph.node.append(helper.make_node("Neg", [source], ["s"], "sleeps"))
    graph.output.append(helper.make_tensor_value_info("s", TensorProto.FLOAT, [1, 32, 28, 28]))
    place = (("sleeps", "npu"), *((f"n{i}", "cpu") for i in range(layers)))
    saved = compile_model(model, str(THREE_CPUS), CompileOptions(place=place)).save(folder / "two.plan")
    plan = read_plan(saved)
    with atomic_folder(folder / f"two-{side_by_side}.plan") as made:
        (saved / "partitions").rename(made / "partitions")
        write_plan(asleep(plan, side_by_side), made)
    return folder / f"two-{side_by_side}.plan"


def asleep(plan: Plan, side_by_side: bool) -> Plan:
    """The plan with the sleeping backend on its first device, and its partitions meant to overlap or not."""
    first, *rest = plan.devices
    devices: tuple[PlanDevice, ...] = (replace(first, backend=BackendSpec(SLEEPER)), *rest)
    names = [partition.id for partition in plan.partitions]
    partitions = tuple(
        replace(each, concurrent=tuple(name for name in names if name != each.id) if side_by_side else ())
        for each in plan.partitions
    )
    return replace(plan, devices=devices, partitions=partitions)


def ratio(ways: Sequence[Callable[[], object]], rounds: int, block: int = 1, pause_s: float = 0.0) -> Sequence[float]:
    """The median time of each way in seconds, the ways taking turns; each is called once before.

    Args:
        ways: What is timed.
        rounds: How often each has its turn.
        block: Calls in a turn.
        pause_s: Sleep before a turn, so that threads of the other way have stopped to spin.
    """
    times: list[list[float]] = [[] for _ in ways]
    for way in ways:
        way()
    for _ in range(rounds):
        for way, found in zip(ways, times, strict=True):
            time.sleep(pause_s)
            for _ in range(block):
                begin = time.perf_counter()
                way()
                found.append(time.perf_counter() - begin)
    return [statistics.median(found) for found in times]


def feeds_of(shape: Sequence[int]) -> Mapping[str, np.ndarray]:
    """The input `t0`."""
    return {"t0": np.random.default_rng(1).standard_normal(shape).astype(np.float32)}
