"""`inspect --what-if`, what `inspect` suggests, and what `explain` says of pins."""

import json
import re
import shutil
from pathlib import Path

import pytest
from tests.cli.calling import dovetail, refusal

MODELS = Path(__file__).parents[2] / "sample_models"
U85 = ("-t", "arm-ethos-u85")


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A small convolutional network of floats, of which an Ethos-U takes nothing."""
    shutil.copy(MODELS / "mobilenet_v2.onnx", tmp_path / "net.onnx")
    monkeypatch.chdir(tmp_path)
    return "net.onnx"


def test_what_if_is_a_table_of_before_and_after(model: str) -> None:
    result = dovetail("inspect", model, *U85, "--what-if", "op:Conv=npu", "--what-if", "op:Clip=npu")
    assert result.exit_code == 0
    assert "npu took 'op:Conv': 52 operators; it does not take 52 of them by itself" in result.stdout
    assert "npu took 'op:Clip': 35 operators" in result.stdout
    for label in ("objective (latency)", "latency", "energy", "partitions", "transfers", "operators on npu"):
        assert re.search(rf"^{re.escape(label)} ", result.stdout, re.MULTILINE), label
    assert max(map(len, result.stdout.splitlines())) <= 100


def test_what_if_compares_with_what_inspect_says(model: str) -> None:
    found = json.loads(dovetail("inspect", model, *U85, "--what-if", "op:Conv=npu", "--format", "json").stdout)
    plan = json.loads(dovetail("inspect", model, *U85, "--format", "json").stdout)
    assert found["before"]["value"] == plan["predicted"]["value"]
    assert found["before"]["partitions"] == len(plan["partitions"])
    assert found["after"]["value"] < found["before"]["value"]
    assert dict(found["before"]["operators"])["npu"] == 0
    assert dict(found["after"]["operators"])["npu"] >= 1


def test_what_if_takes_the_options_of_a_placement(model: str) -> None:
    asked = ("inspect", model, *U85, "--what-if", "*=npu", "--format", "json")
    energy = json.loads(dovetail(*asked, "--objective", "energy").stdout)
    pinned = json.loads(dovetail(*asked, "--place", "op:Conv=cpu").stdout)
    assert energy["objective"] == "energy"
    assert energy["after"]["value"] == energy["after"]["energy_mj"]
    assert dict(pinned["after"]["operators"])["cpu"] >= 52


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((*U85, "--what-if", "op:Conv=dla"), "the target has no such device; choose one of 'npu', 'cpu'"),
        ((*U85, "--what-if", "op:Cnov=npu"), "no operator of the compiled model has such a type; did you mean 'Conv'?"),
        ((*U85, "--what-if", "zzz=npu"), "no operator of the compiled model has such a name; write a name, a glob"),
        ((*U85, "--what-if", "Conv"), "must have the form GLOB=DEVICE"),
        ((*U85, "--what-if", "*=npu", "--pareto"), "leave out one"),
        ((*U85, "--what-if", "*=npu", "--batch", "1,8"), "--what-if shows one batch size"),
        ((*U85, "--what-if", "*=npu", "--format", "html"), "--what-if has no --format html; choose one of text, json"),
        (("--what-if", "*=npu"), "--what-if compiles: it needs a model and a target"),
    ],
)
def test_a_change_that_means_nothing_is_one_line(model: str, options: tuple[str, ...], words: str) -> None:
    assert words in refusal("inspect", model, *options)


def test_inspect_suggests_the_change_that_gains_most_first(model: str) -> None:
    text = dovetail("inspect", model, *U85).stdout
    _, _, section = text.partition("what would help most\n")
    lines = [line for line in section.splitlines() if line.startswith("if ")]
    first = re.fullmatch(
        r"if the 52 Conv \(\w+\) ran on npu: partitions 1 -> \d+, latency \S+ -> \S+ ms, -(\S+) %", lines[0]
    )
    assert first is not None
    shares = [float(line.rsplit("-", 1)[1].removesuffix(" %")) for line in lines]
    assert shares == sorted(shares, reverse=True)
    assert max(map(len, text.splitlines())) <= 100


def test_nothing_is_suggested_where_nothing_is_kept_off_the_device() -> None:
    result = dovetail("inspect", MODELS / "npu_whole.onnx", "-t", "qualcomm-hexagon-htp")
    assert result.exit_code == 0
    assert "what would help most" not in result.stdout


def test_explain_says_what_each_other_device_would_cost(model: str) -> None:
    text = dovetail("explain", model, "features.0.conv", "-t", "nvidia-orin-dla").stdout
    assert re.search(r"pinned elsewhere, the whole model has \(latency 0\.\d+ ms as it is\):", text)
    assert re.search(r"on npu +latency \S+ ms, \+\d+ %", text)
    assert re.search(r"on gpu +latency \S+ ms, \+\d+ %", text)


def test_explain_says_what_it_would_bring_if_a_device_took_an_operator(model: str) -> None:
    said = dovetail("explain", model, "features.0.conv", *U85).stdout.splitlines()
    (line,) = (line for line in said if "if npu took it" in line)
    assert re.fullmatch(r" +if npu took it  latency [\d.]+ ms, -[\d.]+ %", line)


def test_explain_says_where_there_is_no_other_device(model: str) -> None:
    said = dovetail("explain", model, "features.0.conv", "-t", "cpu-only").stdout
    assert "pinned elsewhere: no other device takes it" in said


def test_explain_of_many_operators_places_nothing_again(model: str) -> None:
    text = dovetail("explain", model, "*", *U85).stdout
    assert text.endswith("what pins would cost is not placed again for so many operators: name fewer\n")
    assert "pinned elsewhere" not in text


def test_explain_of_a_plan_says_that_it_has_no_graph(tiny_plan: Path) -> None:
    assert "needs the graph, which a plan does not hold" in dovetail("explain", tiny_plan, "scale").stdout
