"""Any convex cut of any model computes what the whole computes."""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from dovetail.compiler import CompileOptions, compile_graph
from dovetail.compiler.unit_facts import units_of
from dovetail.ir import Graph, load_model
from dovetail.passes import run_passes
from dovetail.passes.canonical import EliminateDeadNodes
from dovetail.passes.legalize import LEGALIZE_PASSES
from dovetail.passes.tagging import AnnotateUnits
from dovetail.plan import TensorSpec
from dovetail.plan.random_feeds import random_feeds
from dovetail.runtime import Executor
from dovetail.targets import Target, load_target

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = sorted((ROOT / "sample_models").glob("*.onnx"))
RANDOM_MODELS = 24
DEVICES = ("npu", "gpu", "cpu")

Array = npt.NDArray[Any]


@cache
def three_cpus() -> Target:
    return load_target(str(ROOT / "tests" / "data" / "three-cpus.yaml"))


@cache
def model_bytes(which: int) -> bytes:
    """Sample models first, then random small ones."""
    if which < len(SAMPLES):
        return SAMPLES[which].read_bytes()
    return bytes(random_model(which).SerializeToString())


@cache
def loaded(which: int) -> Graph:
    """The graph without the passes that compute anything anew: not a bit may change."""
    graph = load_model(model_bytes(which))
    run_passes(graph, (EliminateDeadNodes(), *LEGALIZE_PASSES, AnnotateUnits()))
    return graph


@cache
def unsplit(which: int, optimize: bool) -> dict[str, Array]:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimize else level.ORT_DISABLE_ALL
    session = ort.InferenceSession(model_bytes(which), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds(which)), strict=True))


@cache
def feeds(which: int) -> dict[str, Array]:
    specs = [TensorSpec(str(v.name), str(v.dtype.numpy().name), tuple(v.shape.numpy())) for v in loaded(which).inputs]  # type: ignore[union-attr]
    return random_feeds(specs, seed=which)


def random_model(seed: int) -> onnx.ModelProto:
    """A small graph over 4x4 floats: unary, binary, two-output and body-holding operators, fan-out everywhere."""
    rng = np.random.default_rng(seed)
    values, nodes = ["x", "y"], []
    for number in range(int(rng.integers(3, 14))):
        kind = rng.choice(["unary", "binary", "split", "if"], p=[0.35, 0.4, 0.15, 0.1])
        a, b = (values[int(i)] for i in rng.integers(0, len(values), 2))
        name = f"{kind}_{number}"
        if kind == "unary":
            nodes.append(helper.make_node(str(rng.choice(["Tanh", "Neg", "Softmax", "Transpose"])), [a], [name], name))
            values.append(name)
        elif kind == "binary":
            nodes.append(helper.make_node(str(rng.choice(["Add", "Mul", "MatMul", "Sub"])), [a, b], [name], name))
            values.append(name)
        elif kind == "split":
            halves = [f"{name}_a", f"{name}_b"]
            nodes.append(helper.make_node("Split", [a], halves, name, axis=0, num_outputs=2))
            nodes.append(helper.make_node("Concat", halves[::-1], [name], f"{name}_join", axis=0))
            values.append(name)
        else:
            nodes.extend(branching(name, a, b))
            values.append(name)
    outputs = dict.fromkeys([values[-1], *(str(v) for v in rng.choice(values[2:], 2))])
    tensor = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4, 4]) for name in ("x", "y")]
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4, 4]) for name in outputs]
    graph = helper.make_graph(nodes, f"random_{seed}", tensor, results)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def branching(name: str, a: str, b: str) -> list[onnx.NodeProto]:
    """An If whose branches capture two outer values."""
    result = helper.make_tensor_value_info(f"{name}_r", TensorProto.FLOAT, [4, 4])
    then = helper.make_graph([helper.make_node("Add", [a, b], [f"{name}_r"])], f"{name}_then", [], [result])
    other = helper.make_graph([helper.make_node("Neg", [b], [f"{name}_r"])], f"{name}_else", [], [result])
    return [
        helper.make_node("ReduceSum", [a], [f"{name}_s"], f"{name}_sum", keepdims=0),
        helper.make_node("Less", [f"{name}_s", f"{name}_s"], [f"{name}_c"], f"{name}_less"),
        helper.make_node("If", [f"{name}_c"], [name], name, then_branch=then, else_branch=other),
    ]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("examples", [150, pytest.param(500, marks=pytest.mark.slow)])
def test_a_random_cut_equals_the_whole(examples: int) -> None:
    search = settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    cuts = given(which=st.integers(0, len(SAMPLES) + RANDOM_MODELS - 1), optimize=st.booleans(), data=st.data())
    search(cuts(cut_and_compare))()


def cut_and_compare(which: int, optimize: bool, data: st.DataObject) -> None:
    graph = loaded(which)
    units = units_of(graph)
    devices = data.draw(st.lists(st.sampled_from(DEVICES), min_size=len(units), max_size=len(units)))
    place = [(unit[0].replace("[", "[[]"), device) for unit, device in zip(units, devices, strict=True)]
    compilation = compile_graph(graph, three_cpus(), CompileOptions(place=tuple(place)))
    with tempfile.TemporaryDirectory() as folder:
        plan = compilation.save(Path(folder) / "cut.plan")
        with Executor(plan, optimize=optimize, threads=1) as executor:
            results = executor.run(feeds(which))
            assert executor.events == []
    wanted = unsplit(which, optimize)
    assert set(results) == set(wanted)
    for name, array in wanted.items():
        if optimize:
            np.testing.assert_allclose(results[name], array, rtol=1e-5, atol=1e-5, err_msg=name)
        else:
            np.testing.assert_array_equal(results[name], array, err_msg=name)
