"""Verified plans on Qualcomm's compiler and simulator, beside what onnxruntime-qnn does with the same models.

    python benchmarks/verified.py [--models FOLDER] [--only TEXT] [--fresh]

For each model and chip: a plan made with --verify, each operator on the NPU where it may be; how much of the operators,
and of the time that the model is predicted to take on the CPU alone, is on the NPU; its partitions there; whether the
certificate holds; and how often the compiler was asked. Beside it one session of onnxruntime-qnn: whether it comes
about at all, the same figures of it, and how far its outputs are from those of the CPU: it works where they are not
further than the certificate allows. Held: every certificate; and where onnxruntime-qnn works, no less of the time on
the NPU, in no more partitions, or in more of them and more of the time. `--fresh` forgets what was compiled before.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dovetail.compiler import Compilation, CompileOptions, VerifyOptions, compile_verified
from dovetail.compiler.feeding import samples_for
from dovetail.ir import Bindings, bound_arrays
from dovetail.targets import load_target

ROOT = Path(__file__).parents[1]
HTP = "qualcomm-hexagon-htp"
SILERO = {"binds": {"sr": "16000"}, "shapes": {"input": (1, 512), "state": (2, 1, 128)}}
ROWS = [
    ("cases/transformer.onnx", "sm8350", {}),
    ("cases/transformer.onnx", "sm8650", {}),
    ("cases/cnn_nonzero.onnx", "sm8350", {}),
    ("cases/cnn_nonzero.onnx", "sm8650", {}),
    ("cases/cnn_loop.onnx", "sm8650", {}),
    ("cases/cnn_unique.onnx", "sm8650", {}),
    ("ultraface_rfb_320.onnx", "sm8650", {}),
    ("silero_vad.onnx", "sm8650", SILERO),
    ("magika_standard_v3_3.onnx", "sm8650", {"shapes": {"bytes": (1, 2048)}}),
    ("cases/mbv2_qdq_u8.onnx", "sm8750", {}),
    ("cases/transformer_qdq.onnx", "sm8650", {}),
    ("cases/transformer_qdq_u8.onnx", "sm8650", {}),
]
ALONE = """
import json, sys
import numpy as np, onnxruntime as ort, onnxruntime_qnn as qnn
model, options, feeds = sys.argv[1], json.loads(sys.argv[2]), dict(np.load(sys.argv[3]))
ort.register_execution_provider_library("QNNExecutionProvider", qnn.get_library_path())
device = [each for each in ort.get_ep_devices() if each.ep_name == "QNNExecutionProvider"][:1]
settings = ort.SessionOptions()
settings.log_severity_level = 4
settings.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
settings.add_provider_for_devices(device, {"backend_type": "htp", **options})
session = ort.InferenceSession(model, settings, enable_fallback=0)
if "QNNExecutionProvider" not in session.get_providers():
    raise SystemExit("the provider was dropped")
groups = session.get_provider_graph_assignment_info()
npu = [group for group in groups if group.ep_name == "QNNExecutionProvider"]
left = [node.name for group in groups if group.ep_name != "QNNExecutionProvider" for node in group.get_nodes()]
worst = 200.0
cpu = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
for got, wanted in zip(session.run(None, feeds), cpu.run(None, feeds)):
    noise = float(((got.astype(float) - wanted) ** 2).sum())
    near = float(abs(got.astype(float) - wanted).max()) <= 1e-3
    worst = min(worst, 200.0 if not noise or near else 10 * np.log10(float((wanted.astype(float) ** 2).sum()) / noise))
taken = sum(len(group.get_nodes()) for group in npu)
print(json.dumps({"groups": len(npu), "left": left, "taken": taken, "snr_db": worst}))
"""


@dataclass(frozen=True)
class Alone:
    """What onnxruntime-qnn does with a model."""

    failure: str
    groups: int = 0
    taken: int = 0
    left: tuple[str, ...] = ()
    snr_db: float = 0.0
    """Of its worst output, on the inputs that the certificate is of."""


def alone(model: Path, chip: str, feeds: Mapping[str, np.ndarray]) -> Alone:
    """One session over the whole model, in a child process."""
    backend = load_target(f"{HTP}:{chip}").devices[0].backend
    assert backend is not None
    options = {key: value for key, value in backend.options.items() if key != "offload_graph_io_quantization"}
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder, "feeds.npz"), **feeds)
        command = [sys.executable, "-c", ALONE, str(model), json.dumps(options), str(Path(folder, "feeds.npz"))]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        except subprocess.TimeoutExpired:
            return Alone("no answer within 300 s")
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        words = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        return Alone(words.rpartition(" : ")[2][:60])
    answer = json.loads(lines[-1])
    return Alone("", answer["groups"], answer["taken"], tuple(answer["left"]), answer["snr_db"])


def cpu_times(compilation: Compilation) -> dict[str, float]:
    """Original node -> its part of the time that the model is predicted to take on the CPU alone."""
    plan, times = compilation.plan, {}
    cpu = next(device.id for device in plan.devices if device.kind == "cpu")
    members: dict[int, list[str]] = {}
    for operator in plan.operators:
        if not operator.inside:
            members.setdefault(operator.unit, []).extend(operator.origins or (operator.name,))
    for operator in plan.operators:
        for verdict in operator.verdicts:
            if not operator.inside and verdict.device == cpu and verdict.cost is not None:
                names = members[operator.unit]
                times.update(dict.fromkeys(names, plan.costs[verdict.cost].latency_us / len(names)))
    return times


def share(times: dict[str, float], left: Sequence[str]) -> float:
    """The part of the time that is not of the nodes that are left."""
    rest = sum(times.get(name, 0.0) for name in set(left))
    return 1 - rest / sum(times.values())


def row(folder: Path, name: str, chip: str, options: dict) -> tuple[str, bool]:
    """A line of the table, and whether what is claimed holds in it."""
    begun = time.perf_counter()
    made = compile_verified(folder / name, f"{HTP}:{chip}", CompileOptions(solver="greedy", **options), VerifyOptions())
    seconds = time.perf_counter() - begun
    plan, times = made.compilation.plan, cpu_times(made.compilation)
    on_cpu = [origin for each in plan.operators if each.device != "npu" for origin in (each.origins or (each.name,))]
    top = [each for each in plan.operators if not each.inside]
    mine = sum(each.device == "npu" for each in top) / len(top)
    partitions = sum(partition.kind == "npu" for partition in plan.partitions)
    ours = share(times, on_cpu)
    certificate = plan.certificate
    holds = certificate is not None and certificate.holds
    feeds = {**samples_for(made.compilation.graph, None, 1)[0], **bound_arrays(folder / name, Bindings(**options))}
    theirs = alone(folder / name, chip, feeds)
    if theirs.failure:
        good, cells = holds, [f"fails: {theirs.failure}", "-", "-", "-"]
    else:
        part = share(times, theirs.left) if theirs.taken else 0.0
        works = (
            theirs.snr_db >= min((check.limit_db for check in certificate.checks), default=0) if certificate else True
        )
        more = ours > part + 1e-6
        good = holds and (not works or (ours >= part - 1e-6 and (more or partitions <= theirs.groups)))
        count = theirs.taken + len(theirs.left)
        cells = [f"{theirs.taken} of {count} nodes", f"{part:.1%}", str(theirs.groups)]
        cells.append(f"{theirs.snr_db:.1f}" if works else f"{theirs.snr_db:.1f}: WRONG")
    worst = min((check.snr_db for check in certificate.checks if not check.partition), default=0) if certificate else 0
    compiles = certificate.compiles if certificate else 0
    left = [name.rpartition("/")[2], chip, f"{mine:.1%}", f"{ours:.1%}", str(partitions), "yes" if holds else "NO"]
    line = [*left, f"{worst:.1f}", str(compiles), f"{seconds:.1f}", *cells, "ok" if good else "FAILED"]
    return "| " + " | ".join(line) + " |", good


def main() -> int:
    """Print the table; exit code 1 where something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=os.environ.get("DOVETAIL_MODELS", ROOT.parent / "shared/models"))
    parser.add_argument("--only", default="")
    parser.add_argument("--fresh", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.fresh:
            os.environ["DOVETAIL_CACHE"] = folder
        head = "operators on npu|CPU time on npu|npu partitions|holds|output, dB|compiles|seconds"
        print(f"| model | chip | {head.replace('|', ' | ')} | alone: on npu | CPU time | groups | output, dB | |")
        print("|---" * 14 + "|")
        good = []
        for name, chip, options in ROWS:
            if given.only in f"{name} {chip}":
                line, fine = row(Path(given.models), name, chip, options)
                print(line, flush=True)
                good.append(fine)
    print(f"{sum(good)} of {len(good)} hold")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
