"""`dovetail sweep`: the table in four forms, exit codes, what is refused, the bar, and Ctrl-C."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest
from tests.cli.calling import dovetail, refusal

SAMPLES: Final = Path(__file__).parents[2] / "sample_models"
DIGITS: Final = SAMPLES / "digits_qdq.onnx"
TRANSFORMER: Final = SAMPLES / "transformer.onnx"
LONG_S: Final = 60.0
MAIN: Final = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"  # it may be ignored where tests run
    "from dovetail.cli.main import main; main()"
)


def test_text_marks_the_best_target_of_each_batch_size() -> None:
    result = dovetail("sweep", DIGITS, "-t", "qualcomm-hexagon-htp,cpu-only", "--batch", "1,2", "--jobs", 1)

    assert (result.exit_code, result.stderr) == (0, "")
    assert sum(line.startswith("* ") and "recommended" not in line for line in result.stdout.splitlines()) == 2
    assert "digits_qdq, batch 2" in result.stdout
    assert "figures of one request, modelled" in result.stdout


def test_targets_may_be_given_between_commas_and_one_after_the_other() -> None:
    targets = ("-t", "cpu-only,qualcomm-hexagon-htp", "-t", "intel-npu")
    result = dovetail("sweep", DIGITS, *targets, "--jobs", 1, "--format", "json")

    names = [row["target"].partition(":")[0] for row in json.loads(result.stdout)["rows"]]
    assert names == ["cpu-only", "qualcomm-hexagon-htp", "intel-npu"]


def test_failed_rows_stop_no_other_and_give_exit_code_1() -> None:
    result = dovetail("sweep", TRANSFORMER, "-t", "cpu-only", "--batch", "8,1", "--format", "json")

    assert (result.exit_code, result.stderr) == (1, "")
    failed, good = json.loads(result.stdout)["rows"]
    assert failed["error"].endswith("export the model again")
    assert (good["error"], good["recommended"], good["operators"]) == ("", True, 71)


@pytest.mark.parametrize("form", ["text", "json", "markdown", "csv"])
def test_table_can_go_to_a_file(form: str, tmp_path: Path) -> None:
    arguments = ("sweep", DIGITS, "-t", "cpu-only", "--format", form)
    file = tmp_path / "table"
    to_file = dovetail(*arguments, "-o", file)

    assert (to_file.exit_code, to_file.stdout, to_file.stderr) == (0, "", "")
    assert file.read_text(encoding="utf-8") == dovetail(*arguments).stdout


def test_loading_and_placing_options_hold_for_all_rows() -> None:
    def rows(*options: object) -> list[dict[str, str]]:
        result = dovetail("sweep", TRANSFORMER, "-t", "qualcomm-hexagon-htp", "--format", "csv", *options)
        return list(csv.DictReader(io.StringIO(result.stdout)))

    (plain,) = rows()
    assert rows("--shape", "embeddings=1,64,96") == [plain]
    for options, words in (
        (("--shape", "embeddings=1,2"), "embeddings"),
        (("--max-energy-mj", 1e-9), "mJ"),
    ):
        (failed,) = rows(*options)
        assert words in failed["error"]
    (pinned,) = rows("--place", "*=cpu")
    assert (pinned["npu_ops"], float(plain["npu_ops"]) > 0.5) == ("0.0", True)
    (greedy,) = rows("--solver", "greedy")
    assert (greedy["gap"], plain["gap"] != "") == ("", True)


def test_objective_decides_what_is_best() -> None:
    best = {}
    for objective in ("latency", "energy"):
        result = dovetail(
            *("sweep", TRANSFORMER, "-t", "qualcomm-hexagon-htp,cpu-only", "--objective", objective, "--format", "json")
        )
        document = json.loads(result.stdout)
        assert document["objective"] == objective
        figure = {"latency": "latency_ms", "energy": "energy_mj"}[objective]
        (best[objective],) = [row["target"] for row in document["rows"] if row["recommended"]]
        assert best[objective] == min(document["rows"], key=lambda row: row[figure])["target"]
    assert best["latency"] != best["energy"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((DIGITS, "-t", "qualcomm-hexagon-hpt"), "did you mean 'qualcomm-hexagon-htp'?"),
        ((DIGITS, "-t", "cpu-only:hots"), "has no variant 'hots'"),
        ((DIGITS, "-t", "cpu-only,,intel-npu"), "take out the empty name"),
        ((DIGITS, "-t", "cpu-only,cpu-only"), "given twice"),
        ((DIGITS,), "Missing option '-t'"),
        (("-t", "cpu-only"), "Missing argument 'MODEL...'"),
        ((DIGITS.with_name("digits_qdk.onnx"), "-t", "cpu-only"), "did you mean"),
        ((SAMPLES, "-t", "cpu-only"), "is a folder; name .onnx files"),
        ((DIGITS, DIGITS, "-t", "cpu-only"), "is given twice; give each once"),
        ((DIGITS, "-t", "cpu-only", "--batch", "1,0"), "at least 1, got '0'"),
        ((DIGITS, "-t", "cpu-only", "--batch", "1,1"), "give each once"),
        ((TRANSFORMER, "-t", "cpu-only", "--dim", "batch=1"), "--dim batch: no model has"),
        ((TRANSFORMER, "-t", "cpu-only", "--bind", "sr=1"), "--bind sr: no model has"),
        ((DIGITS, "-t", "hailo-8"), "Hailo publishes no list of the operators"),
        ((DIGITS, "-t", "cpu-only", "--jobs", 0), "'--jobs'"),
        ((DIGITS, "-t", "cpu-only", "--limit-s", 0), "'--limit-s'"),
        ((DIGITS, "-t", "cpu-only", "--engine", "dask"), "'--engine'"),
        ((DIGITS, "-t", "cpu-only", "--format", "html"), "'--format'"),
        ((DIGITS, "-t", "cpu-only", "--ray-address", "h:1"), "--ray-address belongs to --engine ray; add it"),
        ((DIGITS, "-t", "cpu-only", "-o", "/nowhere/at/all"), "its folder does not exist; make it"),
        ((DIGITS, "-t", "cpu-only", "--costs", "none.json"), "none.json"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[object, ...], words: str) -> None:
    assert words in refusal("sweep", *arguments)


def test_ray_that_is_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    line = refusal("sweep", DIGITS, "-t", "cpu-only", "--engine", "ray")
    assert line == "error: --engine ray: Ray is not installed; run 'pip install dovetail[ray]'"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_bar_is_shown_on_a_terminal_only() -> None:
    import pty

    terminal, end = pty.openpty()
    command = [sys.executable, "-c", MAIN, "sweep", str(DIGITS), "-t", "cpu-only,intel-npu"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=end, env={**os.environ, "TERM": "xterm"}) as child:
        os.close(end)
        shown = b""
        try:
            while chunk := os.read(terminal, 4096):
                shown += chunk
        except OSError:  # the other end is closed
            pass
        assert child.stdout is not None
        table = child.stdout.read().decode()
    os.close(terminal)
    assert child.returncode == 0
    assert b"rows" in shown
    assert b"2/2" in shown
    assert table == subprocess.run(command, capture_output=True, text=True, check=True).stdout  # and says no more


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
def test_interrupt_ends_all_processes_with_exit_code_130() -> None:
    command = [sys.executable, "-c", MAIN, "sweep", str(DIGITS), "-t", "cpu-only,intel-npu", "--jobs", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as parent:
        workers = _wait_for_workers(parent.pid, 2)
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)  # as one does that computes for an hour
        parent.send_signal(signal.SIGINT)
        output, errors = parent.communicate(timeout=LONG_S)
    assert (parent.returncode, output, errors) == (130, b"", b"")
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


def _wait_for_workers(parent: int, number: int) -> list[int]:
    """Its children that run their own program: before, one still holds whatever its parent has open."""
    until = time.monotonic() + LONG_S
    while time.monotonic() < until:
        children = (found for task in Path(f"/proc/{parent}/task").glob("*/children") for found in _read(task).split())
        workers = {int(child) for child in children if "child.py" in _read(Path(f"/proc/{child}/cmdline"))}
        if len(workers) >= number:
            return sorted(workers)
        time.sleep(0.02)
    raise AssertionError("no processes were started")


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:  # of a thread or process that has just ended
        return ""
