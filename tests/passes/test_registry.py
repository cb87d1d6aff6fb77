"""One name, four places: on the command line, the class, the file and the test."""

import inspect
import re
from pathlib import Path

import pytest

from dovetail.passes import GraphPass, describe_pass, pass_class, pass_names
from dovetail.passes.canonical import CANONICAL_PASSES
from dovetail.passes.legalize import LEGALIZE_PASSES
from dovetail.plan.errors import PassError

VERBS = {
    "eliminate", "fold", "fuse", "decompose", "convert", "insert", "propagate", "legalize", "annotate",
}  # fmt: skip
TESTS = Path(__file__).parent
SOURCES = Path(inspect.getfile(GraphPass)).parent
CONCRETE = re.compile(r"^class (\w+)\(GraphPass\)", re.MULTILINE)


def folder(name: str) -> Path:
    return Path(inspect.getfile(pass_class(name))).parent


@pytest.mark.parametrize("name", pass_names())
def test_named_by_rule(name: str) -> None:
    found = pass_class(name)
    file = name.replace("-", "_")
    assert found.name == name
    assert found.__name__ == "".join(word.capitalize() for word in name.split("-"))
    assert Path(inspect.getfile(found)).name == f"{file}.py"
    assert (TESTS / folder(name).name / f"test_{file}.py").is_file()
    assert name.split("-")[0] in VERBS


@pytest.mark.parametrize("name", pass_names())
def test_documented(name: str) -> None:
    words = describe_pass(name)
    assert words.splitlines()[0].strip().endswith((".", ":"))
    assert words != inspect.getdoc(GraphPass), "its own words, not those of its base"


def test_every_pass_is_registered() -> None:
    written = {cls for path in SOURCES.rglob("*.py") for cls in CONCRETE.findall(path.read_text(encoding="utf-8"))}
    assert written == {pass_class(name).__name__ for name in pass_names()}


def test_every_pass_of_a_folder_runs_with_it() -> None:
    for run, name in ((CANONICAL_PASSES, "canonical"), (LEGALIZE_PASSES, "legalize")):
        assert {each.name for each in run} == {known for known in pass_names() if folder(known).name == name}


def test_folders_come_in_the_order_in_which_they_run() -> None:
    folders = [folder(name).name for name in pass_names()]
    assert list(dict.fromkeys(folders)) == ["canonical", "legalize", "tagging"]
    assert folders == sorted(folders, key=["canonical", "legalize", "tagging"].index)


def test_unknown_name() -> None:
    with pytest.raises(PassError, match=r"no pass is named 'fold-constant'; did you mean 'fold-constants'"):
        pass_class("fold-constant")


def test_passes_are_values() -> None:
    """Frozen, so that a list of passes can be shared and compared."""
    for each in (*CANONICAL_PASSES, *LEGALIZE_PASSES):
        assert each == type(each)()
        with pytest.raises(AttributeError):
            setattr(each, "extra", 1)  # noqa: B010
