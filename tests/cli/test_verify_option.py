"""`compile --verify` and what it leaves for `run --require-certificate`."""

import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import onnxruntime
import pytest
from click.testing import Result
from tests.cli.calling import dovetail
from tests.conftest import ROOT, model_from_text

from dovetail.plan import Certificate, read_plan, write_plan
from dovetail.plan.arrays import read_arrays

DIGITS: Final = ROOT / "sample_models" / "digits_fp32.onnx"
IMAGE: Final = ROOT / "sample_models" / "inputs" / "digit.npy"
HTP: Final = "qualcomm-hexagon-htp"
THREE: Final = ROOT / "tests" / "data" / "three-cpus.yaml"
WITHOUT_QNN: Final = "import sys; sys.modules['onnxruntime_qnn'] = None; from dovetail.cli.main import main; main()"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOVETAIL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.onnx"
    onnx.save(model_from_text("g (float[2] x) => (float[2] y) { [exp] a = Exp(x)  [neg] y = Neg(a) }"), path)
    return path


def compiled(model: Path, target: object, plan: Path, *options: object) -> str:
    result = dovetail("compile", model, "-t", target, "-o", plan, *options)
    assert result.exit_code == 0, result.output
    return " ".join(result.stdout.split())


def error_of(result: Result) -> str:
    """Return the last line of a refusal."""
    assert result.exit_code == 2
    assert result.stdout == ""
    return result.stderr.splitlines()[-1]


def certificate_of(plan: Path) -> Certificate:
    certificate = read_plan(plan).certificate
    assert certificate is not None
    return certificate


class TestWithoutVendor:
    """A plan of the CPU alone needs no vendor's compiler to be proven."""

    def test_a_verified_plan_has_a_certificate(self, model: Path, tmp_path: Path) -> None:
        words = compiled(model, "cpu-only", tmp_path / "p.plan", "--verify")
        assert "verified holds: every output equals the model's over 2 samples" in words
        certificate = certificate_of(tmp_path / "p.plan")
        assert (certificate.holds, certificate.samples, certificate.tools, certificate.compiles) == (True, 2, (), 0)
        assert certificate.versions["onnxruntime"] == onnxruntime.__version__
        assert [(each.partition, each.tensor) for each in certificate.checks] == [("", "y")]

    def test_the_report_of_a_plan_shows_it(self, model: Path, tmp_path: Path) -> None:
        compiled(model, "cpu-only", tmp_path / "p.plan", "--verify")
        assert "verified" in dovetail("inspect", tmp_path / "p.plan").stdout
        compiled(model, "cpu-only", tmp_path / "p.plan")
        assert "verified" not in dovetail("inspect", tmp_path / "p.plan").stdout

    def test_the_same_inputs_give_the_same_certificate(self, model: Path, tmp_path: Path) -> None:
        for name in ("one", "other"):
            compiled(model, "cpu-only", tmp_path / name, "--verify")
        assert certificate_of(tmp_path / "one") == certificate_of(tmp_path / "other")

    def test_given_inputs_are_the_only_sample(self, model: Path, tmp_path: Path) -> None:
        digests = set()
        for number in range(2):
            np.savez(tmp_path / "in.npz", x=np.full(2, number, np.float32))
            compiled(model, "cpu-only", tmp_path / "p.plan", "--verify", "--verify-inputs", tmp_path / "in.npz")
            certificate = certificate_of(tmp_path / "p.plan")
            assert certificate.samples == 1
            digests.add(certificate.inputs_sha256)
        assert len(digests) == 2

    def test_what_is_wanted_is_in_the_certificate(self, model: Path, tmp_path: Path) -> None:
        compiled(model, "cpu-only", tmp_path / "p.plan", "--verify", "--verify-snr-db", 12.5)
        assert [check.limit_db for check in certificate_of(tmp_path / "p.plan").checks] == [12.5]

    def test_every_batch_size_has_a_certificate(self, tmp_path: Path) -> None:
        path = tmp_path / "m.onnx"
        onnx.save(model_from_text("g (float[N, 2] x) => (float[N, 2] y) { y = Exp(x) }"), path)
        compiled(path, "cpu-only", tmp_path / "p.plan", "--verify", "--batch", "1,4")
        plan = read_plan(tmp_path / "p.plan")
        assert plan.certificate is not None
        assert [variant.certificate is not None for variant in plan.variants] == [True]
        result = dovetail("run", tmp_path / "p.plan", "--random", 0, "--batch", 4, "--require-certificate")
        assert result.exit_code == 0

    def test_a_batch_size_that_the_model_does_not_have(self, tmp_path: Path) -> None:
        compiled(DIGITS, "cpu-only", tmp_path / "p.plan", "--verify", "--batch", "8")  # the file fixes batch 1
        assert certificate_of(tmp_path / "p.plan").holds

    def test_bound_inputs_are_bound_in_the_proof_too(self, tmp_path: Path) -> None:
        path = tmp_path / "m.onnx"
        onnx.save(model_from_text("g (float[N] x, float k) => (float[N] y) { y = Mul(x, k) }"), path)
        compiled(path, "cpu-only", tmp_path / "p.plan", "--verify", "--bind", "k=3", "--dim", "N=5")
        assert certificate_of(tmp_path / "p.plan").holds

    def test_nothing_was_learnt(self, model: Path, tmp_path: Path) -> None:
        words = compiled(model, "cpu-only", tmp_path / "p.plan", "--verify", "--learn", tmp_path / "learnt.yaml")
        assert "nothing was learnt: no compiler refused an operator by itself" in words
        assert not (tmp_path / "learnt.yaml").exists()

    def test_devices_that_onnxruntime_drives_itself_are_verified_as_well(self, model: Path, tmp_path: Path) -> None:
        options = ("--solver", "greedy", "--place", "neg=cpu", "--verify")
        compiled(model, THREE, tmp_path / "p.plan", *options)
        certificate = certificate_of(tmp_path / "p.plan")
        assert certificate.holds
        assert certificate.tools
        assert {partition.device for partition in read_plan(tmp_path / "p.plan").partitions} == {"npu", "cpu"}
        result = dovetail("run", tmp_path / "p.plan", "--random", 0, "--require-certificate")
        assert result.exit_code == 0

    def test_where_no_compiler_is_installed_the_plan_says_so_and_has_no_certificate(
        self, model: Path, tmp_path: Path
    ) -> None:
        plan = tmp_path / "p.plan"
        compiled(DIGITS, "rockchip-rk3588", plan, "--verify")
        assert read_plan(plan).certificate is None
        assert [note for note in read_plan(plan).notes if note.startswith("not verified: device 'npu': ")]
        assert "not verified: device 'npu':" in " ".join(dovetail("inspect", plan).stdout.split())
        line = error_of(dovetail("run", plan, "--random", 0, "--require-certificate"))
        assert "has no certificate; compile the model with --verify" in line


class TestRequireCertificate:
    def test_a_verified_plan_runs(self, model: Path, tmp_path: Path) -> None:
        compiled(model, "cpu-only", tmp_path / "p.plan", "--verify")
        assert dovetail("run", tmp_path / "p.plan", "--random", 0, "--require-certificate").exit_code == 0

    def test_a_plan_that_was_not_verified_is_refused(self, model: Path, tmp_path: Path) -> None:
        compiled(model, "cpu-only", tmp_path / "p.plan")
        line = error_of(dovetail("run", tmp_path / "p.plan", "--random", 0, "--require-certificate"))
        assert line.startswith("error: plan ")
        assert "has no certificate; compile the model with --verify where the vendor's compiler is installed" in line

    def test_a_certificate_that_does_not_hold_is_refused(self, model: Path, tmp_path: Path) -> None:
        path = tmp_path / "p.plan"
        compiled(model, "cpu-only", path, "--verify")
        plan = read_plan(path)
        write_plan(replace(plan, certificate=replace(certificate_of(path), holds=False)), path)
        line = error_of(dovetail("run", path, "--random", 0, "--require-certificate"))
        assert "its certificate does not hold; see 'dovetail inspect" in line
        assert "DOES NOT HOLD" in dovetail("inspect", path).stdout
        assert dovetail("run", path, "--random", 0).exit_code == 0

    def test_one_batch_size_without_certificate_is_enough_to_refuse(self, tmp_path: Path) -> None:
        model, path = tmp_path / "m.onnx", tmp_path / "p.plan"
        onnx.save(model_from_text("g (float[N, 2] x) => (float[N, 2] y) { y = Exp(x) }"), model)
        compiled(model, "cpu-only", path, "--verify", "--batch", "1,4")
        plan = read_plan(path)
        write_plan(replace(plan, variants=(replace(plan.variants[0], certificate=None),)), path)
        assert "has no certificate" in error_of(dovetail("run", path, "--random", 0, "--require-certificate"))


class TestRefusals:
    @pytest.mark.parametrize(
        "option", [("--verify-inputs", "in.npz"), ("--verify-snr-db", "30"), ("--learn", "learnt.yaml")]
    )
    def test_options_without_verify(self, option: tuple[str, str], model: Path, tmp_path: Path) -> None:
        result = dovetail("compile", model, "-t", "cpu-only", "-o", tmp_path / "p.plan", *option)
        assert "belong to --verify; add it" in error_of(result)
        assert not (tmp_path / "p.plan").exists()

    def test_learning_into_a_folder_that_is_not_there(self, model: Path, tmp_path: Path) -> None:
        learnt = tmp_path / "none" / "learnt.yaml"
        result = dovetail("compile", model, "-t", "cpu-only", "-o", tmp_path / "p.plan", "--verify", "--learn", learnt)
        assert "its folder does not exist; make it or choose another" in error_of(result)
        assert not (tmp_path / "p.plan").exists()

    @pytest.mark.parametrize(
        ("arrays", "words"),
        [
            (None, "does not exist; check the path"),
            ({"z": np.zeros(2, np.float32)}, "has no array for input 'x', it has 'z'; add one"),
            ({"x": np.zeros(3, np.float32)}, "x"),
            ({"x": np.zeros(2, np.int64)}, "x"),
        ],
        ids=["missing", "other input", "shape", "type"],
    )
    def test_inputs_that_can_not_be_used(
        self, arrays: dict[str, np.ndarray] | None, words: str, model: Path, tmp_path: Path
    ) -> None:
        if arrays is not None:
            np.savez(tmp_path / "in.npz", allow_pickle=False, **arrays)
        options = ("--verify", "--verify-inputs", tmp_path / "in.npz")
        line = error_of(dovetail("compile", model, "-t", "cpu-only", "-o", tmp_path / "p.plan", *options))
        assert words in line
        assert not (tmp_path / "p.plan").exists()

    def test_inputs_that_are_no_archive(self, model: Path, tmp_path: Path) -> None:
        (tmp_path / "in.npz").write_bytes(b"PK\x03\x04")
        options = ("--verify", "--verify-inputs", tmp_path / "in.npz")
        line = error_of(dovetail("compile", model, "-t", "cpu-only", "-o", tmp_path / "p.plan", *options))
        assert "is no NumPy file" in line


@pytest.mark.npu
@pytest.mark.skipif(find_spec("onnxruntime_qnn") is None, reason="needs the qnn extra")
class TestOnTheHtp:
    def test_a_plan_is_compiled_proven_and_runs_compiled(self, tmp_path: Path, own_cache: Path) -> None:
        plan = tmp_path / "p.plan"
        words = compiled(DIGITS, HTP, plan, "--verify")
        assert "partition compiled by onnxruntime-qnn" in words
        certificate = certificate_of(plan)
        assert certificate.holds
        assert certificate.compiles >= 1
        made = {partition.compiled_file: partition.id for partition in read_plan(plan).partitions}
        assert all(name is not None and (plan / name).is_file() for name in made)
        assert {check.partition for check in certificate.checks} == {*made.values(), ""}
        result = dovetail("run", plan, "--input", f"image={IMAGE}", "--require-certificate", "--strict")
        assert result.exit_code == 0
        assert "npu (simulator)" in result.stdout

        again = tmp_path / "again.plan"
        compiled(DIGITS, HTP, again, "--verify")
        assert certificate_of(again) == replace(certificate, compiles=0)
        assert list((own_cache / "compiled").iterdir())

        outputs = tmp_path / "out.npz"
        arguments = ["run", str(plan), "--input", f"image={IMAGE}", "--output", str(outputs)]
        hidden = subprocess.run(
            [sys.executable, "-c", WITHOUT_QNN, *arguments], capture_output=True, text=True, timeout=120, check=True
        )
        assert "simulator" not in hidden.stdout
        assert "onnxruntime-qnn" in " ".join(hidden.stdout.split())  # why, in the events
        session = onnxruntime.InferenceSession(DIGITS, providers=["CPUExecutionProvider"])
        (wanted,) = session.run(None, {"image": np.load(IMAGE)})
        np.testing.assert_allclose(read_arrays(outputs, "out")["logits"].tolist(), wanted, rtol=1e-4, atol=1e-4)

    def test_what_the_device_can_not_reach_moves_until_the_rest_is_proven(self, tmp_path: Path) -> None:
        path, plan = tmp_path / "m.onnx", tmp_path / "p.plan"
        onnx.save(
            model_from_text("g (float[1, 8] x) => (float[1, 8] y) { [relu] a = Relu(x)  [exp] y = Exp(a) }"), path
        )
        options = ("--solver", "greedy", "--verify", "--verify-snr-db", "100", "--learn", tmp_path / "learnt.yaml")
        words = compiled(path, HTP, plan, *options)
        assert "verified holds" in words
        assert "nothing was learnt" in words  # wrong numbers say nothing of other models
        operators = {each.name: each for each in read_plan(plan).operators}
        assert {each.device for each in operators.values()} == {"cpu"}
        reasons = {name: each.verdicts[0].reasons[0] for name, each in operators.items()}
        assert {reason.rule for reason in reasons.values()} == {"numerics"}
        assert "its result there is wrong: signal to noise" in reasons["exp"].message
        assert "100 dB are wanted" in reasons["exp"].message
        # right by itself, but what it rounds is too much for the operator behind it
        assert "is enough to change what 'exp' makes of it" in reasons["relu"].message
        notes = [note for note in read_plan(plan).notes if note.startswith("verified: '")]
        assert len(notes) == 2
        assert all(note.endswith("or allow the error with --verify-snr-db") for note in notes)

    def test_what_the_compiler_refuses_is_learnt_for_other_models(self, tmp_path: Path) -> None:
        path, target, learnt = tmp_path / "m.onnx", tmp_path / "board.yaml", tmp_path / "learnt.yaml"
        target.write_text("name: board\nextends: qualcomm-hexagon-htp\ndevices: {npu: {ops: {Hardmax: {}}}}\n")
        text = "g (float[2, 4] x) => (float[2, 4] y, float[2, 4] z)"
        onnx.save(model_from_text(text + "{ [abs] a = Abs(x)  [hard] z = Hardmax(a)  [neg] y = Neg(a) }"), path)
        options = ("--solver", "greedy", "--verify")
        words = compiled(path, target, tmp_path / "p.plan", *options, "--learn", learnt)
        assert "verified holds: 1 partition compiled" in words
        assert "learnt 1 of npu, written to" in words
        devices = {each.name: each.device for each in read_plan(tmp_path / "p.plan").operators}
        assert devices == {"abs": "npu", "hard": "cpu", "neg": "npu"}
        told = " ".join(dovetail("explain", tmp_path / "p.plan", "hard").stdout.split())
        assert "its compiler refuses it: hard (Hardmax): Operators of type `Hardmax` are not supported" in told

        other = tmp_path / "other.onnx"
        onnx.save(model_from_text("h (float[2, 4] p) => (float[2, 4] q) { [top] q = Hardmax(p) }"), other)
        told = " ".join(dovetail("explain", other, "top", "-t", target, "--overlay", learnt).stdout.split())
        assert "this Hardmax was refused by the vendor's compiler" in told
        again = compiled(path, target, tmp_path / "q.plan", *options, "--overlay", learnt)
        assert "note verified:" not in again  # nothing is left to repair
        assert certificate_of(tmp_path / "q.plan").compiles == 0
