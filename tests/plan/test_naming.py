"""What a message proposes instead of an unknown name."""

from pathlib import Path

import pytest

from dovetail.plan import closest, is_plan, meant, meant_path

DEVICES = ["npu", "gpu", "cpu"]


@pytest.mark.parametrize(
    ("name", "known", "advice"),
    [
        ("npuu", DEVICES, "did you mean 'npu'?"),
        ("GPU", DEVICES, "did you mean 'gpu'?"),
        ("dla", DEVICES, "choose one of 'npu', 'gpu', 'cpu'"),
        ("", DEVICES, "choose one of 'npu', 'gpu', 'cpu'"),
        ("x", ["image"], "choose 'image'"),
        ("x", [], "leave it out, there are none"),
        ("qualcomm", ["apple-ane", "qualcomm-hexagon-htp"], "did you mean 'qualcomm-hexagon-htp'?"),
        ("hexagon", ["apple-ane", "qualcomm-hexagon-htp"], "did you mean 'qualcomm-hexagon-htp'?"),
        ("core", ["first-core-1", "core-of-a-second-kind"], "did you mean 'core-of-a-second-kind'?"),
        ("core", ["first-core-1", "second-core-2"], "choose one of 'first-core-1', 'second-core-2'"),
        ("q", ["apple-ane", "qualcomm-hexagon-htp"], "choose one of 'apple-ane', 'qualcomm-hexagon-htp'"),
        ("a", [str(n) for n in range(100)], f"choose one of {', '.join(repr(str(n)) for n in range(30))} and 70 more"),
    ],
)
def test_the_closest_name_or_all_that_there_are(name: str, known: list[str], advice: str) -> None:
    assert meant(name, known).startswith(advice)


def test_of_names_that_are_alike_the_first_counts() -> None:
    assert closest("conv_1", ["Conv_1", "CONV_1"]) == "Conv_1"


def test_names_that_nobody_types_cost_no_time() -> None:
    assert closest("a" * 100_000, ["a" * 100_001]) is None


def test_a_proposed_name_is_quoted_as_one_line() -> None:
    assert meant("con\nv", ["con\nv2"]) == r"did you mean 'con\nv2'?"


class TestPaths:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for name in ("model.onnx", "README.md", "notes.txt"):
            (tmp_path / name).touch()
        for name in ("model.plan", "other"):
            (tmp_path / name).mkdir()
        (tmp_path / "model.plan/plan.json").touch()
        return tmp_path

    @pytest.mark.parametrize(
        ("typed", "there"),
        [
            ("modle.onnx", "model.onnx"),
            ("model.onxn", "model.onnx"),
            ("Model.plan", "model.plan"),
            ("readme.md", "README.md"),
            ("othr", "other"),
        ],
    )
    def test_the_file_that_is_most_like_it(self, folder: Path, typed: str, there: str) -> None:
        assert meant_path(folder / typed) == f"did you mean {str(folder / there)!r}?"

    @pytest.mark.parametrize("typed", ["zzz.onnx", "none/model.onnx", "notes.txt/model.onnx", "a\0b"])
    def test_nothing_like_it(self, folder: Path, typed: str) -> None:
        assert meant_path(folder / typed) == "check the path"

    def test_only_what_fits_is_proposed(self, folder: Path) -> None:
        assert meant_path(folder / "othr", is_plan) == "check the path"
        assert meant_path(folder / "modle.plan", is_plan) == f"did you mean {str(folder / 'model.plan')!r}?"
        assert meant_path(folder / "modle.plan", Path.is_file) == f"did you mean {str(folder / 'model.onnx')!r}?"
