"""Every format of `inspect`, for every sample model on every shipped target, and as a shell sees it."""

import json
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, Final

import onnx
import onnx.helper
import pytest
from click.testing import CliRunner
from jsonschema import Draft4Validator, Draft202012Validator
from markdown_it import MarkdownIt
from rich.cells import cell_len

from dovetail.cli.main import program
from dovetail.compiler import CompileOptions, compile_graph, compile_model, prepare
from dovetail.plan import Plan, TargetError, plan_from_json
from dovetail.report import render_annotations, render_json, render_markdown, render_sarif, render_text, summarize
from dovetail.report.json_schema import data_folder
from dovetail.targets import load_target, target_names

ROOT: Final = Path(__file__).resolve().parents[2]
SAMPLES: Final = sorted((ROOT / "sample_models").glob("*.onnx"))
WIDTH: Final = 100
COMMENT: Final = 65_536
FORMATS: Final = ("text", "json", "markdown", "github", "sarif")
PAIRS: Final = (
    ("ssd_detector", "qualcomm-hexagon-htp"),
    ("control_flow", "arm-ethos-u85"),
    ("mobilenet_v2_qdq", "cpu-only"),
)


def plans(sample: Path) -> dict[str, Plan]:
    """The sample's plans for every target that says which operators it takes."""
    graph, found = prepare(sample, CompileOptions()), {}
    for name in target_names():
        target = load_target(name)
        try:
            target.require_operators()
        except TargetError:
            continue
        found[name] = compile_graph(graph, target, CompileOptions()).plan
    return found


def read_strictly(text: str) -> dict[str, Any]:
    """One JSON object and nothing beside it: no NaN, no key twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({key for key, _ in pairs}) == len(pairs)
        return dict(pairs)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    document = json.loads(text, object_pairs_hook=once, parse_constant=refuse)
    assert isinstance(document, dict)
    assert text.startswith("{")
    assert text.endswith("}\n")
    return document


@cache
def plan_schema() -> Draft202012Validator:
    return Draft202012Validator(json.loads((data_folder() / "plan.schema.json").read_text(encoding="utf-8")))


@cache
def sarif_schema() -> Draft4Validator:
    return Draft4Validator(json.loads((ROOT / "tests/data/sarif/sarif-2.1.0-rtm.5.json").read_text(encoding="utf-8")))


def check_text(text: str) -> None:
    assert [line for line in text.splitlines() if cell_len(line) > WIDTH] == []
    assert "\x1b" not in text


def check_json(text: str) -> None:
    assert [error.message for error in plan_schema().iter_errors(read_strictly(text))] == []


def check_markdown(text: str) -> None:
    assert len(text) <= COMMENT
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    blocks = "".join(token.content for token in tokens if token.type.startswith("html"))
    tags = Counter(re.findall(r"</?\w+", blocks))
    assert tags.keys() <= {"<details", "</details", "<summary", "</summary"}
    assert len(set(tags.values())) <= 1
    columns = 0
    for line in text.splitlines():
        cells = len(re.findall(r"(?<!\\)(?:\\\\)*\|", line))
        assert cells == 0 or columns in (0, cells), line
        columns = cells


def check_github(text: str) -> None:
    lines = text.splitlines()
    assert all(re.fullmatch(r"::(warning|notice) title=[^:,]+::.+", line) for line in lines)
    assert max(Counter(line.split()[0] for line in lines).values()) <= 10


def check_sarif(text: str, displaced: int) -> None:
    log = read_strictly(text)
    assert [error.message for error in sarif_schema().iter_errors(log)] == []
    results = log["runs"][0]["results"]
    assert len(results) == displaced
    assert len({result["partialFingerprints"]["primaryLocationLineHash"] for result in results}) == displaced
    assert all(re.fullmatch(r"DV\d{3}", result["ruleId"]) for result in results)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.stem)
def test_every_format_is_valid_on_every_target(sample: Path) -> None:
    found = plans(sample)
    assert len(found) >= 20
    for plan in found.values():
        report = summarize(plan)
        check_text(render_text(report))
        check_json(render_json(plan))
        check_markdown(render_markdown(report))
        check_github(render_annotations(plan))
        check_sarif(render_sarif(plan, sample), len(report.displaced))


def inspect(*arguments: object) -> str:
    """What the command prints, and nothing on stderr."""
    result = CliRunner().invoke(program, ["inspect", *map(str, arguments)])
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_holds_what_is_printed(form: str, tmp_path: Path) -> None:
    path = tmp_path / "report"
    asked = (ROOT / "sample_models/transformer.onnx", "-t", "arm-ethos-u85", "--format", form)

    printed = inspect(*asked)

    assert printed
    assert inspect(*asked, "-o", path) == ""
    assert path.read_text(encoding="utf-8") == printed


@pytest.mark.parametrize("form", FORMATS)
def test_a_plan_is_reported_like_its_model(form: str, tmp_path: Path) -> None:
    model, target = ROOT / "sample_models/digits_qdq.onnx", "nvidia-orin-dla"
    saved = compile_model(model, target, CompileOptions()).save(tmp_path / "digits.plan")

    of_plan, of_model = (inspect(*asked, "--format", form) for asked in ((saved,), (model, "-t", target)))

    if form == "json":
        whole, unwritten = read_strictly(of_plan), read_strictly(of_model)
        assert whole.pop("files")
        assert unwritten.pop("files") == {}
        assert whole == unwritten
    elif form == "sarif":
        assert of_plan.replace(saved.as_uri(), model.as_uri()) == of_model
    else:
        assert of_model.startswith(of_plan), "what would help most is only solved for a model"


@pytest.mark.parametrize(
    ("option", "form"), [("--pareto", "markdown"), ("--pareto", "sarif"), ("--what-if=*=cpu", "github")]
)
def test_a_format_that_an_option_does_not_have_is_refused(option: str, form: str) -> None:
    result = CliRunner().invoke(program, ["inspect", str(SAMPLES[0]), "-t", "arm-ethos-u85", option, "--format", form])

    assert (result.exit_code, result.stdout) == (2, "")
    assert f"has no --format {form}; choose one of text, json" in result.stderr


@pytest.mark.parametrize(("name", "target"), PAIRS)
def test_json_goes_through_a_pipe(name: str, target: str) -> None:
    asked = f"'{sys.executable}' -m dovetail.cli inspect sample_models/{name}.onnx -t {target} --format json"

    piped = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{asked} | '{sys.executable}' -m json.tool"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )

    assert (piped.returncode, piped.stderr) == (0, "")
    assert plan_from_json(piped.stdout).target.startswith(target)


def test_long_and_wide_names_stay_within_the_page(tmp_path: Path) -> None:
    names = ["block/" * 60 + "relu", "層" * 200, "n" * 500, "a b " * 90]
    nodes = [
        onnx.helper.make_node("Identity" if index % 2 else "Softplus", [f"{name}:in"], [f"{name}:out"], name=name)
        for index, name in enumerate(names)
    ]
    inputs, outputs = (
        [onnx.helper.make_tensor_value_info(f"{name}:{end}", onnx.TensorProto.FLOAT, (1, 8)) for name in names]
        for end in ("in", "out")
    )
    graph = onnx.helper.make_graph(nodes, "g" * 300, inputs, outputs)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)]), tmp_path / "long.onnx")

    for target in ("arm-ethos-u85", "qualcomm-hexagon-htp", "cpu-only"):
        asked = (tmp_path / "long.onnx", "-t", target)
        text = inspect(*asked)
        assert [line for line in text.splitlines() if cell_len(line) > WIDTH] == []
        check_json(inspect(*asked, "--format", "json"))
        check_markdown(inspect(*asked, "--format", "markdown"))
        check_github(inspect(*asked, "--format", "github"))
