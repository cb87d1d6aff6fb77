"""The runtime against the unsplit model: time, memory, overlap of devices, endurance, faults.

    python benchmarks/runtime.py [--quick] [--only TEXT]

Every line is one thing that is held: the figure, its limit, ok or FAILED. Times are medians of many runs, the two
things compared taking turns, as ratios; each figure of memory comes from a fresh process. Linux only.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from runtime_child import one_thread, partitions, through
from runtime_models import SLEEPER, conv_net, cut, feeds_of, mlp, ratio, two_devices

from dovetail.plan import read_plan
from dovetail.runtime import Executor, OpenRequest, Value, register_backend, to_array

ROOT = Path(__file__).resolve().parents[1]
CHILD = Path(__file__).with_name("runtime_child.py")
CUTS = {1: 1.01, 5: 1.02, 10: 1.02, 25: 1.05, 50: 1.10}
"""Partitions -> limit of the ratio."""
MIB = 2**20
WIDE, WIDE_LAYERS = 2048, 25
"""Matrices of the large model: 400 MiB of weights."""
FAULTS = ("tests/runtime/test_faults.py", "tests/runtime/test_faults_files.py", "tests/plan/test_integrity.py")


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is held."""

    name: str
    figure: float
    limit: float
    unit: str = "times"
    more: str = ""

    @property
    def holds(self) -> bool:
        """Whether the figure is within the limit."""
        return self.figure <= self.limit

    def __str__(self) -> str:
        verdict = "ok" if self.holds else "FAILED"
        more = f"  ({self.more})" if self.more else ""
        return f"{verdict:6}  {self.name:66} {self.figure:9.3f} <= {self.limit:g} {self.unit}{more}"


def child(task: str, *arguments: object) -> dict[str, float]:
    """The result of a task in a process of its own."""
    command = [sys.executable, str(CHILD), task, *map(str, arguments)]
    done = subprocess.run(command, input="\n", capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def overhead(folder: Path, quick: bool) -> Iterator[Line]:
    """The convolutions in more and more partitions, one thread; and the same sessions called by hand."""
    model, feeds = conv_net(32, 28), feeds_of((1, 32, 28, 28))
    session = ort.InferenceSession(model.SerializeToString(), one_thread())
    for count, limit in CUTS.items():
        plan = cut(model, count, folder)
        sessions = [ort.InferenceSession(str(each), one_thread()) for each in partitions(str(plan))]
        with Executor(plan, threads=1) as executor:
            ways = [
                partial(session.run, None, feeds),
                partial(executor.run, feeds),
                partial(through, sessions, feeds["t0"]),
            ]
            whole, ours, by_hand = ratio(ways, 8 if quick else 50, block=10)
        more = f"{whole * 1e3:.2f} ms; sessions called by hand {by_hand / whole:.3f}"
        yield Line(f"conv50 32x28x28, {count} partitions, 1 thread", ours / whole, limit, more=more)


def small_overhead(folder: Path, quick: bool) -> Iterator[Line]:
    """What each partition adds to a model that takes next to no time."""
    model, feeds = mlp(), feeds_of((1, 64))
    session = ort.InferenceSession(model.SerializeToString(), one_thread())
    with Executor(cut(model, 1, folder), threads=1) as uncut:
        for count in (2, 5, 10, 25, 50):
            with Executor(cut(model, count, folder), threads=1) as executor:
                ways = [partial(session.run, None, feeds), partial(uncut.run, feeds), partial(executor.run, feeds)]
                whole, one, ours = ratio(ways, 20 if quick else 100, block=200)
            more = f"us: session {whole * 1e6:.1f}, plan of 1 partition {one * 1e6:.1f}, of {count} {ours * 1e6:.1f}"
            extra = (ours - one) / (count - 1) * 1e6
            yield Line(f"MLP 50x64, {count} partitions, each extra one", extra, 2.0, "us", more)


def threads(folder: Path, quick: bool) -> Iterator[Line]:
    """Two threads, against one session with two of its own."""
    model = conv_net(32, 28)
    path = folder / "whole.onnx"
    onnx.save(model, path)
    plan = cut(model, 25, folder)
    ours, theirs = (
        child("two_threads", way, path, plan, 10 if quick else 60, 1, 32, 28, 28) for way in ("shared", "defaults")
    )
    more = f"{ours['unsplit'] * 1e3:.2f} ms; onnxruntime's defaults {theirs['split'] / theirs['unsplit']:.1f} times"
    yield Line("conv50 32x28x28, 25 partitions, 2 threads", ours["split"] / ours["unsplit"], 1.35, more=more)


def activation_memory(folder: Path, quick: bool) -> Iterator[Line]:
    """Memory of the tensors in between."""
    model = conv_net(16, 224)
    path = folder / "whole.onnx"
    onnx.save(model, path)
    whole = child("activations", "unsplit", path, 1, 16, 224, 224)["bytes"]
    ours = child("activations", "split", cut(model, 25, folder), 1, 16, 224, 224)["bytes"]
    more = f"{ours / MIB:.1f} of {whole / MIB:.1f} MiB"
    yield Line("conv50 16x224x224, 25 partitions, activation memory", ours / whole, 1.1, more=more)


def weight_memory(folder: Path, quick: bool) -> Iterator[Line]:
    """Memory of a model of 400 MiB, alone and in four processes."""
    path = folder / "whole.onnx"
    onnx.save(mlp(WIDE, WIDE_LAYERS), path, save_as_external_data=True, location="whole.bin")
    plan = cut(path, 10, folder, WIDE_LAYERS)
    sizes = {way: child("weights", way, place, 1, WIDE) for way, place in (("unsplit", path), ("split", plan))}
    whole, ours = (sizes[way]["resident"] for way in ("unsplit", "split"))
    more = f"{ours / MIB:.0f} of {whole / MIB:.0f} MiB"
    yield Line("MatMul model of 400 MiB, 10 partitions, resident memory", ours / whole, 1.1, more=more)
    inner = folder / "tiny"
    inner.mkdir()
    tiny = cut(mlp(WIDE, 1), 1, inner, 1)
    for way, limit in (("split", 4.4), ("shared", 1.1)):
        total = (four_processes(way, plan) - four_processes(way, tiny)) / (WIDE * WIDE * 4 * WIDE_LAYERS)
        name = "packed, a copy each" if way == "split" else "share_weights=True"
        yield Line(f"the same in 4 processes, {name}", total, limit, "times its weights, proportional set size")
    for batch, limit in ((1, 1.3), (16, 3.0)):
        yield from price_of_sharing(folder, batch, limit, 10 if quick else 40)


def four_processes(way: str, plan: Path) -> float:
    """Proportional bytes of four processes that have run a plan, together."""
    command = [sys.executable, str(CHILD), "weights", way, str(plan), "1", str(WIDE)]
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for each in running:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    total = sum(proportional_of(each.pid) for each in running)
    for each in running:
        each.communicate("\n")
    return total


def proportional_of(process: int) -> int:
    """Bytes of a process, pages that several share divided among them."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def price_of_sharing(folder: Path, batch: int, limit: float, rounds: int) -> Iterator[Line]:
    """What a run takes longer with shared weights."""
    inner = folder / str(batch)
    inner.mkdir()
    plan = cut(mlp(WIDE, 5, batch), 5, inner, 5)
    feeds = feeds_of((batch, WIDE))
    with Executor(plan, threads=1) as packed, Executor(plan, threads=1, share_weights=True) as shared:
        fast, slow = ratio([lambda: packed.run(feeds), lambda: shared.run(feeds)], rounds)
    yield Line(f"time with share_weights, MatMul of {WIDE}, batch {batch}", slow / fast, limit)


class Sleeper:
    """A partition on a device that takes as long as it is told, without using the CPU."""

    latency_s = 0.0

    def __init__(self, request: OpenRequest) -> None:
        """Nothing is loaded: what it computes is known."""

    def run(self, inputs: Sequence[Value]) -> list[Value]:
        """Sleep, then negate."""
        time.sleep(self.latency_s)
        return [-to_array(inputs[0], "x")]


def overlap(folder: Path, quick: bool) -> Iterator[Line]:
    """The CPU and a device that sleeps, each half of the work."""
    register_backend(SLEEPER, Sleeper)
    feeds = feeds_of((1, 32, 28, 28))
    plan = two_devices(folder, side_by_side=True)
    (own,) = (each for each in read_plan(plan).partitions if each.device == "cpu")
    alone = ort.InferenceSession(str(plan / own.file), one_thread())
    rounds = 60 if quick else 300
    (cpu,) = ratio([lambda: alone.run(None, feeds)], rounds)
    Sleeper.latency_s = cpu
    with Executor(plan, threads=1, strict=True) as executor:
        (out,) = (executor.run(feeds)["s"],)
        assert np.array_equal(out, -feeds["t0"])
        branch, asleep, both = ratio(
            [lambda: alone.run(None, feeds), lambda: time.sleep(cpu), lambda: executor.run(feeds)], rounds
        )
    longer = max(branch, asleep)
    yield Line(
        "CPU and sleeping device side by side, over the longer", both / longer, 1.1, more=f"{longer * 1e3:.2f} ms"
    )
    inner = folder / "pipeline"
    inner.mkdir()
    yield pipeline(two_devices(inner, side_by_side=False), feeds, cpu, 60 if quick else 300)


def pipeline(plan: Path, feeds: dict[str, np.ndarray], cpu: float, count: int) -> Line:
    """Successive inputs through the CPU, then the device."""
    (own,) = (each for each in read_plan(plan).partitions if each.device == "cpu")
    alone = ort.InferenceSession(str(plan / own.file), one_thread())
    rates = []
    with Executor(plan, threads=1, strict=True) as executor:
        for _ in range(5):
            branch, asleep = ratio([lambda: alone.run(None, feeds), lambda: time.sleep(cpu)], 20)
            begin = time.perf_counter()
            for _ in executor.run_many(feeds for _ in range(count)):
                pass
            rates.append((time.perf_counter() - begin) / count / max(branch, asleep))
    period = float(np.median(rates))
    return Line(
        "run_many, time per input over the slowest device's", period, 1 / 0.9, more=f"{1 / period:.2f} of its rate"
    )


def endurance(folder: Path, quick: bool) -> Iterator[Line]:
    """Many runs of a small plan."""
    plan = cut(mlp(layers=6), 3, folder, 6)
    for runs, count in ((10_000 if quick else 100_000, 1), (200 if quick else 1_000, 8)):
        found = child("endurance", plan, runs, count, 1, 64)
        name = f"{count} thread{'s' * (count > 1)}, {runs} runs each"
        yield Line(f"{name}: wrong results", found["wrong"], 0, "")
        yield Line(f"{name}: memory grown", found["grown"] / MIB, 2.0, "MiB")


def faults(folder: Path, quick: bool) -> Iterator[Line]:
    """The tests that inject faults."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *FAULTS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    summary = (done.stdout.strip().splitlines() or [""])[-1]
    yield Line("faults injected that end in a wrong result or none", float(done.returncode), 0, "", summary)


PARTS = (overhead, small_overhead, threads, activation_memory, weight_memory, overlap, endurance, faults)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer runs, about a minute")
    parser.add_argument("--only", default="", metavar="TEXT", help="parts with this in their name")
    options = parser.parse_args()
    lines = []
    for part in PARTS:
        if options.only in part.__name__:
            with tempfile.TemporaryDirectory() as folder:
                for line in part(Path(folder), options.quick):
                    lines.append(line)
                    print(line, flush=True)
    print(f"{sum(line.holds for line in lines)} of {len(lines)} hold")
    return 0 if all(line.holds for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
