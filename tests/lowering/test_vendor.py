"""What a vendor's compiler made of models: asked in a child, kept by content."""

import json
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime
import pytest
from tests.conftest import model_from_text

from dovetail.lowering.vendor import VendorCompiler, why_not_compiled
from dovetail.lowering.workshop import NoAnswer
from dovetail.plan import BackendSpec
from dovetail.plan.errors import LoweringError

CHILD: Final = """
import json, os, sys, time
from pathlib import Path
import numpy, onnx, onnxruntime
print("ready", flush=True)
rules = Path(sys.argv[1])
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "run":
        session = onnxruntime.InferenceSession(request["model"], providers=["CPUExecutionProvider"])
        with numpy.load(request["feeds"]) as loaded:
            feeds = {name: loaded[f"f{index}"] for index, name in enumerate(request["inputs"])}
        try:
            results = session.run(request["outputs"], feeds)
        except Exception as problem:
            print(json.dumps({"words": str(problem)}), flush=True)
            continue
        numpy.savez(request["out"], **{f"r{index}": array for index, array in enumerate(results)})
        print(json.dumps({"words": ""}), flush=True)
        continue
    types = [node.op_type for node in onnx.load(request["model"]).graph.node]
    with rules.with_suffix(".journal").open("a") as file: file.write(" ".join(types) + "\\n")
    what = json.loads(rules.read_text())
    bad = [each for each in what if each in types]
    if bad and what[bad[0]] == "hang": time.sleep(3600)
    if bad and what[bad[0]] == "abort": os.abort()
    if bad and what[bad[0]] == "nothing kept":
        print(json.dumps({"words": "", "written": False}), flush=True)
        continue
    if not bad:
        onnx.save(onnx.load(request["model"]), request["out"])
        Path(request["out"]).with_name("model.bin").write_bytes(b"binary" * 100)
    print(json.dumps({"words": what[bad[0]] if bad else "", "written": not bad}), flush=True)
"""
RELU: Final = "g (float[2] x) => (float[2] y) { [first] h = Mul(x, x)  [second] y = Relu(h) }"
OTHER_NAMES: Final = "other (float[2] a) => (float[2] c) { b = Mul(a, a)  c = Relu(b) }"
NEG: Final = "g (float[2] x) => (float[2] y) { y = Neg(x) }"


class Bench:
    """A cache folder, and compilers over it that obey rules: operator type -> what becomes of a model with it."""

    def __init__(self, folder: Path) -> None:
        self.cache = folder / "cache"
        self._rules = folder / "rules.json"
        (folder / "child.py").write_text(CHILD, encoding="utf-8")
        self._command = [sys.executable, str(folder / "child.py"), str(self._rules)]
        self.rule({})

    def rule(self, rules: dict[str, str]) -> None:
        self._rules.write_text(json.dumps(rules))

    def compiler(self, **options: Any) -> VendorCompiler:
        backend = options.pop("backend", BackendSpec("FakeExecutionProvider"))
        given = {"folder": self.cache, "tool": "fake 1.0", "limit_s": 60.0, **options}
        return VendorCompiler(backend, "npu", command=self._command, **given)

    @property
    def asked(self) -> list[str]:
        journal = self._rules.with_suffix(".journal")
        return journal.read_text().splitlines() if journal.exists() else []

    def entry(self) -> Path:
        (folder,) = self.cache.iterdir()
        return folder


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_compiled_model_is_kept_with_its_binary_and_runs(bench: Bench) -> None:
    with bench.compiler() as compiler:
        made = compiler.compile(model_from_text(RELU))
        assert (made.words, made.by_chance, compiler.compiles) == ("", False, 1)
        assert made.folder == bench.entry()
        assert made.model is not None
        assert sorted(path.name for path in made.folder.iterdir()) == ["model.bin", "model.onnx", "outcome.json"]
        (got,) = compiler.run(made, [np.array([2, -3], np.float32)])
        assert got.tolist() == [4, 9]


def test_a_second_compiler_asks_nobody(bench: Bench) -> None:
    with bench.compiler() as first:
        made = first.compile(model_from_text(RELU))
    with bench.compiler() as second:
        assert second.compile(model_from_text(RELU)) == made
        assert second.compile(model_from_text(OTHER_NAMES)) == made
        assert second.compiles == 0
    assert bench.asked == ["Mul Relu"]


def test_within_one_compiler_a_block_that_repeats_is_compiled_once(bench: Bench) -> None:
    with bench.compiler() as compiler:
        assert compiler.compile(model_from_text(RELU)) == compiler.compile(model_from_text(OTHER_NAMES))
        assert compiler.known(model_from_text(RELU)) == compiler.known(model_from_text(OTHER_NAMES)) is not None
        assert compiler.known(model_from_text(NEG)) is None
    assert bench.asked == ["Mul Relu"]


@pytest.mark.parametrize(
    "other",
    [
        {"tool": "fake 1.1"},
        {"backend": BackendSpec("OtherExecutionProvider")},
        {"backend": BackendSpec("FakeExecutionProvider", {"soc": "1"})},
        {"backend": BackendSpec("FakeExecutionProvider", {}, {"entry": "1"})},
    ],
    ids=["version", "provider", "options", "entries"],
)
def test_another_compiler_is_asked_again(other: dict[str, Any], bench: Bench) -> None:
    for options in ({}, other):
        with bench.compiler(**options) as compiler:
            compiler.compile(model_from_text(RELU))
    assert len(bench.asked) == 2


@pytest.mark.parametrize(("rule", "words"), [("no Relu here", "no Relu here"), ("abort", "it crashed (signal 6)")])
def test_refusals_are_kept(rule: str, words: str, bench: Bench) -> None:
    bench.rule({"Relu": rule})
    for _ in range(2):
        with bench.compiler() as compiler:
            made = compiler.compile(model_from_text(RELU))
            assert (made.words, made.folder, made.model) == (words, None, None)
            assert not compiler.compile(model_from_text(NEG)).words  # the next one is served
    assert bench.asked == ["Mul Relu", "Neg"]


def test_what_takes_too_long_is_asked_about_again_by_the_next_compiler_only(bench: Bench) -> None:
    bench.rule({"Relu": "hang"})
    with bench.compiler(limit_s=0.5) as compiler:
        made = compiler.compile(model_from_text(RELU))
        assert (made.words, made.by_chance) == ("no answer within 0.5 s", True)
        assert compiler.compile(model_from_text(OTHER_NAMES)) == made
    assert len(bench.asked) == 1
    assert not list(bench.cache.iterdir())
    bench.rule({})
    with bench.compiler() as compiler:
        assert not compiler.compile(model_from_text(RELU)).words
    assert len(bench.asked) == 2


def test_after_a_model_that_took_too_long_its_parts_get_less_time(bench: Bench) -> None:
    bench.rule({"Relu": "hang", "Neg": "hang"})
    with bench.compiler(limit_s=0.8) as compiler:
        words = [compiler.compile(model_from_text(text)).words for text in (RELU, NEG)]
        assert words == ["no answer within 0.8 s", "no answer within 0.1 s"]
        compiler.be_patient()
        longer = model_from_text(NEG.replace("[2]", "[3]"))
        assert compiler.compile(longer).words == "no answer within 0.8 s"
        assert compiler.full_waits == 2


def test_a_compiler_that_keeps_nothing_has_taken_the_model(bench: Bench) -> None:
    bench.rule({"Relu": "nothing kept"})
    for _ in range(2):
        with bench.compiler() as compiler:
            made = compiler.compile(model_from_text(RELU))
            assert (made.words, made.model) == ("", None)
    assert len(bench.asked) == 1


def corrupt(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(data)

    return change


@pytest.mark.parametrize(
    "damage",
    [
        corrupt("model.onnx"),
        corrupt("model.bin"),
        lambda folder: (folder / "model.bin").unlink(),
        lambda folder: (folder / "model.bin").write_bytes(b""),
        lambda folder: (folder / "outcome.json").unlink(),
        lambda folder: (folder / "outcome.json").write_text("{"),
        lambda folder: (folder / "outcome.json").write_text("[]"),
        lambda folder: (folder / "outcome.json").write_text("{}"),
        lambda folder: (folder / "outcome.json").write_text('{"words": "", "files": ["model.onnx"]}'),
        lambda folder: (folder / "outcome.json").write_bytes(b"\xff"),
        shutil.rmtree,
    ],
    ids=["model", "binary", "no binary", "empty", "no outcome", "cut", "list", "keys", "files", "bytes", "gone"],
)
def test_a_damaged_entry_is_made_again(damage: Callable[[Path], None], bench: Bench) -> None:
    with bench.compiler() as compiler:
        compiler.compile(model_from_text(RELU))
    before = {path.name: path.read_bytes() for path in bench.entry().iterdir()}
    damage(bench.entry())
    with bench.compiler() as compiler:
        made = compiler.compile(model_from_text(RELU))
        assert compiler.compiles == 1
    assert made.folder == bench.entry()
    assert {path.name: path.read_bytes() for path in bench.entry().iterdir()} == before


def test_compilers_that_make_the_same_at_once_all_have_it(bench: Bench) -> None:
    def compile_one(_: int) -> bytes:
        with bench.compiler() as compiler:
            made = compiler.compile(model_from_text(RELU))
        assert made.model is not None
        return made.model.read_bytes()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(compile_one, range(4)))) == 1
    assert bench.entry().is_dir()


def unwritable_folders(tmp_path: Path) -> list[Path]:
    (tmp_path / "file").write_text("not a folder")
    folders = [tmp_path / "file" / "cache"]
    return [*folders, Path("/proc/self")] if sys.platform == "linux" else folders


def test_where_nothing_can_be_kept_it_compiles_all_the_same(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for folder in unwritable_folders(tmp_path):
        with bench.compiler(folder=folder) as compiler:
            made = compiler.compile(model_from_text(RELU))
            assert made.model is not None
            assert compiler.run(made, [np.array([1, 2], np.float32)])[0].tolist() == [1, 4]


def test_the_cache_is_where_the_user_wants_it(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOVETAIL_CACHE", str(tmp_path / "mine"))
    with bench.compiler(folder=None) as compiler:
        made = compiler.compile(model_from_text(RELU))
    assert made.folder is not None
    assert made.folder.parent == tmp_path / "mine" / "compiled"


def test_a_compiled_model_that_does_not_run_is_no_answer(bench: Bench) -> None:
    with bench.compiler() as compiler:
        made = compiler.compile(model_from_text(RELU))
        with pytest.raises(NoAnswer, match="Got invalid dimensions") as caught:
            compiler.run(made, [np.zeros(5, np.float32)])
        assert not caught.value.timed_out
        assert compiler.run(made, [np.ones(2, np.float32)])


def test_a_compiler_that_does_not_start_refuses_no_model(bench: Bench) -> None:
    backend = BackendSpec("FakeExecutionProvider")
    command = [sys.executable, "-c", "raise SystemExit(1)"]
    with (
        VendorCompiler(backend, "npu", folder=bench.cache, command=command, tool="fake 1.0") as compiler,
        pytest.raises(LoweringError, match="ended before it was asked anything"),
    ):
        compiler.compile(model_from_text(RELU))
    assert not list(bench.cache.iterdir())


def test_a_model_that_is_too_large_is_refused_unasked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dovetail.lowering.vendor._LARGEST_MODEL", 10)
    with bench.compiler() as compiler:
        assert "more than 2 GB" in compiler.compile(model_from_text(RELU)).words
    assert bench.asked == []


class TestOwnChild:
    """The child that asks a provider of ONNX Runtime; its CPU provider is here on every machine."""

    def test_a_model_that_the_provider_runs_is_taken(self, tmp_path: Path) -> None:
        with VendorCompiler(BackendSpec("CPUExecutionProvider"), "npu", folder=tmp_path) as compiler:
            assert not compiler.compile(model_from_text(RELU)).words

    def test_one_that_it_does_not_know_is_refused_in_its_words(self, tmp_path: Path) -> None:
        model = model_from_text(RELU)
        model.graph.node[1].domain = "nobody"
        model.opset_import.add(domain="nobody", version=1)
        with VendorCompiler(BackendSpec("CPUExecutionProvider"), "npu", folder=tmp_path) as compiler:
            made = compiler.compile(model)
            assert "nobody" in made.words
            assert len(made.words.splitlines()) == 1

    def test_a_provider_that_is_not_here_refuses_all(self, tmp_path: Path) -> None:
        with VendorCompiler(BackendSpec("NobodyExecutionProvider"), "npu", folder=tmp_path) as compiler:
            assert "NobodyExecutionProvider" in compiler.compile(model_from_text(RELU)).words


def test_why_nothing_compiles() -> None:
    assert why_not_compiled(None) == "nothing on this machine compiles for it"
    assert why_not_compiled(BackendSpec("CPUExecutionProvider")) == ""
    assert "NobodyExecutionProvider is not in this ONNX Runtime" in why_not_compiled(
        BackendSpec("NobodyExecutionProvider")
    )


def test_a_kept_model_is_an_onnx_file_whose_ends_are_in_order(bench: Bench) -> None:
    text = "g (float[2] p, float[2] q) => (float[2] s, float[2] t) { t = Sub(p, q)  s = Add(p, q) }"
    with bench.compiler() as compiler:
        made = compiler.compile(model_from_text(text))
        assert made.model is not None
        onnx.checker.check_model(onnx.load(made.model), full_check=True)
        added, subtracted = compiler.run(made, [np.array([5, 6], np.float32), np.array([1, 2], np.float32)])
    assert (added.tolist(), subtracted.tolist()) == ([6, 8], [4, 4])
    session = onnxruntime.InferenceSession(made.model, providers=["CPUExecutionProvider"])
    assert len(session.get_outputs()) == 2
