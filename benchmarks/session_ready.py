"""How long until a model is ready on the Hexagon NPU's simulator: onnxruntime-qnn alone, and a Dovetail plan.

    python benchmarks/session_ready.py MODEL.onnx [--soc 57] [--repeat 3] [--json FILE]

Each figure comes from a fresh process: registering the provider and creating the session(s), the minimum and median
of the repeats. Compiling the plan is done once, ahead of time, and given apart. Needs the `qnn` extra.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ALONE = """
import json, sys, time
import onnxruntime as ort, onnxruntime_qnn as qnn
start = time.perf_counter()
ort.register_execution_provider_library('QNNExecutionProvider', qnn.get_library_path())
devices = [d for d in ort.get_ep_devices() if d.ep_name.startswith('QNN')]
options = ort.SessionOptions()
options.log_severity_level = 4
options.add_session_config_entry('session.record_ep_graph_assignment_info', '1')
options.add_provider_for_devices(devices, {'backend_path': qnn.get_qnn_htp_path(), 'soc_model': sys.argv[2],
    'enable_htp_fp16_precision': '1', 'htp_graph_finalization_optimization_mode': '3'})
try:
    session = ort.InferenceSession(sys.argv[1], options)
    ready = time.perf_counter() - start
    groups = [(g.ep_name, len(g.get_nodes())) for g in session.get_provider_graph_assignment_info()]
    npu = [count for name, count in groups if name.startswith('QNN')]
    cpu = sum(count for name, count in groups if name.startswith('CPU'))
    result = {'ready_s': ready, 'npu_subgraphs': len(npu), 'cpu_nodes': cpu}
except Exception as error:
    result = {'failed': ' '.join(str(error).split())[:200]}
print('\\n' + json.dumps(result))
"""

PLAN = """
import json, sys, time
from dovetail.runtime import Executor
start = time.perf_counter()
executor = Executor(sys.argv[1])
ready = time.perf_counter() - start
kinds = [p.kind for p in executor.plan.partitions]
cpu = sum(o.device == 'cpu' for o in executor.plan.operators)
print('\\n' + json.dumps({'ready_s': ready, 'npu_subgraphs': kinds.count('npu'), 'cpu_nodes': cpu,
    'placement': sorted(set(executor.placement.values()))}))
"""


def measure(script: str, *arguments: str) -> dict[str, object]:
    """Run a script in a process of its own; its last JSON line is the result."""
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=300)
    if done.returncode:
        return {"failed": f"exit status {done.returncode}"}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]  # the vendor's library prints as well
    result: dict[str, object] = json.loads(lines[-1])
    return result


def summarize(label: str, runs: list[dict[str, object]]) -> dict[str, object]:
    """The runs of one way as one row."""
    row = {"way": label, **runs[-1]}
    if "failed" not in row:
        times = [float(str(run["ready_s"])) for run in runs]
        row.update(ready_s=round(statistics.median(times), 3), ready_min_s=round(min(times), 3))
    return row


def main() -> None:
    """Measure both ways, alternating, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--soc", default="57")
    parser.add_argument("--target", default="qualcomm-hexagon-htp:sm8650")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    from dovetail.compiler import compile_model  # imported late: --help should not wait for it

    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        plan = compile_model(options.model, options.target).save(Path(folder) / "model.plan")
        compile_s = time.perf_counter() - start
        pairs = [
            (measure(ALONE, str(options.model), options.soc), measure(PLAN, str(plan))) for _ in range(options.repeat)
        ]
    rows = [summarize("onnxruntime-qnn", [p[0] for p in pairs]), summarize("dovetail", [p[1] for p in pairs])]
    rows[1]["compile_s"] = round(compile_s, 2)
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    if all("ready_s" in row for row in rows):
        print(f"ratio {float(str(rows[0]['ready_s'])) / float(str(rows[1]['ready_s'])):.1f} (measured, simulator)")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
