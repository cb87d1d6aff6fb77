"""Small models whose constants ask for terabytes or for years: each is through the passes in 5 s and 1 GiB.

They run in another process, so that a failure can't take the tests down.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs the memory figures of Linux")

SECONDS = 5
MEMORY = 2**30
"""Bytes that may ever be in use beyond those before the first model."""
CHILD = """
import json, resource, sys, time
from dovetail.ir import load_model
from dovetail.passes import run_to_fixpoint
from dovetail.passes.canonical import CANONICAL_PASSES
from dovetail.plan.errors import DovetailError

# a stop well above the limit that is tested, so that a failure can't swallow the machine
resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30,) * 2)

def peak():
    with open("/proc/self/status") as status:
        return 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

before = peak()
for path in sys.argv[1:]:
    start = time.perf_counter()
    try:
        graph = load_model(path)
        run_to_fixpoint(graph, CANONICAL_PASSES)
        outcome = " ".join(node.op_type for node in graph.nodes())
    except DovetailError as problem:
        outcome = f"error: {problem}"
    print(json.dumps([path, outcome, time.perf_counter() - start, peak() - before]), flush=True)
"""


def constants_only(nodes: list[NodeProto], **constants: npt.ArrayLike) -> ModelProto:
    weights = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "g", [], [ValueInfoProto(name="y")], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def one(op_type: str, *inputs: npt.ArrayLike | None, **attributes: Any) -> ModelProto:
    """One node whose inputs are all constants; None leaves one out."""
    names = ["" if value is None else f"i{index}" for index, value in enumerate(inputs)]
    given = {name: value for name, value in zip(names, inputs, strict=True) if value is not None}
    return constants_only([helper.make_node(op_type, names, ["y"], name="n", **attributes)], **given)


def chain(op_type: str, count: int, *others: str, twice: bool = False, **constants: npt.ArrayLike) -> ModelProto:
    """`count` nodes of which each reads the one before."""
    steps = [
        helper.make_node(op_type, [f"v{i}", *([f"v{i}"] if twice else []), *others], [f"v{i + 1}"])
        for i in range(count)
    ]
    return constants_only([*steps, helper.make_node("Identity", [f"v{count}"], ["y"])], **constants)


def loop(trips: int) -> ModelProto:
    nodes = [helper.make_node("Identity", ["c"], ["c2"]), helper.make_node("Add", ["a", "one"], ["a2"])]
    typed = helper.make_tensor_value_info
    inputs = [typed("i", TensorProto.INT64, []), typed("c", TensorProto.BOOL, []), typed("a", TensorProto.FLOAT, [])]
    outputs = [typed("c2", TensorProto.BOOL, []), typed("a2", TensorProto.FLOAT, [])]
    body = helper.make_graph(nodes, "body", inputs, outputs)
    node = helper.make_node("Loop", ["m", "t", "zero"], ["y"], body=body)
    return constants_only([node], m=np.int64(trips), t=np.True_, zero=np.float32(0), one=np.float32(1))


def branch_with_a_bomb() -> ModelProto:
    bomb, cast = helper.make_node("ConstantOfShape", ["s"], ["o"]), helper.make_node("Cast", ["s"], ["e"], to=1)
    then = helper.make_graph([bomb], "t", [], [ValueInfoProto(name="o")])
    other = helper.make_graph([cast], "e", [], [ValueInfoProto(name="e")])
    node = helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other)
    return constants_only([node], s=ints(10**12), c=np.True_)


def many(op_type: str, count: int, size: int, **attributes: Any) -> ModelProto:
    """A node that reads the same tensor many times."""
    return constants_only([helper.make_node(op_type, ["a"] * count, ["y"], **attributes)], a=ones(size))


def ints(*values: int) -> npt.NDArray[np.int64]:
    return np.array(values, np.int64)


def ones(*shape: int) -> npt.NDArray[np.float32]:
    return np.ones(shape, np.float32)


def int64(value: int) -> np.int64:
    return np.int64(value)


COLUMN, ROW = (1 << 15, 1), (1, 1 << 15)
BOMBS: dict[str, ModelProto] = {
    "constant_of_shape": one("ConstantOfShape", ints(10**12)),
    "shape_of_a_bomb": constants_only(
        [
            helper.make_node("ConstantOfShape", ["s"], ["a"]),
            helper.make_node("Shape", ["a"], ["b"]),
            helper.make_node("ConstantOfShape", ["b"], ["y"]),
        ],
        s=ints(10**6, 10**6),
    ),
    "expand": one("Expand", ones(1), ints(10**5, 10**5)),
    "tile": one("Tile", ones(1), ints(10**10)),
    "range": one("Range", int64(0), int64(10**10), int64(1)),
    "range_of_floats": one("Range", np.float32(0), np.float32(1e30), np.float32(1e-30)),
    "range_to_nan": one("Range", np.float32(0), np.float32("nan"), np.float32(1)),
    "range_by_0": one("Range", int64(0), int64(5), int64(0)),
    "one_hot": one("OneHot", ints(1), int64(10**10), ones(2)),
    "pad": one("Pad", ones(1), ints(0, 10**10)),
    "resize_scales": one("Resize", ones(1, 1, 4, 4), None, np.array([1, 1, 1e5, 1e5], np.float32)),
    "resize_to_infinity": one("Resize", ones(1, 1, 4, 4), None, np.array([1, 1, np.inf, 1], np.float32)),
    "resize_sizes": one("Resize", ones(1, 1, 4, 4), None, None, ints(1, 1, 10**5, 10**5)),
    "affine_grid": one("AffineGrid", ones(1, 2, 3), ints(1, 1, 10**5, 10**5)),
    "window": one("HannWindow", int64(10**11)),
    "smaller_window": one("HannWindow", int64(200 << 20)),
    "quantize_blocks": one("QuantizeLinear", ones(2, 2), ones(2, 1), block_size=1 << 40),
    "center_crop_pad": one("CenterCropPad", ones(2, 2), ints(10**5, 10**5)),
    "concat_of_many": many("Concat", 4000, 1 << 16, axis=0),
    "sum_of_many": many("Sum", 4000, 1 << 16),
    "tile_chain": chain("Tile", 30, "r", v0=ones(1024), r=ints(4)),
    "growth_chain": chain("Add", 200, "one", v0=ones(1 << 20), one=ones(1)),
    "long_chain": chain("Add", 1000, "one", v0=ones(1), one=ones(1)),
    "string_doublings": chain("StringConcat", 40, twice=True, v0=np.array(["ab" * 8], dtype=object)),
    "split_to_sequence": constants_only(
        [
            helper.make_node("ConstantOfShape", ["s"], ["d"]),
            helper.make_node("SplitToSequence", ["d", "one"], ["q"], axis=0),
            helper.make_node("SequenceLength", ["q"], ["y"]),
        ],
        s=ints(8 << 20),
        one=int64(1),
    ),
    "loop": loop(2**62),
    "branch": branch_with_a_bomb(),
    "einsum": one("Einsum", *[ones(100)] * 5, equation="a,b,c,d,e->abcde"),
    "einsum_of_ten": one("Einsum", *[ones(10)] * 10, equation="a,b,c,d,e,f,g,h,i,j->abcdefghij"),
    "matmul": one("MatMul", ones(1 << 16, 1), ones(1, 1 << 16)),
    "matmul_of_squares": one("MatMul", ones(2048, 2048), ones(2048, 2048)),
    "matmul_of_integers": one("MatMulInteger", np.ones((1 << 14, 1), np.uint8), np.ones((1, 1 << 14), np.uint8)),
    "gather_nd_rows": one("GatherND", ones(1, 1 << 14), np.zeros((1 << 14, 1), np.int64)),
    "random": one("Multinomial", ones(1, 2), sample_size=1 << 30),
    "gather": one("Gather", ones(1, 1 << 20), np.zeros(1 << 20, np.int64)),
    "gather_nd": one("GatherND", ones(1, 1 << 22), np.zeros((1 << 12, 1), np.int64)),
    "broadcast": one("Add", ones(*COLUMN), ones(*ROW)),
    "broadcast_slope": one("PRelu", ones(*COLUMN), ones(*ROW)),
    "broadcast_bits": one("BitwiseXor", np.ones(COLUMN, np.int64), np.ones(ROW, np.int64)),
    "max_pool": one("MaxPool", ones(1, 1, 512, 512), kernel_shape=[255, 255]),
    "average_pool": one("AveragePool", ones(1, 1, 512, 512), kernel_shape=[255, 255]),
    "max_unpool": one("MaxUnpool", ones(1, 1, 2, 2), np.zeros((1, 1, 2, 2), np.int64), ints(1, 1, 10**5, 10**5),
                      kernel_shape=[2, 2]),
    "conv_transpose": one("ConvTranspose", ones(1, 1, 2, 2), ones(1, 1, 2, 2), strides=[50000, 50000]),
    "conv_pads": one("Conv", ones(1, 1, 2, 2), ones(1, 1, 2, 2), pads=[50000] * 4),
    "dft": one("DFT", ones(1, 64, 1), int64(10**9), int64(1)),
    "col_to_im": one("Col2Im", ones(1, 5, 5), ints(10**5, 10**5), ints(1, 5)),
    "roi_align": one("RoiAlign", ones(1, 1, 2, 2), ones(1, 4), ints(0), output_height=50000, output_width=50000),
    "non_max_suppression": one("NonMaxSuppression", ones(1, 3000, 4), ones(1, 1, 3000), ints(3000)),
    "lstm": one("LSTM", ones(1000, 1, 1), ones(1, 4, 1), ones(1, 4, 1)),
    "grid_sample": one("GridSample", ones(1, 1, 2, 2), ones(1, 1 << 10, 1 << 10, 2)),
    "cast_to_strings": one("Cast", ones(1 << 20), to=TensorProto.STRING),
    "integer_overflow": constants_only(
        [helper.make_node("Neg", ["b"], ["c"]), helper.make_node("Div", ["a", "c"], ["y"])], a=ints(-(2**63)), b=ints(1)
    ),
    "integer_division_by_0": constants_only(
        [helper.make_node("Sub", ["b", "b"], ["c"]), helper.make_node("Div", ["a", "c"], ["y"])], a=ints(5), b=ints(1)
    ),
    "remainder_by_0": constants_only(
        [helper.make_node("Sub", ["b", "b"], ["c"]), helper.make_node("Mod", ["a", "c"], ["y"])], a=ints(5), b=ints(1)
    ),
}  # fmt: skip
FOLDS = {"branch", "long_chain", "integer_overflow", "integer_division_by_0", "remainder_by_0"}
"""These are harmless, however they end. All others must still hold the operator that was not run."""
Outcomes = dict[str, tuple[str, float, int]]
"""What became of each model, after how many seconds, with how many bytes ever in use."""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    folder = tmp_path_factory.mktemp("bombs")
    paths = [folder / f"{name}.onnx" for name in BOMBS]
    for path, model in zip(paths, BOMBS.values(), strict=True):
        path.write_bytes(model.SerializeToString())
    command = [sys.executable, "-c", CHILD, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS * len(paths), check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == len(paths), f"stopped at {paths[len(lines)].stem}: {done.stderr}"
    assert done.stderr == ""
    return {Path(name).stem: (outcome, seconds, used) for name, outcome, seconds, used in lines}


@pytest.mark.parametrize("name", BOMBS)
def test_bounded(outcomes: Outcomes, name: str) -> None:
    outcome, seconds, used = outcomes[name]
    assert "\n" not in outcome
    assert seconds < SECONDS
    assert used < MEMORY
    if name not in FOLDS and not outcome.startswith("error: "):
        assert set(outcome.split()) & {node.op_type for node in BOMBS[name].graph.node}


def test_the_branch_stays_a_bomb(outcomes: Outcomes) -> None:
    assert outcomes["branch"][0] == "ConstantOfShape"


def test_a_long_chain_still_folds(outcomes: Outcomes) -> None:
    assert outcomes["long_chain"][0] == "Identity"
