"""What is measured in a process of its own: memory, shared pools of threads, endurance.

    python benchmarks/runtime_child.py TASK ARGUMENT...

The last line printed is the result as JSON. Not for people: `benchmarks/runtime.py` starts it.
"""

import gc
import json
import os
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime as ort

from dovetail.runtime import Executor, share_thread_pool


def resident() -> int:
    """Bytes of this process in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def one_thread() -> ort.SessionOptions:
    """Options of the unsplit session."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return options


def activations(way: str, path: str, *shape: str) -> dict[str, float]:
    """How much memory the first runs add, with all sessions made."""
    feeds = {"t0": np.ones([int(dim) for dim in shape], np.float32)}
    run = runner(way, path, feeds)
    before = resident()
    for _ in range(5):
        run()
    return {"bytes": resident() - before}


def weights(way: str, path: str, *shape: str) -> dict[str, float]:
    """The memory of a process that has loaded a model and run it; waits for a line before it ends."""
    feeds = {"t0": np.ones([int(dim) for dim in shape], np.float32)}
    run = runner(way, path, feeds)
    run()
    print("ready", flush=True)
    sys.stdin.readline()
    return {"resident": resident()}


def runner(way: str, path: str, feeds: dict[str, np.ndarray]) -> Callable[[], object]:
    """A call that runs the model once."""
    if way == "unsplit":
        return partial(ort.InferenceSession(path, one_thread()).run, None, feeds)
    executor = Executor(path, threads=1, verify=False, share_weights=way == "shared")
    return partial(executor.run, feeds)


def two_threads(way: str, model: str, plan: str, rounds: str, *shape: str) -> dict[str, float]:
    """One session with two threads of its own, against a plan: on a pool of two, or as onnxruntime's defaults are."""
    from runtime_models import ratio  # it imports the compiler, which the figures of memory must not have

    feeds = {"t0": np.ones([int(dim) for dim in shape], np.float32)}
    options = ort.SessionOptions()
    options.intra_op_num_threads = 2
    whole = ort.InferenceSession(model, options)  # made before the pool: later ones must use that
    if way == "defaults":
        sessions = [ort.InferenceSession(str(each), options) for each in partitions(plan)]
        split = partial(through, sessions, feeds["t0"])
    else:
        share_thread_pool(2)
        executor = Executor(plan)
        split = partial(executor.run, feeds)
    unsplit, ours = ratio([partial(whole.run, None, feeds), split], int(rounds), block=5, pause_s=0.05)
    return {"unsplit": unsplit, "split": ours}


def partitions(plan: str) -> list[Path]:
    """The models of a plan, in the order in which they run."""
    return sorted(Path(plan, "partitions").glob("*.onnx"))


def through(sessions: list[ort.InferenceSession], value: np.ndarray) -> np.ndarray:
    """One session after the other."""
    for session in sessions:
        (value,) = session.run(None, {session.get_inputs()[0].name: value})
    return value


def endurance(plan: str, runs: str, threads: str, *shape: str) -> dict[str, float]:
    """Runs on one executor: results that were wrong, and how much memory grew after the first tenth."""
    size = [int(dim) for dim in shape]
    inputs = [np.random.default_rng(seed).standard_normal(size).astype(np.float32) for seed in range(16)]
    wrong = [0] * int(threads)
    with Executor(plan, threads=1) as executor:
        right = [next(iter(executor.run({"t0": each}).values())) for each in inputs]

        def work(thread: int, count: int) -> None:
            for number in range(thread, thread + count):
                (result,) = executor.run({"t0": inputs[number % 16]}).values()
                wrong[thread] += not np.array_equal(result, right[number % 16])

        def all_threads(count: int) -> None:
            started = [threading.Thread(target=work, args=(index, count)) for index in range(int(threads))]
            for each in started:
                each.start()
            for each in started:
                each.join()

        all_threads(int(runs) // 10)
        before = resident()
        all_threads(int(runs))
        return {"wrong": sum(wrong), "grown": resident() - before}


TASKS = {each.__name__: each for each in (activations, weights, two_threads, endurance)}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](*sys.argv[2:])))
