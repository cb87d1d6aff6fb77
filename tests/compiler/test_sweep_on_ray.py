"""Sweeps on Ray: the same rows as by processes of this machine, also where workers are lost."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import pytest

from dovetail.compiler import CompileOptions, LocalEngine, RayEngine, sweep
from dovetail.compiler.sweeping.job import SweepJob, run_job
from dovetail.compiler.sweeping.on_ray import serve_on_node
from dovetail.ir.parcel import pack_model
from dovetail.plan import __version__
from dovetail.targets import load_target

ray = pytest.importorskip("ray")

SAMPLES: Final = Path(__file__).parents[2] / "sample_models"
MODELS: Final = ("mobilenet_v2", "transformer", "ssd_detector", "control_flow", "digits_qdq", "npu_whole")
TARGETS: Final = (
    "qualcomm-hexagon-htp",
    "nvidia-orin-dla",
    "cpu-only",
    "arm-ethos-u85",
    "intel-npu",
    "rockchip-rk3588",
)
TWO: Final = ("arm-ethos-u85", "cpu-only")
LONG_S: Final = 120.0
EXTERNAL: Final = """
<ir_version: 8, opset_import: ["": 17]>
scaled (float[2, 300] x) => (float[2, 300] y) { [scale] y = Mul(x, w) }
"""

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")


@pytest.fixture(scope="module", autouse=True)
def token() -> Iterator[None]:
    """Ray gives a cluster a token, and would keep one in the user's home for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_TOKEN", uuid.uuid4().hex)
        yield


def commanded(*arguments: object) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "dovetail.cli", "sweep", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, timeout=10 * LONG_S)


def tables(models: Sequence[str], targets: Sequence[str]) -> Iterator["subprocess.CompletedProcess[bytes]"]:
    """The same sweep by both engines."""
    paths = [SAMPLES / f"{name}.onnx" for name in models]
    for engine in ("local", "ray"):
        yield commanded(*paths, "-t", ",".join(targets), "--batch", "1,8", "--engine", engine, "--format", "json")


def test_both_engines_print_the_same_table_and_no_more() -> None:
    local, on_ray = tables(("transformer", "digits_qdq"), TWO)

    assert (on_ray.returncode, on_ray.stderr) == (1, b"")  # the transformer is fixed to one batch size
    assert on_ray.stdout == local.stdout
    assert len(json.loads(local.stdout)["rows"]) == 8


@pytest.mark.slow
def test_both_engines_print_the_same_table_of_six_models_six_targets_and_two_batch_sizes() -> None:
    local, on_ray = tables(MODELS, TARGETS)

    assert (on_ray.returncode, on_ray.stderr) == (1, b"")
    assert on_ray.stdout == local.stdout
    rows = json.loads(local.stdout)["rows"]
    assert len(rows) == 72
    assert sum(bool(row["error"]) for row in rows) == 12
    assert sum(row["recommended"] for row in rows) == 10


@pytest.fixture(scope="module")
def connection() -> Iterator[None]:
    """A Ray that the program has started itself, with two cores."""
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="CRITICAL")
    yield
    ray.shutdown()


@pytest.mark.usefixtures("connection")
def test_connection_of_the_program_is_used_and_left_open() -> None:
    paths = [SAMPLES / "digits_qdq.onnx"]
    assert sweep(paths, TWO, engine=RayEngine(jobs=1)) == sweep(paths, TWO, engine=LocalEngine(jobs=1))
    assert ray.is_initialized()


@pytest.mark.usefixtures("connection")
def test_models_travel_with_their_external_data_and_unusable_ones_are_rows(tmp_path: Path) -> None:
    model = onnx.parser.parse_model(EXTERNAL)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.full(300, 2.5, np.float32), "w"))
    paths = [tmp_path / name for name in ("whole.onnx", "lost.onnx", "broken.onnx")]
    for path in paths[:2]:
        onnx.save(model, path, save_as_external_data=True, location=f"{path.stem}.bin", size_threshold=0)
        model = onnx.load(path)
    (tmp_path / "lost.bin").unlink()
    paths[2].write_bytes(b"no model")

    rows = sweep(paths, TWO[1:], engine=RayEngine())
    assert rows == sweep(paths, TWO[1:], engine=LocalEngine())
    assert ["lost.bin" in row.error for row in rows] == [False, True, False]
    assert [bool(row.error) for row in rows] == [False, True, True]


@pytest.mark.usefixtures("connection")
def test_targets_travel_whole(tmp_path: Path) -> None:
    target = tmp_path / "own.yaml"
    target.write_text((Path(__file__).parents[1] / "data/three-cpus.yaml").read_text(encoding="utf-8"))
    paths = [SAMPLES / "digits_qdq.onnx"]
    assert sweep(paths, [str(target)], engine=RayEngine()) == sweep(paths, [str(target)], engine=LocalEngine())


def processes(mark: bytes) -> list[int]:
    """Those below this one's Ray whose command line has a mark."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if mark in (folder / "cmdline").read_bytes() and (folder / "cwd").stat() and _is_ours(int(folder.name)):
                found.append(int(folder.name))
        except (OSError, ValueError):
            continue
    return found


def _is_ours(process: int) -> bool:
    while process > 1:
        if process == os.getpid():
            return True
        process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return False


def killing(mark: bytes) -> Any:
    """What kills a process with a mark, once, while rows are made."""
    left = [mark]

    def kill(row: object) -> None:
        while left:
            for process in processes(mark):
                os.kill(process, signal.SIGSTOP)  # it is at a row from now on, or gets one
                time.sleep(0.5)
                os.kill(process, signal.SIGKILL)
                left.clear()
                return
            time.sleep(0.02)

    return kill


@linux_only
@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize(("mark", "lost"), [(b"ray::serve_on_node", 0), (b"sweeping/child.py", 1)])
def test_lost_worker_of_ray_costs_no_row_and_the_process_of_a_row_only_that(mark: bytes, lost: int) -> None:
    paths = [SAMPLES / "digits_qdq.onnx", SAMPLES / "npu_whole.onnx"]
    rows = sweep(paths, TARGETS, [1, 2], engine=RayEngine(), on_row=killing(mark))
    wanted = sweep(paths, TARGETS, [1, 2], engine=LocalEngine(jobs=2))

    failed = [row for row in rows if row.error]
    assert [row.error.partition(",")[0] for row in failed] == ["its process was killed"] * lost
    same = [old == replace(new, recommended=old.recommended) for old, new in zip(rows, wanted, strict=True)]
    assert same.count(False) == lost


def test_row_on_a_node_is_that_of_this_machine_unless_the_versions_differ() -> None:
    path = SAMPLES / "digits_qdq.onnx"
    job = SweepJob("digits", path, 2, load_target("arm-ethos-u85"), CompileOptions())
    sent = replace(job, path=Path(path.name))
    assert serve_on_node(pack_model(path), sent, LONG_S, __version__) == run_job(job)
    refused = serve_on_node(pack_model(path), sent, LONG_S, "0.0.1")
    assert refused.error == f"Dovetail {__version__} is on the node, 0.0.1 asks; install the same on all nodes"


def test_cluster_that_is_not_there_is_one_line() -> None:
    answer = commanded(SAMPLES / "digits_qdq.onnx", "-t", "cpu-only", "--engine", "ray", "--ray-address", "nowhere")
    lines = answer.stderr.decode().splitlines()

    assert (answer.returncode, answer.stdout, len(lines)) == (2, b"", 1)
    assert lines[0].startswith("error: --engine ray: the cluster at 'nowhere' can't be reached: ")
    assert lines[0].endswith("; start it, correct --ray-address, or use --engine local")


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a cluster of one node that asks for a token, as `ray start` makes it; the token is set."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    options = [f"--port={port}", "--node-ip-address=127.0.0.1", "--num-cpus=2", "--include-dashboard=false", "--block"]
    command = [str(Path(sys.executable).with_name("ray")), "start", "--head", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as node:
        assert node.stdout is not None
        try:
            assert any("Ray runtime started" in line for line in node.stdout)
            yield f"127.0.0.1:{port}"
        finally:
            node.send_signal(signal.SIGTERM)  # it ends what it has started
            node.wait(LONG_S)


@pytest.mark.slow
def test_cluster_is_found_by_its_address_on_the_command_line_or_in_the_environment(
    cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = (SAMPLES / "digits_qdq.onnx", "-t", ",".join(TWO), "--format", "csv")
    local = commanded(*arguments)
    answers = [commanded(*arguments, "--engine", "ray", "--ray-address", cluster)]
    monkeypatch.setenv("RAY_ADDRESS", cluster)
    answers.append(commanded(*arguments, "--engine", "ray", "--jobs", "1"))

    for answer in answers:
        assert (answer.returncode, answer.stderr, answer.stdout) == (0, b"", local.stdout)
