"""The gallery shows every sample model as it is compiled now."""

import importlib.util
import sys
from types import ModuleType
from typing import Final

import pytest
from tests.docs.blocks import ROOT

FOLDER: Final = ROOT / "docs/gallery"
MOST_BYTES: Final = 150_000


@pytest.fixture(scope="module")
def gallery() -> ModuleType:
    """The script that makes it."""
    spec = importlib.util.spec_from_file_location("gallery", ROOT / "sample_models/gallery.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["gallery"] = module  # dataclasses look for the module of their class
    spec.loader.exec_module(module)
    return module


def test_the_texts_are_current(gallery: ModuleType) -> None:
    made = gallery.pages()
    old = [name for name, text in made.items() if (FOLDER / name).read_text(encoding="utf-8") != text]
    assert old == [], f"not what the reports say now: run `{gallery.COMMAND}`"


def test_every_sample_model_is_shown_with_a_small_picture(gallery: ModuleType) -> None:
    models = {path.stem for path in (ROOT / "sample_models").glob("*.onnx")}
    assert {exhibit.model for exhibit in gallery.EXHIBITS} == models
    assert {path.name for path in FOLDER.iterdir()} == {*gallery.pages(), *(f"{model}.png" for model in models)}
    assert [path.name for path in FOLDER.glob("*.png") if path.stat().st_size > MOST_BYTES] == []
