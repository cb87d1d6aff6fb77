"""How long it takes to say what every target makes of a model.

    python benchmarks/inspect_speed.py [MODEL.onnx ...] [-t TARGET] [--repeat 5]

For each model (the sample models, and the real ones in $DOVETAIL_MODELS or ../shared/models, by default): loading and
canonical form once, then tags, placement, partitions and report for every shipped target; and the whole command
`dovetail inspect` for one target in a process of its own, the median of several runs. Also, for the slowest pair, the
whole command.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from dovetail.compiler import CompileOptions, compile_graph, prepare
from dovetail.plan import TargetError
from dovetail.report import render_text, summarize
from dovetail.targets import Target, load_target, target_names

ROOT = Path(__file__).resolve().parents[1]
PINNED = {
    "silero_vad": CompileOptions(binds={"sr": "16000"}, shapes={"input": (1, 512), "state": (2, 1, 128)}),
    "silero_vad_16k_op15": CompileOptions(dims={"batch": 1, "sequence": 512}),
    "magika_standard_v3_3": CompileOptions(shapes={"bytes": (1, 2048)}),
}


def default_models() -> list[Path]:
    """The sample models and, where they are, the real ones."""
    real = Path(os.environ.get("DOVETAIL_MODELS", ROOT.parent / "shared" / "models"))
    return [*sorted((ROOT / "sample_models").glob("*.onnx")), *sorted(real.glob("*.onnx"))]


def all_targets() -> list[Target]:
    """The shipped targets whose operators are published."""
    found = []
    for target in map(load_target, target_names()):
        try:
            target.require_operators()
        except TargetError:
            continue
        found.append(target)
    return found


def command_seconds(model: Path, target: str) -> float:
    """`dovetail inspect` as a user starts it."""
    options = PINNED.get(model.stem, CompileOptions())
    arguments = [f"--dim={name}={size}" for name, size in options.dims.items()]
    arguments += [f"--bind={name}={value}" for name, value in options.binds.items()]
    arguments += [f"--shape={name}={','.join(map(str, shape))}" for name, shape in options.shapes.items()]
    start = time.perf_counter()
    command = [sys.executable, "-m", "dovetail.cli", "inspect", str(model), "-t", target, *arguments]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("-t", "--target", default="qualcomm-hexagon-htp", help="of the whole command")
    parser.add_argument("--repeat", type=int, default=5, help="runs of the whole command")
    asked = parser.parse_args()
    models = asked.models or default_models()
    begin = time.perf_counter()
    targets = all_targets()
    print(f"{len(targets)} targets loaded in {time.perf_counter() - begin:.2f} s")
    total = time.perf_counter() - begin
    slowest = (0.0, models[0], targets[0].name)
    for model in models:
        whole = start = time.perf_counter()
        graph = prepare(model, PINNED.get(model.stem, CompileOptions()))
        loaded = time.perf_counter() - start
        for target in targets:
            start = time.perf_counter()
            render_text(summarize(compile_graph(graph, target).plan))
            slowest = max(slowest, (time.perf_counter() - start, model, target.name))
        spent = time.perf_counter() - whole
        total += spent
        command = statistics.median(command_seconds(model, asked.target) for _ in range(asked.repeat))
        print(
            f"{model.stem:24} {len(graph):5} operators  loaded {loaded:6.2f} s  all targets {spent:6.2f} s"
            f"  command {command:5.2f} s"
        )
    print(f"total {total:.1f} s for {len(models)} models x {len(targets)} targets, in one process")
    seconds, model, target = slowest
    print(f"slowest pair {model.stem} x {target}: {seconds:.2f} s; as a command {command_seconds(model, target):.2f} s")


if __name__ == "__main__":
    main()
