"""No fault of a disk or of the writing process gives half a plan or another one."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dovetail.plan import Plan, PlanError, atomic_folder, plan_to_json, read_plan, write_plan

WRITE = """
import sys, time
from pathlib import Path
from dovetail.plan import PlanError, atomic_folder, plan_from_json, write_plan
final, source, slow = Path(sys.argv[1]), sys.argv[2], sys.argv[3:] == ["slow"]
plan = plan_from_json(Path(source).read_text(encoding="utf-8"))
try:
    with atomic_folder(final) as folder:
        (folder / "partitions").mkdir()
        for name in ("0.onnx", "1.onnx", "e.onnx"):
            (folder / "partitions" / name).write_bytes(b"new" + bytes(100_000))
        if slow:
            print("half", flush=True)
            time.sleep(60)
        write_plan(plan, folder)
except PlanError as problem:
    print(problem)
    sys.exit(2)
"""


NEW = dict.fromkeys(("0.onnx", "1.onnx", "e.onnx"), b"new" + bytes(100_000))
"""What it writes beside plan.json."""


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in files_of(folder)}


def payloads(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "partitions").iterdir()}


def damages(good: bytes) -> Iterator[bytes]:
    """One byte flipped at each of many places, and the file cut at some."""
    for place in {*range(0, len(good), max(1, len(good) // 200)), len(good) - 1}:
        yield good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :]
    for end in (0, 1, len(good) // 2, len(good) - 1):
        yield good[:end]


def test_any_damage_of_any_file_is_found(plan_folder: Path) -> None:
    files = files_of(plan_folder)
    assert {"plan.json", "plan.json.sha256", "weights.bin", "0.onnx"} <= {path.name for path in files}
    tried = 0
    for file in files:
        good = file.read_bytes()
        for bad in damages(good):
            file.write_bytes(bad)
            with pytest.raises(PlanError, match="is changed or truncated"):
                read_plan(plan_folder)
            tried += 1
        file.write_bytes(good)
    read_plan(plan_folder)
    assert tried > 200


def test_a_plan_without_a_digest_of_its_own_is_read(plan_folder: Path) -> None:
    (plan_folder / "plan.json.sha256").unlink()
    read_plan(plan_folder)


def test_verify_false_takes_changed_payloads(plan_folder: Path) -> None:
    (plan_folder / "partitions" / "0.onnx").write_bytes(b"changed")
    (plan_folder / "plan.json.sha256").write_bytes(b"changed")
    read_plan(plan_folder, verify=False)


@pytest.fixture
def source(plan: Plan, tmp_path: Path) -> Path:
    path = tmp_path / "source.json"
    path.write_text(plan_to_json(plan), encoding="utf-8")
    return path


@pytest.mark.skipif(os.name == "nt", reason="needs limits of processes")
@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("limit", [0, 1000, 100_002])
def test_a_full_disk_leaves_the_old_plan_or_none(plan_folder: Path, source: Path, there: bool, limit: int) -> None:
    def full_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    final = plan_folder if there else plan_folder.parent / "new.plan"
    before = contents(plan_folder.parent)
    command = [sys.executable, "-B", "-c", WRITE, str(final), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=full_disk, check=False)
    assert done.returncode == 2, done.stderr
    assert "can't be written, File too large; check space and permissions" in done.stdout
    assert contents(plan_folder.parent) == before


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
@pytest.mark.parametrize("there", [True, False])
def test_a_writer_that_is_killed_leaves_the_old_plan_or_none(plan_folder: Path, source: Path, there: bool) -> None:
    final = plan_folder if there else plan_folder.parent / "new.plan"
    before = contents(plan_folder)
    command = [sys.executable, "-c", WRITE, str(final), str(source), "slow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "half\n"
        writer.kill()
    assert contents(plan_folder) == before
    read_plan(plan_folder)
    if not there:
        with pytest.raises(PlanError, match="does not exist"):
            read_plan(final)


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
def test_at_any_time_of_a_kill_the_plan_is_the_old_or_the_new(plan_folder: Path, source: Path) -> None:
    old = payloads(plan_folder)
    seen = set()
    for delay in (*(0.02 * step for step in range(12)), None):  # the last one is left to finish
        command = [sys.executable, "-c", WRITE, str(plan_folder), str(source)]
        with subprocess.Popen(command) as writer:
            if delay is not None:
                time.sleep(delay)
                writer.kill()
        aside = [path for path in plan_folder.parent.glob(".dovetail-*.old") if (path / "plan.json").is_file()]
        there = plan_folder if plan_folder.exists() else aside[0]
        read_plan(there)
        found = payloads(there)
        assert found in (old, NEW)
        seen.add("old" if found == old else "new")
    assert plan_folder.exists()
    assert seen == {"old", "new"}


def test_writing_again_leaves_nothing_beside_it(plan: Plan, plan_folder: Path) -> None:
    with atomic_folder(plan_folder) as folder:
        (folder / "partitions").mkdir()
        for name in ("0.onnx", "1.onnx", "e.onnx"):
            (folder / "partitions" / name).write_bytes(b"new")
        write_plan(plan, folder)
    assert [path.name for path in plan_folder.parent.iterdir()] == ["model.plan"]
    assert len(files_of(plan_folder)) == 5
