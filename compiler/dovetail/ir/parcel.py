"""A model's file together with those of its external data, as it is sent to another machine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dovetail.ir.door import open_model
from dovetail.ir.door.budgets import MAX_MODEL_BYTES
from dovetail.plan.errors import ModelError
from dovetail.plan.files import check_relative, open_inside, read_regular

LARGEST_PARCEL: Final = 8 << 30
"""Bytes: it is held in memory whole, at both ends."""
_WHAT: Final = "external data of the model"


def pack_model(path: Path) -> dict[str, bytes]:
    """Read a model and the files of its external data, by their paths in the model's folder.

    Raises:
        ModelError: the model can't be used, as `load_model` says it; or its files are too large.
    """
    opened = open_model(path)
    assert opened.base_dir is not None
    files = {path.name: read_regular(path, limit=MAX_MODEL_BYTES, what="model", error=ModelError)}
    room = LARGEST_PARCEL - len(files[path.name])
    for location in opened.external:
        with open_inside(opened.base_dir, location, what=_WHAT, error=ModelError) as file:
            files[location] = file.read(room + 1)
        room -= len(files[location])
        if room < 0:
            raise ModelError(
                f"model '{opened.name}': has more than {LARGEST_PARCEL >> 30} GiB with its external data, which is not "
                "sent to other machines; use --engine local"
            )
    return files


def unpack_model(files: Mapping[str, bytes], folder: Path) -> None:
    """Write what `pack_model` has read into a folder.

    Raises:
        ModelError: a path leads out of it.
    """
    for name, data in files.items():
        path = folder.joinpath(*check_relative(name, what=_WHAT, error=ModelError))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
