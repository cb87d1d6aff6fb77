"""The PyTorch backend against torch.compile of the same network, or without CUDA against ONNX Runtime on the CPU.

    python benchmarks/torch_backend.py [--runs 200]

The sample CNN and the sample transformer at batches of 1, 8 and 64. Both sides take turns within one process and
compute the same numbers, which is checked first; a line gives the ratio of the medians, the backend's first. On CUDA
the tensors lie on the device on both sides; the backend runs kernel by kernel and with its option `fuse`, and the
limit of 1.15 is for the latter.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import numpy_helper
from torch_networks import NETWORKS

from dovetail.gpu import open_session, why_missing

SAMPLES = Path(__file__).resolve().parents[1] / "sample_models"
BATCHES = (1, 8, 64)
LIMIT = 1.15
WARM_UPS = 10


def with_batch(name: str, batch: int, folder: Path) -> Path:
    """A sample model for another batch: the shapes of its Reshapes keep the first dimension instead of saying 1."""
    model = onnx.load(SAMPLES / f"{name}.onnx")
    shapes = {node.input[1] for node in model.graph.node if node.op_type == "Reshape"}
    for tensor in model.graph.initializer:
        if tensor.name in shapes:
            dims = numpy_helper.to_array(tensor).copy()
            dims[0] = 0
            tensor.CopyFrom(numpy_helper.from_array(dims, tensor.name))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = batch
    del model.graph.value_info[:]
    path = folder / f"{name}_{batch}.onnx"
    onnx.save(model, path)
    return path


def medians(first: Callable[[], Any], second: Callable[[], Any], runs: int) -> tuple[float, float]:
    """Seconds of one call of each, taking turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(WARM_UPS + runs):
        for call, kept in zip((first, second), times, strict=True):
            start = time.perf_counter()
            call()
            if turn >= WARM_UPS:
                kept.append(time.perf_counter() - start)
    return statistics.median(times[0]), statistics.median(times[1])


def compiled(name: str, path: Path, feed: Any) -> Callable[[], Sequence[Any]]:
    """The network as torch compiles it, called until the device is done."""
    network = torch.compile(NETWORKS[name](path).cuda().eval(), mode="reduce-overhead")

    def call() -> Sequence[Any]:
        with torch.inference_mode():
            results = [result.clone() for result in network(feed)]
        torch.cuda.synchronize()
        return results

    return call


def on_cpu(path: Path, feed: Any) -> Callable[[], Sequence[Any]]:
    """The model in ONNX Runtime, whose threads sleep between runs: spinning, they would slow down what takes turns."""
    options = ort.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feeds = {session.get_inputs()[0].name: feed.numpy()}
    return lambda: [torch.from_numpy(result) for result in session.run(None, feeds)]


def compare(name: str, batch: int, folder: Path, runs: int) -> bool:
    """Print the lines of a model and a batch; whether the limit holds."""
    path = with_batch(name, batch, folder)
    graph = onnx.load(path).graph
    shape = [dim.dim_value for dim in graph.input[0].type.tensor_type.shape.dim]
    feed = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32))
    if not torch.cuda.is_available():
        ratio = ratio_of(path, {}, feed, on_cpu(path, feed), runs)
        print(f"  --    {name:14} batch {batch:2}  {ratio:6.2f} times ONNX Runtime on the CPU, no limit", flush=True)
        return True
    feed = feed.cuda()
    other = compiled(name, path, feed)
    for options in ({}, {"fuse": "1"}):
        ratio = ratio_of(path, options, feed, other, runs)
        verdict = "  --  " if not options else "ok    " if ratio <= LIMIT else "FAILED"
        how = "kernel by kernel" if not options else f"fused, limit {LIMIT}"
        print(f"{verdict}  {name:14} batch {batch:2}  {ratio:6.2f} times torch.compile, {how}", flush=True)
    return ratio <= LIMIT


def ratio_of(path: Path, options: dict[str, str], feed: Any, other: Callable[[], Sequence[Any]], runs: int) -> float:
    """How many times as long a session takes, once both have been seen to compute the same."""
    graph = onnx.load(path).graph
    session = open_session(path, [graph.input[0].name], [value.name for value in graph.output], options)
    for found, wanted in zip(session.run([feed]), other(), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3)
    ours, theirs = medians(lambda: session.run([feed]), other, runs)
    return ours / theirs


def main() -> int:
    """Every model at every batch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    runs = parser.parse_args().runs
    if missing := why_missing():
        print(missing)
        return 1
    if not torch.cuda.is_available():
        print("no CUDA device: torch's CPU device against ONNX Runtime; torch.compile is not measured")
    with tempfile.TemporaryDirectory() as folder:
        held = [compare(name, batch, Path(folder), runs) for name in NETWORKS for batch in BATCHES]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
