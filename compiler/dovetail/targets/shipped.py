"""The target files that ship with Dovetail."""

from importlib import resources
from pathlib import Path
from typing import Final

from dovetail.plan.errors import TargetError
from dovetail.plan.naming import meant, shown

SUFFIXES: Final = (".yaml", ".yml")


def data_folder() -> Path:
    """Return the folder of the shipped files."""
    return Path(str(resources.files("dovetail.targets"))) / "data"


def target_names() -> tuple[str, ...]:
    """Return the names of the shipped targets, sorted. No file is read."""
    names = (entry.name for entry in data_folder().iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def shipped_file(name: str) -> Path:
    """Return the file of a shipped target; TargetError, with what there is, for an unknown name."""
    if name not in target_names():
        raise TargetError(f"unknown target {shown(name)}; {meant(name, target_names())}")
    return data_folder() / f"{name}.yaml"


def is_path(ref: str) -> bool:
    """Return whether a reference is meant as the path of a file, not as a name."""
    return ref.endswith(SUFFIXES) or "/" in ref or "\\" in ref
