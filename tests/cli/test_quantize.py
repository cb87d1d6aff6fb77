"""`--quantize int8` from the command line: what is printed, what `verify` holds it to, and what is refused."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from click.testing import Result
from tests.cli.calling import dovetail

from dovetail.plan import read_plan

MODELS = Path(__file__).parents[2] / "sample_models"
DIGITS = MODELS / "digits_fp32.onnx"
NPU = "arm-ethos-u85"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with pictures to calibrate on."""
    monkeypatch.chdir(tmp_path)
    pictures = np.random.default_rng(0).uniform(0, 1, (16, 1, 1, 8, 8)).astype(np.float32)
    np.savez("pictures.npz", image=pictures)
    (tmp_path / "pictures").mkdir()
    for number, picture in enumerate(pictures):
        np.save(f"pictures/{number:02}.npy", picture)
    return tmp_path


def rows(result: Result) -> dict[str, str]:
    """The report's rows by their label, each on one line."""
    found: dict[str, str] = {}
    label = ""
    for line in result.stdout.splitlines():
        label = line[:12].strip() or label
        found[label] = f"{found.get(label, '')} {line[12:].strip()}".strip()
    return found


def refusal(*arguments: object) -> str:
    """The one line that a command refuses with; nothing is written."""
    before = sorted(Path().iterdir())
    result = dovetail(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert sorted(Path().iterdir()) == before
    return line


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("calibration", ["pictures.npz", "pictures"])
def test_the_report_shows_what_integers_gain_beside_what_they_lose(calibration: str) -> None:
    result = dovetail("compile", DIGITS, "-t", NPU, "--quantize", "int8", "--calibration", calibration, "-o", "m.plan")
    assert result.exit_code == 0, result.stderr
    shown = rows(result)
    choice = read_plan(Path("m.plan")).quantization
    assert choice is not None
    assert choice.float_value is not None
    assert choice.quantized_value is not None
    gain = choice.float_value / choice.quantized_value
    assert shown["quantized"].startswith(
        f"int8: latency {choice.quantized_value:.3g} ms, {choice.float_value:.3g} ms in"
    )
    assert f"{gain:.2f} times less (int8 activations, int8 weights per channel)" in shown["quantized"]
    loss = f"'logits' {choice.snr_db['logits']:.1f} dB above its error, 20 dB wanted"
    assert shown["accuracy"] == f"{loss}; on 4 samples held out, ranges from 12"
    assert "int8 is taken: " in shown["note"]


@pytest.mark.usefixtures("folder")
def test_inspect_says_that_float_stays() -> None:
    asked = ("-t", NPU, "--quantize", "int8", "--calibration", "pictures.npz", "--min-snr-db", 150)
    shown = rows(dovetail("inspect", DIGITS, *asked))
    assert shown["quantized"].startswith("no, float: ")
    assert "150 dB wanted" in shown["accuracy"]
    assert "float stays: in int8 the outputs are only " in shown["note"]


@pytest.mark.usefixtures("folder")
def test_verify_compares_with_the_float_model_by_signal_to_noise() -> None:
    dovetail("compile", DIGITS, "-t", NPU, "--quantize", "int8", "--calibration", "pictures.npz", "-o", "m.plan")
    close = dovetail("verify", "m.plan", DIGITS, "--emulate", "--samples", 4)
    assert close.exit_code == 0, close.stdout
    assert "dB, 20 dB wanted (default: --min-snr-db of the plan, which is int8), 4 samples" in close.stdout
    given = dovetail("verify", "m.plan", DIGITS, "--emulate", "--tolerance", 1e-6)
    assert given.exit_code == 1
    assert "tolerance 1e-06 (given)" in given.stdout


@pytest.mark.usefixtures("folder")
def test_verify_fails_where_the_output_is_another_models() -> None:
    dovetail("compile", DIGITS, "-t", NPU, "--quantize", "int8", "--calibration", "pictures.npz", "-o", "m.plan")
    np.savez("far.npz", image=np.full((1, 1, 8, 8), 300, np.float32))  # all integers saturate
    far = dovetail("verify", "m.plan", DIGITS, "--emulate", "--inputs", "far.npz")
    assert far.exit_code == 1
    assert "FAILED: signal to noise " in far.stdout


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("floats", ["", ", float[1, 16] h"])
def test_classes_may_flip_where_floats_are_judged(floats: str) -> None:
    """A tie, nearly: rounded to integers, both ends of the ramp are alike."""
    text = f"""
        <ir_version: 8, opset_import: ["": 17]>
        g (float[1, 16] x, float[16, 16] w, float[16] edge) => (int64[1] best{floats})
        {{ d = MatMul(x, w)  h = Add(d, edge)  best = ArgMax<axis = 1, keepdims = 0>(h) }}
    """
    model = onnx.parser.parse_model(text)
    edge = np.linspace(1, 1 + 1e-4, 16, dtype=np.float32)
    for name, constant in (("w", 1e-6 * np.eye(16, dtype=np.float32)), ("edge", edge)):
        model.graph.initializer.append(onnx.numpy_helper.from_array(constant, name))
    onnx.save(model, "m.onnx")
    np.savez("samples.npz", x=np.random.default_rng(0).uniform(-1, 1, (8, 16)).astype(np.float32))
    asked = ("--quantize", "int8", "--calibration", "samples.npz", "--place", "op:MatMul=npu", "-o", "m.plan")
    made = dovetail("compile", "m.onnx", "-t", NPU, *asked)
    assert made.exit_code == 0, made.stderr
    result = dovetail("verify", "m.plan", "m.onnx", "--emulate")
    assert result.exit_code == (0 if floats else 1)
    assert ("signal to noise " if floats else "FAILED: 1 elements differ, none may") in result.stdout


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ("--quantize", "int8"),
            "--quantize needs samples of the inputs to find ranges; add --calibration",
        ),
        (("--quantize", "int4", "--calibration", "pictures"), "'int4' is not 'int8'"),
        (("--calibration", "pictures"), "--calibration and --min-snr-db belong to --quantize int8; add it"),
        (("--min-snr-db", "3"), "--calibration and --min-snr-db belong to --quantize int8; add it"),
        (
            ("--quantize", "int8", "--calibration", "none"),
            "calibration 'none': does not exist; give an .npz",
        ),
    ],
)
def test_options_that_can_not_be_used_are_refused(options: tuple[str, ...], words: str) -> None:
    assert words in refusal("compile", DIGITS, "-t", NPU, *options)


@pytest.mark.usefixtures("folder")
def test_samples_that_do_not_fit_are_refused() -> None:
    np.savez("wrong.npz", picture=np.zeros((4, 1, 8, 8), np.float32))
    line = refusal("compile", DIGITS, "-t", NPU, "--quantize", "int8", "--calibration", "wrong.npz")
    assert line == "error: calibration 'wrong.npz': has no array for input 'image', it has 'picture'; add one"


@pytest.mark.usefixtures("folder")
def test_a_quantized_model_is_refused() -> None:
    quantized = MODELS / "digits_qdq.onnx"
    line = refusal("compile", quantized, "-t", NPU, "--quantize", "int8", "--calibration", "pictures")
    assert line.startswith("error: model 'digits_qdq': it is quantized already, ")


@pytest.mark.usefixtures("folder")
def test_a_plan_takes_no_quantization() -> None:
    dovetail("compile", DIGITS, "-t", NPU, "-o", "m.plan")
    line = refusal("inspect", "m.plan", "--quantize", "int8", "--calibration", "pictures")
    assert "leave out --quantize, --calibration" in line


@pytest.mark.npu
@pytest.mark.skipif(find_spec("onnxruntime_qnn") is None, reason="needs the qnn extra")
def test_integers_are_proven_on_the_hexagon_against_the_float_model(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOVETAIL_CACHE", str(folder / "cache"))
    draw = np.random.default_rng(0)
    text = """
        <ir_version: 8, opset_import: ["": 17]>
        g (float[256, 512] x, float[512, 512] w) => (float[256, 512] y)
        { [one] a = MatMul(x, w)  [two] b = MatMul(a, w)  [three] y = MatMul(b, w) }
    """
    model = onnx.parser.parse_model(text)
    weights = draw.uniform(-0.05, 0.05, (512, 512)).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weights, "w"))
    onnx.save(model, "m.onnx")
    np.savez("samples.npz", x=draw.uniform(-1, 1, (4, 256, 512)).astype(np.float32))
    asked = (
        "--quantize",
        "int8",
        "--calibration",
        "samples.npz",
        "--place",
        "op:MatMul=npu",
        "--verify",
        "-o",
        "m.plan",
    )
    made = dovetail("compile", "m.onnx", "-t", "qualcomm-hexagon-htp", *asked)
    assert made.exit_code == 0, made.stderr
    plan = read_plan(Path("m.plan"))
    assert plan.quantization is not None
    assert plan.quantization.taken
    assert plan.quantization.reason in plan.notes
    assert plan.certificate is not None
    assert plan.certificate.holds
    (whole,) = [check for check in plan.certificate.checks if not check.partition]
    assert whole.limit_db == 20
    assert whole.snr_db == pytest.approx(plan.quantization.snr_db["y"], abs=6)
    assert any(partition.compiled_file for partition in plan.partitions)
