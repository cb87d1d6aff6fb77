"""The one door for files that a user, a model or a plan names.

A path that the user gives is followed where it leads, to a regular file. A path that stands *inside* a
model or a plan is not trusted: it may only name a regular file below a given folder, and nothing on the way
may be a link.
"""

import hashlib
import os
import stat
from collections.abc import Sequence
from io import BufferedReader
from pathlib import Path, PurePosixPath, PureWindowsPath

from dovetail.plan.errors import DovetailError
from dovetail.plan.naming import meant_path, shown

_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
# without O_NONBLOCK the mere opening of a named pipe waits for a writer
_READ_FILE = _READ | getattr(os, "O_NONBLOCK", 0)
_HAS_DIR_FD = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW") and hasattr(os, "O_DIRECTORY")


def open_inside(root: Path, relative: str, *, what: str, error: type[DovetailError]) -> BufferedReader:
    """Open for reading the regular file `relative` below `root`.

    Args:
        root: The folder that must hold the file. It is trusted: the user named it.
        relative: The path as it stands in a model or a plan, with forward slashes. Not trusted.
        what: The object for the message, for example `external data of tensor 'w'`.
        error: The error to raise.

    Raises:
        error: If the path has a form that could leave `root`, if a part of it is a link, or if it is not a
            regular file with exactly one name (a hard link can show the bytes of a file outside).
    """
    label = f"{what}: file {shown(relative)}"
    parts = check_relative(relative, what=what, error=error)
    try:
        descriptor = _open_parts(root, parts) if _HAS_DIR_FD else _open_resolved(root, parts)
    except OSError as problem:
        raise error(f"{label} {_why_not_opened(root, parts, problem)}") from problem
    try:
        _check_opened(os.fstat(descriptor), label, error)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def check_relative(relative: str, *, what: str, error: type[DovetailError]) -> tuple[str, ...]:
    """The parts of a path that stands in a model or a plan, once its form is known to be safe.

    Raises:
        error: If the form could lead out of the folder that the path is relative to.
    """
    label = f"{what}: file {shown(relative)}"
    rule = _broken_rule(relative)
    if rule:
        raise error(f"{label} {rule}; name a file below its own folder by a relative path")
    return PurePosixPath(relative).parts


def read_regular(path: Path, *, limit: int, what: str, error: type[DovetailError]) -> bytes:
    """Read a file that the user names, once, whole.

    Args:
        path: The file. Links are followed, because the user may keep models behind them.
        limit: The largest size allowed, in bytes.
        what: The object for the message, for example `model`.
        error: The error to raise.

    Raises:
        error: If the file is missing, is not a regular file (a pipe or a device would hang), is empty, or is
            larger than `limit`.
    """
    label = f"{what} {shown(str(path))}"
    with open_regular(path, what=what, error=error) as file:
        status = os.fstat(file.fileno())
        if status.st_size == 0:
            raise error(f"{label}: is empty; give a file with content")
        if status.st_size > limit:
            raise error(f"{label}: has {status.st_size} bytes, at most {limit} are read; give a smaller file")
        try:
            data = file.read(status.st_size + 1)  # read(limit) would set aside memory for the limit
        except OSError as problem:
            raise error(f"{label}: can't be read, {_reason(problem)}; check the disk") from problem
    if len(data) != status.st_size:
        raise error(f"{label}: changed while it was read; try again when nothing writes to it")
    return data


def open_regular(path: Path, *, what: str, error: type[DovetailError]) -> BufferedReader:
    """Open for reading a file that the user names.

    Args:
        path: The file. Links are followed, because the user may keep models behind them.
        what: The object for the message, for example `model`.
        error: The error to raise.

    Raises:
        error: If the file is missing, or is not a regular file (a pipe or a device would hang).
    """
    label = f"{what} {shown(str(path))}"
    try:
        # looked at before it is opened: opening a device can already do something
        _check_regular(os.stat(path), label, error)
        descriptor = os.open(path, _READ_FILE)
    except FileNotFoundError as problem:
        raise error(f"{label}: does not exist; {meant_path(path, Path.is_file)}") from problem
    except (OSError, ValueError) as problem:
        raise error(f"{label}: can't be read, {_reason(problem)}; check the path and its permissions") from problem
    file = os.fdopen(descriptor, "rb")
    try:
        _check_regular(os.fstat(descriptor), label, error)
    except BaseException:
        file.close()
        raise
    return file


def sha256_file(file: BufferedReader) -> str:
    """The SHA-256 of everything from the file's position on, in hexadecimal."""
    return hashlib.file_digest(file, "sha256").hexdigest()


def _broken_rule(relative: str) -> str:
    """Why the path can't be used, in words that follow the path; empty where it can."""
    windows_form = PureWindowsPath(relative)
    rules = (
        (relative.strip("./") == "", "names no file"),
        ("\0" in relative, "holds a NUL character"),
        (not is_unicode(relative), "is not valid Unicode"),
        ("_ORT_MEM_ADDR_" in relative, "names an address in memory"),
        ("://" in relative, "is a URL"),
        ("\\" in relative, "holds a backslash"),
        (relative.startswith("/"), "is absolute"),
        (bool(windows_form.drive), "names a drive"),
        (os.name == "nt" and ":" in relative, "holds a colon"),
        (".." in windows_form.parts, "holds '..'"),
    )
    return next((words for broken, words in rules if broken), "")


def is_unicode(text: str) -> bool:
    """Whether the text can be written as UTF-8, which lone surrogates can't."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _open_parts(root: Path, parts: Sequence[str]) -> int:
    """Open part after part, each from the folder before it, so that nothing can be swapped meanwhile."""
    folder = os.open(root, _READ | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            inner = os.open(part, _READ | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(parts[-1], _READ_FILE | os.O_NOFOLLOW, dir_fd=folder)
    finally:
        os.close(folder)


def _open_resolved(root: Path, parts: Sequence[str]) -> int:
    """The same where the platform can't open from a folder: every part is looked at, then the file opened."""
    base = root.resolve(strict=True)
    path = base.joinpath(*parts)
    if path.resolve(strict=True) != path or not stat.S_ISREG(os.lstat(path).st_mode):
        raise OSError("a part of it is a link, or it is not a regular file")
    return os.open(path, _READ_FILE)


def _why_not_opened(root: Path, parts: Sequence[str], problem: OSError) -> str:
    """The words for a failed opening; the file system is asked again only to say it well."""
    place = root
    for part in parts:
        place = place / part
        if os.path.islink(place):  # unlike Path.is_symlink, it raises nothing for a name that is too long
            return f"goes through the link {shown(str(place))}; put the file itself there"
        if not os.path.lexists(place):
            return f"is missing in {shown(str(root))}; put it back or make the files again"
    return f"can't be opened in {shown(str(root))}, {_reason(problem)}; check its kind and its permissions"


def _check_opened(status: os.stat_result, label: str, error: type[DovetailError]) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise error(f"{label} is {_kind(status)}; put a regular file there")
    if status.st_nlink != 1:
        raise error(f"{label} is a hard link with {status.st_nlink} names; copy the file so that it has one name")


def _check_regular(status: os.stat_result, label: str, error: type[DovetailError]) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise error(f"{label}: is {_kind(status)}; give a regular file")


def _kind(status: os.stat_result) -> str:
    kinds = (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    )
    return next((words for test, words in kinds if test(status.st_mode)), "not a regular file")


def _reason(problem: OSError | ValueError) -> str:
    return (getattr(problem, "strerror", None) or str(problem)).lower()
