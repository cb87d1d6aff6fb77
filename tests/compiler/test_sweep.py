"""Sweeps: a row for each model, batch size and target, whatever becomes of the others."""

import dataclasses
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import onnx
import pytest

from dovetail.compiler import CompileOptions, LocalEngine, QuantizeOptions, SweepRecord, compile_model, sweep
from dovetail.compiler.sweeping.grid import model_names
from dovetail.compiler.sweeping.job import SweepJob, run_job
from dovetail.compiler.sweeping.record import recommend
from dovetail.cost.costs_file import CostsPart, ErrorsPart, base_digest, write_costs
from dovetail.plan import DovetailError, ModelError, TargetError
from dovetail.plan.totals import plan_totals
from dovetail.targets import load_target
from dovetail.targets.overlay import OverlayPart, write_overlay

SAMPLES: Final = Path(__file__).parents[2] / "sample_models"
DIGITS: Final = SAMPLES / "digits_qdq.onnx"
TRANSFORMER: Final = SAMPLES / "transformer.onnx"
TARGETS: Final = ("qualcomm-hexagon-htp", "arm-ethos-u85", "cpu-only")
ONE: Final = LocalEngine(jobs=1)
LONG_S: Final = 60.0

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")


def job(path: Path = DIGITS, batch: int | None = None, target: str = "arm-ethos-u85", **options: object) -> SweepJob:
    return SweepJob("name", path, batch, load_target(target), CompileOptions(**options))  # type: ignore[arg-type]


def row(target: str, latency: float, energy: float, period: float = 1.0, **fields: object) -> SweepRecord:
    made = SweepRecord("m", None, target, latency_ms=latency, energy_mj=energy, period_ms=period)
    return replace(made, **fields)  # type: ignore[arg-type]


# one row


def test_figures_of_a_row_are_those_of_the_plan() -> None:
    plan = compile_model(DIGITS, "arm-ethos-u85", CompileOptions(batch=2)).plan
    record, totals = run_job(job(batch=2)), plan_totals(plan)

    assert record.npu_time == pytest.approx(totals.npu_time)
    assert record.npu_ops == pytest.approx(totals.npu_ops)
    wanted = dataclasses.asdict(totals) | {"npu_time": record.npu_time, "npu_ops": record.npu_ops}
    assert {name: getattr(record, name) for name in wanted} == wanted
    assert (record.gap, record.period_ms) == (plan.predicted.gap, plan.predicted.period_ms)
    assert (record.model, record.batch, record.target) == ("name", 2, "arm-ethos-u85:u85-1024")
    assert (record.error, record.source, record.timed_out) == ("", "modelled", False)


def test_best_device_alone_is_that_of_the_objective() -> None:
    plan = compile_model(TRANSFORMER, "nvidia-orin-dla").plan
    alone = {each.name: each for each in plan.predicted.alternatives if each.name.startswith("all on ")}
    assert len(alone) > 1
    for objective, figure in (("latency", "latency_ms"), ("energy", "energy_mj")):
        record = run_job(job(TRANSFORMER, target="nvidia-orin-dla", objective=objective))
        best = min(alone.values(), key=lambda each: getattr(each, figure))
        assert f"all on {record.single}" == best.name
        assert (record.single_latency_ms, record.single_energy_mj) == (best.latency_ms, best.energy_mj)


def test_errors_are_rows_of_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"\0\1\n\2")
    for failing, words in (
        (job(broken), "is not ONNX"),
        (job(TRANSFORMER, batch=3), "export the model again"),
        (job(max_latency_ms=1e-9), "1e-09 ms"),
        (job(place=(("*", "gpu"),)), "gpu"),
    ):
        record = run_job(failing)
        assert words in record.error
        assert "\n" not in record.error
        assert (record.latency_ms, record.operators, record.source) == (None, None, "")


def test_job_can_be_sent_and_gives_the_same_row() -> None:
    sent = pickle.loads(pickle.dumps(job(place=(("op:Softmax", "cpu"),))))
    assert run_job(sent) == run_job(job(place=(("op:Softmax", "cpu"),)))


# the recommended target


@pytest.mark.parametrize(
    ("objective", "best"), [("latency", "fast"), ("energy", "frugal"), ("edp", "both"), ("throughput", "busy")]
)
def test_best_target_is_that_of_the_objective(objective: str, best: str) -> None:
    rows = [row("fast", 1, 10), row("frugal", 12, 1), row("both", 2, 3), row("busy", 9, 9, 0.5)]
    marked = recommend(rows, objective)  # type: ignore[arg-type]
    assert [each.target for each in marked if each.recommended] == [best]
    assert [replace(each, recommended=False) for each in marked] == rows


def test_of_equal_targets_the_one_with_less_of_the_other_figure_is_taken_then_the_first() -> None:
    assert [each.recommended for each in recommend([row("a", 1, 3), row("b", 1, 2)], "latency")] == [False, True]
    assert [each.recommended for each in recommend([row("a", 3, 1), row("b", 2, 1)], "energy")] == [False, True]
    assert [each.recommended for each in recommend([row("a", 1, 2), row("b", 1, 2)], "latency")] == [True, False]


def test_rows_that_failed_are_never_recommended_and_each_group_has_its_own() -> None:
    rows = [
        SweepRecord("m", 1, "a", error="no"),
        row("b", 5, 5, batch=1),
        row("a", 1, 1, batch=8),
        row("b", 2, 2, batch=8),
        row("a", 9, 9, model="n"),
        SweepRecord("o", 1, "a", error="no"),
    ]
    assert [each.recommended for each in recommend(rows, "latency")] == [False, True, True, False, True, False]


# the whole


def test_rows_stand_in_the_order_of_models_batch_sizes_and_targets() -> None:
    seen: list[SweepRecord] = []
    rows = sweep([DIGITS, TRANSFORMER], TARGETS[1:], [2, 1], engine=LocalEngine(jobs=2), on_row=seen.append)

    refs = ("arm-ethos-u85:u85-1024", "cpu-only:host")
    wanted = [(model, batch, ref) for model in ("digits_qdq", "transformer") for batch in (2, 1) for ref in refs]
    assert [(each.model, each.batch, each.target) for each in rows] == wanted
    assert len(seen) == len(rows)
    assert set(seen) == {replace(each, recommended=False) for each in rows}
    assert [bool(each.error) for each in rows] == [False] * 4 + [True] * 2 + [False] * 2
    assert sum(each.recommended for each in rows) == 3


def test_rows_are_those_of_jobs_run_here() -> None:
    rows = sweep([DIGITS], TARGETS, engine=LocalEngine(jobs=2))
    here = [replace(run_job(job(target=target)), model="digits_qdq") for target in TARGETS]
    assert [replace(each, recommended=False) for each in rows] == here


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a.onnx", "b.onnx"], ["a", "b"]),
        (["x/a.onnx", "y/a.onnx", "b.onnx"], ["x/a.onnx", "y/a.onnx", "b"]),
        (["a.onnx", "a.pb"], ["a.onnx", "a.pb"]),
        (["p/x/a.onnx", "q/x/a.onnx", "q/y/a.onnx"], ["p/x/a.onnx", "q/x/a.onnx", "y/a.onnx"]),
    ],
)
def test_models_of_equal_names_are_told_apart(paths: list[str], names: list[str]) -> None:
    assert model_names([Path("/r", path) for path in paths]) == names


def test_costs_and_overlays_go_to_their_target(tmp_path: Path) -> None:
    target = load_target("arm-ethos-u85")
    errors = ErrorsPart(samples=9, median_relative=0.1, rank_correlation=0.9)
    fitted = CostsPart(
        costs=1,
        target=target.ref,
        device="npu",
        source="vela",
        tool="some tool",
        base=base_digest(target.device("npu")),
        figures={"efficiency_dense": 1e-3},
        fitted=errors,
        held_out=errors,
        uncalibrated=errors,
    )
    costs, overlay = tmp_path / "costs.json", tmp_path / "learnt.yaml"
    write_costs(fitted, costs)
    write_overlay(OverlayPart(overlay=1, target=target.ref, device="npu", source="some tool"), overlay)
    options = CompileOptions(costs=(costs,), overlays=(overlay,))

    before, after = sweep([DIGITS], TARGETS, engine=ONE), sweep([DIGITS], TARGETS, options=options, engine=ONE)
    assert [old.latency_ms == new.latency_ms for old, new in zip(before, after, strict=True)] == [True, False, True]
    for name, given in (("costs", CompileOptions(costs=(costs,))), ("learnt", CompileOptions(overlays=(overlay,)))):
        with pytest.raises(TargetError, match=rf"{name}.*': is for {target.ref}, none of the targets; add it"):
            sweep([DIGITS], TARGETS[:1], options=given, engine=ONE)


def test_target_that_can_not_be_compiled_for_fails_in_its_own_rows() -> None:
    failed, good = sweep([DIGITS], ["hailo-8", "cpu-only"], engine=ONE)
    assert failed.target == "hailo-8"
    assert "Hailo publishes no list of the operators" in failed.error
    assert (good.error, good.recommended) == ("", True)


def text_model(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.onnx"
    onnx.save(onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> {text}'), path)
    return path


def test_what_only_some_models_have_is_fixed_in_those(tmp_path: Path) -> None:
    models = [
        text_model(tmp_path, "rows", "g (float[N, 4] a, float k) => (float[N, 4] y) { y = Mul(a, k) }"),
        text_model(tmp_path, "columns", "g (float[M, 4] b) => (float[M, 4] y) { y = Relu(b) }"),
        text_model(tmp_path, "fixed", "g (float[2, 4] a) => (float[2, 4] y) { y = Relu(a) }"),
    ]
    options = CompileOptions(dims={"N": 7, "M": 9}, shapes={"a": (2, 4), "b": (9, 4)}, binds={"k": "3"})
    clash, *good = sweep(models, ["cpu-only"], options=options, engine=ONE)
    assert "--shape a=2,4: dimension 0 ('N') is 7, got 2" in clash.error
    assert [each.error for each in good] == ["", ""]

    rows = sweep(models, ["cpu-only"], options=CompileOptions(dims={"N": 7}, binds={"k": "3"}), engine=ONE)
    assert [each.error for each in rows] == ["", "", ""]
    alone = [CompileOptions(dims={"N": 7}, binds={"k": "3"}), CompileOptions(), CompileOptions()]
    assert [each.latency_ms for each in rows] == [
        compile_model(path, "cpu-only", each).plan.predicted.latency_ms
        for path, each in zip(models, alone, strict=True)
    ]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (CompileOptions(dims={"bach": 1}), "--dim bach: no model has an input with this symbolic dimension; did you "),
        (CompileOptions(dims={"N": 2}, shapes={"img": (1,)}), "--shape img: no model has an input of this name; did "),
        (CompileOptions(binds={"k": "1"}), "--bind k: no model has an input of this name; choose one of 'image', 'x'"),
    ],
)
def test_what_no_model_has_is_refused_before_anything_is_begun(
    options: CompileOptions, words: str, tmp_path: Path
) -> None:
    own = text_model(tmp_path, "own", "g (float[N, batch] x) => (float[N, batch] y) { y = Relu(x) }")
    with pytest.raises(ModelError, match=words):
        sweep([DIGITS, own], ["cpu-only"], options=options, engine=ONE)


def test_a_model_that_can_not_be_read_fails_in_its_row_whatever_is_fixed(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"\0\1\n\2")
    (row,) = sweep([broken], ["cpu-only"], options=CompileOptions(dims={"N": 2}), engine=ONE)
    assert "is not ONNX" in row.error


@pytest.mark.parametrize(
    ("models", "targets", "batches", "error", "words"),
    [
        ([], TARGETS, [], ModelError, "needs at least one model; name"),
        ([DIGITS.with_name("digits_qdk.onnx")], TARGETS, [], ModelError, r"does not exist; did you mean .*digits_qdq"),
        ([SAMPLES], TARGETS, [], ModelError, "is a folder; name .onnx files"),
        ([DIGITS, DIGITS], TARGETS, [], ModelError, "is given twice; give each once"),
        ([DIGITS], [], [], TargetError, "needs at least one target"),
        ([DIGITS], ["cpu-onli"], [], TargetError, "did you mean 'cpu-only'?"),
        ([DIGITS], ["cpu-only", "cpu-only:host"], [], TargetError, "given twice, as 'cpu-only' and 'cpu-only:host'"),
        ([DIGITS], ["hailo-8", "cambricon-mlu370"], [], TargetError, "Hailo publishes no list of the operators"),
        ([DIGITS], TARGETS, [1, 1], ModelError, "one is given twice; give each once"),
    ],
)
def test_bad_input_is_told_before_anything_is_begun(
    models: Sequence[Path], targets: Sequence[str], batches: Sequence[int], error: type[DovetailError], words: str
) -> None:
    class NoEngine:
        def run(self, jobs: Sequence[SweepJob]) -> object:
            raise AssertionError("it was begun")

    with pytest.raises(error, match=words):
        sweep(models, targets, batches, engine=NoEngine())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options", [CompileOptions(batch=1), CompileOptions(batches=(1,)), CompileOptions(quantize=QuantizeOptions([]))]
)
def test_options_that_a_sweep_has_itself_or_does_not_take_are_refused(options: CompileOptions) -> None:
    with pytest.raises(DovetailError, match="leave"):
        sweep([DIGITS], TARGETS, options=options, engine=ONE)


# processes that die


def workers() -> list[int]:
    """The processes of the engine that this process has started."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            command = (folder / "cmdline").read_bytes()
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if parent == os.getpid() and b"sweeping/child.py" in command:
            found.append(int(folder.name))
    return found


def wait_for_worker() -> None:
    until = time.monotonic() + LONG_S
    while not workers():
        assert time.monotonic() < until, "no process was started"
        time.sleep(0.02)


def stop_one_worker() -> int:
    """Hold a process for certain at a row: it answers nothing from now on, and has a request or will get one."""
    process = workers()[0]
    os.kill(process, signal.SIGSTOP)
    return process


def swept_with(first: Callable[[], object], engine: LocalEngine) -> tuple[list[SweepRecord], list[SweepRecord]]:
    """The rows of a sweep that something happens to when its first row is done; and those without."""
    models, batches = [DIGITS, SAMPLES / "npu_whole.onnx"], [1, 2]
    rest = iter([first])

    def on_row(record: SweepRecord) -> None:
        next(rest, lambda: None)()

    disturbed = sweep(models, TARGETS, batches, engine=engine, on_row=on_row)
    return [replace(each, recommended=False) for each in disturbed], [
        replace(each, recommended=False) for each in sweep(models, TARGETS, batches, engine=LocalEngine(jobs=2))
    ]


@linux_only
@pytest.mark.parametrize("jobs", [1, 2])
def test_worker_that_is_killed_costs_its_own_row(jobs: int) -> None:
    def kill() -> None:
        process = stop_one_worker()
        # a row that it had answered already is fetched, and the next one given to it
        threading.Timer(0.5, os.kill, (process, signal.SIGKILL)).start()

    for _ in range(5):  # on a busy machine all rows may be done before the process gets another one
        got, wanted = swept_with(kill, LocalEngine(jobs=jobs))
        if any(record.error for record in got):
            break

    (lost,) = [number for number, record in enumerate(got) if record.error]
    assert got[lost].error == ("its process was killed, as the system does where memory runs out; use fewer --jobs")
    assert got[:lost] + got[lost + 1 :] == wanted[:lost] + wanted[lost + 1 :]


@linux_only
def test_worker_that_hangs_is_ended_and_costs_its_own_row() -> None:
    got, wanted = swept_with(stop_one_worker, LocalEngine(jobs=1, limit_s=8))

    (lost,) = [number for number, record in enumerate(got) if record.error]
    assert got[lost].error == "over the time limit of 8 s; give more with --limit-s"
    assert got[:lost] + got[lost + 1 :] == wanted[:lost] + wanted[lost + 1 :]
    assert workers() == []


@linux_only
def test_rows_that_nobody_fetches_any_more_are_not_made() -> None:
    rows = LocalEngine(jobs=1).run([job(), job(target="cpu-only"), job()])
    assert next(rows)[1].error == ""
    stop_one_worker()
    rows.close()  # type: ignore[attr-defined]
    assert workers() == []


@linux_only
def test_error_of_the_caller_ends_all_processes() -> None:
    def fail(record: SweepRecord) -> None:
        assert len(workers()) == 2
        stop_one_worker()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep([DIGITS, TRANSFORMER], TARGETS, [1, 2], engine=LocalEngine(jobs=2), on_row=fail)
    assert workers() == []


@linux_only
def test_interrupt_while_processes_start_ends_those_that_did(monkeypatch: pytest.MonkeyPatch) -> None:
    start, began = threading.Thread.start, list[str]()

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        if "_work" in thread.name:
            began.append(thread.name)
            if len(began) == 2:
                wait_for_worker()
                stop_one_worker()
                raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(LocalEngine(jobs=2).run([job(), job(target="cpu-only"), job()]))
    assert workers() == []


@linux_only
def test_workers_end_when_nobody_is_left_to_ask(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys\n"
        "from dovetail.compiler.sweeping.local import new_shop\n"
        "shop = new_shop()\n"
        "shop._start()\n"
        "print(shop._child.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        process = int(parent.stdout.readline())
        assert Path(f"/proc/{process}").exists()
        parent.kill()
    until = time.monotonic() + LONG_S
    while Path(f"/proc/{process}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{process}").exists()


def test_worker_that_does_not_start_is_said_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "child.py"
    broken.write_text("raise SystemExit(7)\n")
    monkeypatch.setattr("dovetail.compiler.sweeping.local._COMMAND", (sys.executable, str(broken)))
    (record,) = sweep([DIGITS], ["cpu-only"], engine=ONE)
    assert record.error == (
        "its process does not start: it crashed (exit status 7); close other programs, or use fewer --jobs"
    )


def test_relative_paths_are_found_by_the_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(DIGITS, tmp_path / "here.onnx")
    monkeypatch.chdir(tmp_path)
    (record,) = sweep(["here.onnx"], ["cpu-only"], engine=ONE)
    assert (record.model, record.error) == ("here", "")
