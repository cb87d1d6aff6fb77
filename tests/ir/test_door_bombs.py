"""Small files that make other tools hang, crash or fill the memory: here each ends within 5 s and 1 GiB.

They are loaded in another process, so that a failure can't take the tests down.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs the memory figures of Linux")

SECONDS = 5
MEMORY = 2**30
"""Bytes that may be in use beyond those after the imports."""
CHILD = """
import json, os, resource, sys, time
from dovetail.ir import load_model
from dovetail.plan.errors import ModelError

os.chdir(sys.argv[1])
# a stop well above the limit that is tested, so that a failure can't swallow the machine
resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30,) * 2)

def peak():
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1024 * (own.ru_maxrss + children.ru_maxrss)

before = peak()
for name in sys.argv[2:]:
    start = time.perf_counter()
    try:
        load_model(name)
        outcome = "loaded"
    except ModelError as problem:
        outcome = str(problem)
    print(json.dumps([name, outcome, time.perf_counter() - start, peak() - before]), flush=True)
"""
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def info(name: str, dtype: int = FLOAT, dims: list[int] | None = None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, dims)


def model_of(nodes: list[NodeProto], inputs: list[onnx.ValueInfoProto], **constants: npt.ArrayLike) -> ModelProto:
    weights = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "g", inputs, [onnx.ValueInfoProto(name="y")], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def shaped(op_type: str, length: int, hops: int = 0) -> ModelProto:
    """A shape vector that is declared far too long, behind `hops` other nodes."""
    steps = [helper.make_node("Identity", [f"s{i}"], [f"s{i + 1}"]) for i in range(hops)]
    node = helper.make_node(op_type, ["x", f"s{hops}"], ["y"])
    return model_of([*steps, node], [info("x", dims=[1]), info("s0", INT64, [length])])


def concat_doublings(count: int) -> ModelProto:
    steps = [helper.make_node("Concat", [f"v{i}"] * 2, [f"v{i + 1}"], axis=0) for i in range(count)]
    last = helper.make_node("Identity", [f"v{count}"], ["y"])
    return model_of([*steps, last], [], v0=np.ones(1, np.float32))


def nested_ifs(depth: int) -> ModelProto:
    node = helper.make_node("Relu", ["x"], ["r"])
    for level in range(depth):
        body = helper.make_graph([node], f"b{level}", [], [info("r")])
        other = helper.make_graph([helper.make_node("Neg", ["x"], ["r"])], f"e{level}", [], [info("r")])
        node = helper.make_node("If", ["c"], ["r"], then_branch=body, else_branch=other)
    node.output[0] = "y"
    return model_of([node], [info("x", dims=[1]), info("c", TensorProto.BOOL, [])])


def function_calls(length: int, calls: int) -> ModelProto:
    """Each function calls the next `calls` times."""
    imports = [helper.make_opsetid("", 18), helper.make_opsetid("local", 1)]
    functions = []
    for i in range(length):
        op_type, domain = ("Relu", "") if i == length - 1 else (f"F{i + 1}", "local")
        nodes = [helper.make_node(op_type, [f"v{k}"], [f"v{k + 1}"], domain=domain) for k in range(calls)]
        functions.append(helper.make_function("local", f"F{i}", ["v0"], [f"v{calls}"], nodes, imports))
    graph = helper.make_graph([helper.make_node("F0", ["x"], ["y"], domain="local")], "g", [info("x")], [info("y")])
    return helper.make_model(graph, functions=functions, opset_imports=imports, ir_version=10)


def external(dims: list[int]) -> ModelProto:
    model = model_of([helper.make_node("Identity", ["w"], ["y"])], [])
    tensor = model.graph.initializer.add(name="w", data_type=FLOAT, dims=dims, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="pipe" if len(dims) == 1 else "small.bin")
    return model


def one(op_type: str, *inputs: npt.ArrayLike, **attributes: Any) -> ModelProto:
    """One node whose inputs are all constants."""
    constants = {f"i{index}": value for index, value in enumerate(inputs)}
    return model_of([helper.make_node(op_type, list(constants), ["y"], name="n", **attributes)], [], **constants)


def int64(*values: int) -> npt.NDArray[np.int64]:
    return np.array(values, np.int64)


SCALAR = np.float32(1)
SCALES = np.array([1, 1, 1e4, 1e4], np.float32)
REFUSED: dict[str, tuple[ModelProto, str]] = {
    "function_doubling_20": (function_calls(21, 2), "after its functions are inlined"),
    "function_doubling_60": (function_calls(61, 2), "after its functions are inlined"),
    "function_chain_5000": (function_calls(5000, 1), "100 functions deep"),
    "reshape_rank_2_40": (shaped("Reshape", 2**40), "1099511627776"),
    "reshape_rank_10_9": (shaped("Reshape", 10**9), "at most 64 entries"),
    "expand_rank_2_40": (shaped("Expand", 2**40), "1099511627776"),
    "expand_rank_10_9": (shaped("Expand", 10**9), "at most 64 entries"),
    "expand_rank_behind_identity": (shaped("Expand", 10**9, hops=2), "at most 64 entries"),
    "concat_doublings_40": (concat_doublings(40), "constants must not grow"),
    "split_10_9": (one("Split", np.ones(4, np.float32), num_outputs=10**9), "at most 65536"),
    "intmin_by_minus_1": (one("Div", int64(-(2**63)), int64(-1)), "-9223372036854775808 / -1"),
    "integer_by_0": (one("Div", int64(1), int64(0)), "must not be 0"),
    "conv_weight_rank": (one("Conv", np.ones((1, 1, 4)), np.ones((1,) * 12)), "rank of its input, 3, got 12"),
    "external_10_gb": (external([50_000, 50_000]), "ends at byte 10000000000"),
    "external_pipe": (external([3]), "pipe"),
}
BOUNDED: dict[str, ModelProto] = {
    "constant_of_shape": one("ConstantOfShape", int64(10**6, 10**6)),
    "expand": one("Expand", SCALAR, int64(10**5, 10**5)),
    "tile": one("Tile", np.ones(1, np.float32), int64(2**30)),
    "range": one("Range", np.int64(0), np.int64(2**40), np.int64(1)),
    "pad": one("Pad", np.ones(1, np.float32), int64(0, 2**30)),
    "one_hot": one("OneHot", int64(1), np.int64(2**30), np.zeros(2, np.float32)),
    "resize": one("Resize", np.ones((1, 1, 4, 4), np.float32), np.ones(0, np.float32), SCALES),
    "nested_ifs": nested_ifs(30),
}
"""Loaded or refused, as long as it is bounded."""
Outcomes = dict[str, tuple[str, float, int]]
"""What became of each file, after how many seconds, with how many bytes in use."""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    folder = tmp_path_factory.mktemp("bombs")
    models = {name: model for name, (model, _) in REFUSED.items()} | BOUNDED
    for name, model in models.items():
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
    os.mkfifo(folder / "pipe")
    os.mkfifo(folder / "pipe.onnx")
    (folder / "small.bin").write_bytes(b"\0" * 24)
    names = [f"{name}.onnx" for name in [*models, "pipe"]]
    limit = SECONDS * len(names)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), *names], capture_output=True, text=True, timeout=limit, check=False
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == len(names), f"stopped at {names[len(lines)]}: {done.stderr}"
    return {Path(name).stem: (outcome, seconds, used) for name, outcome, seconds, used in lines}


@pytest.mark.parametrize("name", [*REFUSED, "pipe"])
def test_refused_by_name(outcomes: Outcomes, name: str) -> None:
    outcome, seconds, used = outcomes[name]
    assert (REFUSED[name][1] if name in REFUSED else "pipe") in outcome
    assert "\n" not in outcome
    assert seconds < SECONDS
    assert used < MEMORY


@pytest.mark.parametrize("name", BOUNDED)
def test_bounded(outcomes: Outcomes, name: str) -> None:
    outcome, seconds, used = outcomes[name]
    assert outcome == "loaded" or outcome.startswith(("node", "model"))
    assert seconds < SECONDS
    assert used < MEMORY
