"""What a sweep gains by several processes, and what they cost.

    python benchmarks/sweep.py [MODEL.onnx ...] [-t T1,T2,...] [--batch 1,8] [--jobs 1,2] [--repeat 3]

The same rows, one after the other in this process, and by the local engine with each number of processes, in turns;
medians of several runs, as ratios to those made in this process. The rows must be equal. Starting the processes counts.
"""

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dovetail.compiler import LocalEngine, SweepRecord, sweep
from dovetail.compiler.sweeping.grid import Engine
from dovetail.compiler.sweeping.job import SweepJob, run_job
from dovetail.compiler.sweeping.local import cores

SAMPLES = sorted((Path(__file__).resolve().parents[1] / "sample_models").glob("*.onnx"))
TARGETS = "qualcomm-hexagon-htp,nvidia-orin-dla,intel-npu,arm-ethos-u85,rockchip-rk3588,cpu-only"


@dataclass(frozen=True, slots=True)
class HereEngine:
    """One row after the other, in this process."""

    def run(self, jobs: Sequence[SweepJob]) -> Iterator[tuple[int, SweepRecord]]:
        """Yield the rows in their order."""
        for number, job in enumerate(jobs):
            yield number, run_job(job)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("-t", "--targets", default=TARGETS)
    parser.add_argument("--batch", default="1,8")
    parser.add_argument("--jobs", default="1,2")
    parser.add_argument("--repeat", type=int, default=3)
    asked = parser.parse_args()
    engines: dict[str, Engine] = {"in this process": HereEngine()}
    engines |= {f"--jobs {jobs}": LocalEngine(jobs=int(jobs)) for jobs in asked.jobs.split(",")}
    targets, batches = asked.targets.split(","), [int(size) for size in asked.batch.split(",")]
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    tables = set()
    for _ in range(asked.repeat):
        for name, engine in engines.items():
            start = time.perf_counter()
            tables.add(sweep(asked.models or SAMPLES, targets, batches, engine=engine))
            seconds[name].append(time.perf_counter() - start)
    (rows,) = tables  # every engine, every time, has made the same
    base = statistics.median(seconds["in this process"])
    print(f"{len(rows)} rows, {sum(bool(row.error) for row in rows)} of them failed; {cores()} cores")
    for name, runs in seconds.items():
        middle = statistics.median(runs)
        print(f"{name:16} {middle:7.2f} s  {middle / len(rows):6.3f} s a row  {middle / base:5.2f} of in this process")


if __name__ == "__main__":
    main()
