"""The pages of codes: every code has one, every example yields its code, and what it prints is what the page says."""

import ast
from pathlib import Path
from typing import Final

import pytest

from dovetail.cli.code_pages import COMMAND, docs_pages, example_of, has_vendor, run_example
from dovetail.plan.causes import PLACEMENT_RULE
from dovetail.plan.codes import CODES, Code, find_code
from dovetail.report.codes import code_page, page_file, render_code
from dovetail.targets.json_schema import rule_kinds

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "docs/codes"
BY_CODE: Final = pytest.mark.parametrize("code", CODES, ids=lambda code: code.code)
MAKERS: Final = {"Reason": 0, "_finding": 2}
"""What makes reasons -> the position of the rule among its arguments."""


def rules_in(path: Path) -> set[str]:
    """The rules that a module names where it makes a reason."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS:
            named = [keyword.value for keyword in node.keywords if keyword.arg == "rule"]
            given = (named or node.args[MAKERS[node.func.id] :])[0]
            if isinstance(given, ast.Constant) and isinstance(given.value, str):
                found.add(given.value)
    return found


def test_every_rule_has_a_code() -> None:
    sources = [path for root in ("compiler", "passes", "runtime") for path in (ROOT / root).rglob("*.py")]
    named = {rule for path in sources for rule in rules_in(path)}
    assert {"op_list", "cost", "pinned", "body", "backend", "probe", "numerics"} <= named
    assert {each.rule for each in CODES} == {*rule_kinds(), *named - {PLACEMENT_RULE}}


def test_codes_and_rules_are_told_apart_and_in_order() -> None:
    codes, rules = [each.code for each in CODES], [each.rule for each in CODES]
    assert codes == sorted(set(codes))
    assert len(set(rules)) == len(rules)
    assert all(each.title and each.fix and not each.title.endswith(".") for each in CODES)


def test_there_is_no_page_without_a_code() -> None:
    assert {path.name for path in page_file(CODES[0]).parent.iterdir()} == {f"{each.code}.md" for each in CODES}
    assert {path.name for path in FOLDER.iterdir()} == set(docs_pages())


@pytest.mark.parametrize("name", sorted(docs_pages()))
def test_a_page_in_the_docs_is_what_the_package_has(name: str) -> None:
    is_current = (FOLDER / name).read_text(encoding="utf-8") == docs_pages()[name]
    assert is_current, f"docs/codes/{name} is not what the package has: run `{COMMAND}`"


@BY_CODE
def test_a_page_says_what_how_and_what_to_do(code: Code) -> None:
    page = code_page(code).page
    headings = [line.lstrip("# ") for line in page.splitlines() if line.startswith("#")]
    assert headings == [f"{code.code} {code.rule}: {code.title}", "How it is decided", "What to do", "Example"]
    assert "\n1. " in page
    assert "\n2. " in page


@BY_CODE
def test_a_page_fits_a_terminal(code: Code) -> None:
    text = render_code(code_page(code))
    assert max(map(len, text.splitlines())) <= 100
    assert "```" not in text
    assert "\x1b[" not in text


@BY_CODE
def test_an_example_prints_what_its_page_says_and_that_is_its_code(code: Code) -> None:
    example = example_of(code)
    if example.needs_vendor and not has_vendor():
        pytest.skip("onnxruntime-qnn is not installed: pip install dovetail[qnn]")
    printed = run_example(example)
    if not example.needs_vendor:  # errors of a simulator differ in their last digits from host to host
        assert printed == example.printed, f"run `{COMMAND}`"
    # a rule about engines refuses nothing
    assert ("(engine vector unit)" if code.rule == "engine" else f"{code.code} {code.rule}: ") in printed


@pytest.mark.parametrize("text", ["DV104", "dv104", "dtype", "DTYPE"])
def test_a_code_is_found_by_its_name_and_that_of_its_rule(text: str) -> None:
    found = find_code(text)
    assert found is not None
    assert (found.code, found.rule) == ("DV104", "dtype")


@pytest.mark.parametrize("text", ["", "DV1", "DV1044", "types", "placement"])
def test_another_name_is_no_code(text: str) -> None:
    assert find_code(text) is None
