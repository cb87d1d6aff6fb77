"""How long compiling a large model takes, phase by phase, and how much memory.

    python benchmarks/compile_time.py [--sizes 10000 100000] [-t TARGET] [--limit 180]

For each size a residual CNN is built: Conv, Relu and Add in a chain, all with one weight, and an Erf, which few NPUs
take, in every third block: 10 % of all operators, each between two partitions. It is compiled end to end in a
process of its own, as the command line does it. Beside it stands what ONNX Runtime takes to make a session of the same
file on the CPU, with its own optimizations and without, each in a process that is stopped after the limit.

The process that starts the others imports next to nothing: a child's peak memory is at least what its parent held.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")
Rows = list[tuple[str, float]]

ERF_EVERY = 3
"""Blocks from one Erf to the next."""


def build(nodes: int, path: Path) -> None:
    """Write a model of at least so many nodes."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = (0.05 * np.sin(np.arange(64 * 64 * 3 * 3))).astype(np.float32).reshape(64, 64, 3, 3)
    made: list[onnx.NodeProto] = []
    source = "x"
    block = 0
    while len(made) < nodes:
        made.append(helper.make_node("Conv", [source, "w"], [f"c{block}"], f"conv{block}", pads=[1, 1, 1, 1]))
        made.append(helper.make_node("Relu", [f"c{block}"], [f"r{block}"], f"relu{block}"))
        last = f"r{block}"
        if block % ERF_EVERY == 1:
            made.append(helper.make_node("Erf", [last], [f"e{block}"], f"erf{block}"))
            last = f"e{block}"
        made.append(helper.make_node("Add", [last, source], [f"a{block}"], f"add{block}"))
        source = f"a{block}"
        block += 1
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 64, 56, 56]) for name in ("x", source)]
    graph = helper.make_graph(made, "residual", ends[:1], ends[1:], [numpy_helper.from_array(weight, "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def compile_phases(model: Path, target_name: str, plan_folder: Path) -> Rows:
    """Compile a model by the driver's own steps. Returns what each took, in seconds."""
    from dovetail.compiler.costing import Costing
    from dovetail.compiler.driver import Compilation, make_pieces, tag
    from dovetail.compiler.options import CompileOptions
    from dovetail.compiler.placing import make_problem
    from dovetail.compiler.planning import make_plan
    from dovetail.compiler.unit_facts import units_of
    from dovetail.ir import load_model
    from dovetail.partition import arrange, place
    from dovetail.passes import run_passes, run_to_fixpoint
    from dovetail.passes.canonical import CANONICAL_PASSES
    from dovetail.passes.legalize import LEGALIZE_PASSES
    from dovetail.report import render_verdict, summarize
    from dovetail.targets import load_target

    rows: Rows = []

    def timed(name: str, step: Callable[[], Result]) -> Result:
        start = time.perf_counter()
        result = step()
        rows.append((name, time.perf_counter() - start))
        return result

    options = CompileOptions()
    target = timed("read the target", lambda: load_target(target_name))
    graph = timed("load the model", lambda: load_model(model))
    timed("canonical form", lambda: run_to_fixpoint(graph, CANONICAL_PASSES))
    timed("legal form", lambda: run_passes(graph, LEGALIZE_PASSES))
    timed("units and verdicts", lambda: tag(graph, target))
    costing = timed("costs", lambda: Costing(graph, target, units_of(graph)))
    problem = timed("placement problem", lambda: make_problem(graph, target, (), costing))
    placed = timed("place", lambda: place(problem, options.placing))
    arrangement = timed("partition and verify", lambda: arrange(problem, placed, options.placing))
    pieces = timed("pieces", lambda: make_pieces(graph, target, arrangement.partitions))
    plan = timed("plan", lambda: make_plan(graph, target, problem, placed, arrangement, pieces, costing, options))
    timed("write", lambda: Compilation(plan, target, graph, pieces).save(plan_folder))
    timed("report", lambda: render_verdict(summarize(plan)))
    rows.append((f"{len(graph)} operators in {len(pieces)} partitions", 0.0))
    return rows


def make_session(model: Path, optimized: bool) -> Rows:
    """Let ONNX Runtime load a model for the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    start = time.perf_counter()
    onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return [("session", time.perf_counter() - start)]


def child(task: str, model: Path, detail: str) -> None:
    """One task in this process: prints its rows and the peak memory in MB as JSON."""
    import atexit
    import gc
    import resource

    from dovetail.cli.main import COLLECT_AFTER

    gc.set_threshold(COLLECT_AFTER)  # both as the command line does it
    atexit.register(gc.freeze)
    rows: Rows = []
    if task == "build":
        build(int(detail), model)
    elif task == "compile":
        rows = compile_phases(model, detail, model.with_suffix(".plan"))
    else:
        rows = make_session(model, detail == "optimized")
    unit = 1 if sys.platform == "darwin" else 1024
    print(json.dumps([rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6]))


def ask(task: str, model: Path, detail: str, limit: float | None = None) -> tuple[Rows, float, float] | None:
    """The rows of a task in a process of its own, its peak memory in MB, its seconds; None beyond the limit."""
    command = [sys.executable, __file__, "--child", task, str(model), detail]
    start = time.perf_counter()
    try:
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=limit)
    except subprocess.TimeoutExpired:
        return None
    seconds = time.perf_counter() - start
    rows, memory = json.loads(done.stdout)
    return rows, memory, seconds


def measure(nodes: int, target: str, limit: float, folder: Path) -> None:
    """Print the table of one size."""
    model = folder / f"residual-{nodes}.onnx"
    ask("build", model, str(nodes))
    answer = ask("compile", model, target)
    assert answer is not None
    (*rows, (title, _)), memory, seconds = answer
    print(f"\n{title}, {target}, a file of {model.stat().st_size / 1e6:.1f} MB")
    rows.append(("start, imports and end", seconds - sum(took for _, took in rows)))
    for name, took in rows:
        print(f"  {name:24} {took:8.2f} s")
    print(f"  {'end to end':24} {seconds:8.2f} s   peak memory {memory:.0f} MB")
    for detail in ("optimized", "as it is"):
        session = ask("session", model, detail, limit)
        took = (
            f"> {limit:6.0f} s" if session is None else f"{session[0][0][1]:8.2f} s   peak memory {session[1]:.0f} MB"
        )
        print(f"  {f'onnxruntime, {detail}':24} {took}")


def main() -> None:
    """Build, measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", nargs="+", type=int, default=[10_000, 100_000], help="nodes of the models")
    parser.add_argument("-t", "--target", default="qualcomm-hexagon-htp")
    parser.add_argument("--limit", type=float, default=180.0, help="seconds that ONNX Runtime gets for a session")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dovetail-compile-time-") as folder:
        for nodes in options.sizes:
            measure(nodes, options.target, options.limit, Path(folder))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], Path(sys.argv[3]), sys.argv[4])
    else:
        main()
