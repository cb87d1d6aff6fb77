"""Files that a command writes for other programs."""

from pathlib import Path

from dovetail.plan.errors import DovetailError


def check_folder(option: str, path: Path | None) -> None:
    """Refuse an output before the work for it is done.

    Raises:
        DovetailError: its folder does not exist.
    """
    if path and not path.parent.is_dir():
        raise DovetailError(f"{option} '{path}': its folder does not exist; make it or choose another")


def write_text(path: Path, text: str, what: str) -> None:
    """Write a text as UTF-8.

    Args:
        path: where.
        text: what cannot be UTF-8 in it is written as escapes.
        what: the object for the message, for example `report`.

    Raises:
        DovetailError: it can't be written there.
    """
    try:
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise DovetailError(f"{what} '{path}': can't be written, {error.strerror}; choose another place") from error
