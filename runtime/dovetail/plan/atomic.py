"""Writing a file, or the folder of a plan, whole or not at all."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from dovetail.plan.errors import DovetailError, PlanError
from dovetail.plan.naming import shown
from dovetail.plan.validate import PLAN_FILE

_WAITING: Final = 16
"""Files that are brought to the disk at the same time: 1,400 small ones take 0.1 s so, one by one 2 s."""


@contextmanager
def atomic_file(final: Path, *, what: str, error: type[DovetailError]) -> Iterator[IO[bytes]]:
    """Give a file to fill; when the block ends well, it becomes `final`.

    Where `final` is a terminal, a pipe or a device, that is written to, not replaced by a file. A link stays a link.

    Args:
        final: The file that the user names.
        what: The object for the message, for example `report`.
        error: The error to raise.

    Raises:
        error: If it can't be written. What was at `final` is as it was.
    """
    label = f"{what} {shown(str(final))}"
    try:
        place = Path(os.path.realpath(final))
        if place.exists() and not place.is_file():
            with place.open("wb") as file:  # a folder is refused here
                yield file
            return
        if place.exists() and not os.access(place, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        partial = place.with_name(f".dovetail-{secrets.token_hex(6)}.part")
        try:
            with partial.open("xb") as file:
                yield file
            if place.exists():
                shutil.copymode(place, partial)
            partial.replace(place)
        finally:
            partial.unlink(missing_ok=True)
    except FileNotFoundError as problem:
        raise error(f"{label}: its folder does not exist; make it or choose another") from problem
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise error(f"{label}: can't be written, {reason}; choose another place") from problem


def write_file(final: Path, data: bytes, *, what: str, error: type[DovetailError]) -> None:
    """Write a file whole or not at all; as `atomic_file`."""
    with atomic_file(final, what=what, error=error) as file:
        file.write(data)


@contextmanager
def atomic_folder(final: Path) -> Iterator[Path]:
    """Give an empty folder to fill; when the block ends well, it becomes `final`.

    A plan that is at `final` is put aside by one rename, and the new folder put there by another; a crash
    between the two leaves the old plan beside it, as `.dovetail-*.old`. When the block raises, the new folder is
    removed and `final` is as it was.

    Raises:
        PlanError: If `final` is something else than a plan, if its parent is no folder, or if writing fails.
    """
    check_replaceable(final)
    label = _label(final)
    # a link to a plan stays a link
    final = Path(os.path.realpath(final))
    token = secrets.token_hex(6)
    temporary = final.parent / f".dovetail-{token}.tmp"
    aside = final.parent / f".dovetail-{token}.old"
    try:
        temporary.mkdir()
        yield temporary
        _sync_tree(temporary)
        _replace(temporary, final, aside)
    except OSError as problem:
        reason = problem.strerror or problem
        raise PlanError(f"{label}: can't be written, {reason}; check space and permissions") from problem
    finally:
        # gone after a success; what is left is of a failure, which must not be hidden by another
        shutil.rmtree(temporary, ignore_errors=True)
    shutil.rmtree(aside, ignore_errors=True)


def check_replaceable(final: Path) -> None:
    """Refuse a place where no plan can be written, before the work for it is done.

    Raises:
        PlanError: If `final` is something else than a plan, or if its parent is no folder.
    """
    label = _label(final)
    final = Path(os.path.realpath(final))
    if not final.parent.is_dir():
        raise PlanError(f"{label}: its folder does not exist; make it or choose another")
    if not os.path.lexists(final):
        return
    if not final.is_dir():
        raise PlanError(f"{label}: a file is there; remove it or give another name")
    if any(final.iterdir()) and not (final / PLAN_FILE).is_file():
        raise PlanError(f"{label}: a folder that is not a plan is there; remove it or give another name")


def _label(final: Path) -> str:
    return f"plan {shown(str(final))}"


def _replace(new: Path, final: Path, aside: Path) -> None:
    replaces = final.exists()
    if replaces:
        final.rename(aside)
    try:
        new.rename(final)
    except OSError:
        if replaces:
            aside.rename(final)
        raise
    _sync(final.parent)


def _sync_tree(folder: Path) -> None:
    """Have everything on the disk before the rename, so that no crash can leave a plan with empty files."""
    places = [(Path(place), names) for place, _, names in os.walk(folder)]
    files = [place / name for place, names in places for name in names]
    with ThreadPoolExecutor(_WAITING) as pool:  # the disk is waited for, and takes what waits together at once
        for _ in pool.map(_sync, files):
            pass
    for place, _ in places:
        _sync(place)


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # Windows can't open a folder
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
