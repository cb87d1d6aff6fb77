"""Files that a command writes for other programs."""

from pathlib import Path

from dovetail.plan.atomic import write_file
from dovetail.plan.errors import DovetailError


def check_folder(option: str, path: Path | None) -> None:
    """Refuse an output before the work for it is done.

    Raises:
        DovetailError: its folder does not exist, or it is a folder.
    """
    if path and not path.absolute().parent.is_dir():
        raise DovetailError(f"{option} '{path}': its folder does not exist; make it or choose another")
    if path and path.is_dir():
        raise DovetailError(f"{option} '{path}': is a folder; give a file's name")


def write_text(path: Path, text: str, what: str) -> None:
    """Write a text as UTF-8, whole or not at all.

    Args:
        path: where.
        text: what cannot be UTF-8 in it is written as escapes.
        what: the object for the message, for example `report`.

    Raises:
        DovetailError: it can't be written there.
    """
    write_file(path, text.encode(errors="backslashreplace"), what=what, error=DovetailError)
