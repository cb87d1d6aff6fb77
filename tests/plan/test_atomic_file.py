"""Files that are written whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dovetail.plan import RunError, atomic_file, write_file

posix = pytest.mark.skipif(os.name != "posix", reason="needs the file system of POSIX")
FULL = Path("/dev/full")


def write(path: Path, data: bytes = b"new") -> None:
    write_file(path, data, what="report", error=RunError)


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    write(path, b"old and long")
    write(path)

    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    write(path, b"old")

    def interrupted() -> None:
        with atomic_file(path, what="report", error=RunError) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "none/report.txt", "its folder does not exist; make it or choose another"),
        (lambda folder: folder, "can't be written, .*; choose another place"),
        (lambda folder: folder / "a\0b", "can't be written, .*; choose another place"),
        (lambda folder: folder / ("x" * 300), "can't be written, .*; choose another place"),
    ],
)
def test_places_that_can_not_be_written(tmp_path: Path, make: Callable[[Path], Path], message: str) -> None:
    with pytest.raises(RunError, match=f"^report '.*': {message}$"):
        write(make(tmp_path))
    assert list(tmp_path.iterdir()) == []


@posix
class TestLinksAndDevices:
    def test_a_link_stays_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("report.txt")
        write(tmp_path / "link")

        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "report.txt").read_bytes() == b"new"

    def test_permissions_stay(self, tmp_path: Path) -> None:
        path = tmp_path / "report.txt"
        write(path)
        path.chmod(0o600)
        write(path)

        assert path.stat().st_mode & 0o777 == 0o600

    def test_a_pipe_is_written_to(self, tmp_path: Path) -> None:
        path = tmp_path / "pipe"
        os.mkfifo(path)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            write(path)
            assert os.read(reader, 10) == b"new"
        finally:
            os.close(reader)
        assert path.is_fifo()

    @pytest.mark.skipif(not FULL.is_char_device(), reason="no /dev/full here")
    def test_a_full_device_is_an_error_and_stays_a_device(self) -> None:
        with pytest.raises(RunError, match="can't be written, No space left on device; choose another place"):
            write(FULL)
        assert FULL.is_char_device()

    @pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write everything")
    def test_a_file_that_may_only_be_read_is_not_replaced(self, tmp_path: Path) -> None:
        path = tmp_path / "report.txt"
        write(path, b"old")
        path.chmod(0o400)

        with pytest.raises(RunError, match="can't be written, Permission denied"):
            write(path)
        assert path.read_bytes() == b"old"
