"""Nothing outside a folder is opened, nothing hangs, and every refusal says why in one line."""

import io
import os
import socket
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.plan import ModelError, PlanError, check_relative, open_inside, read_regular, sha256_file
from dovetail.plan import files as files_module

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs pipes, links and devices")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_bytes(b"secret")
    folder = tmp_path / "root"
    (folder / "sub").mkdir(parents=True)
    (folder / "good").write_bytes(b"good")
    (folder / "sub" / "deep é").write_bytes(b"deep")
    return folder


def _open(root: Path, relative: str) -> bytes:
    with open_inside(root, relative, what="external data of tensor 'w'", error=ModelError) as file:
        return file.read()


@pytest.mark.parametrize(
    ("relative", "content"), [("good", b"good"), ("./good", b"good"), ("sub/deep é", b"deep"), ("sub//deep é", b"deep")]
)
def test_files_inside_are_opened(root: Path, relative: str, content: bytes) -> None:
    assert _open(root, relative) == content


@pytest.mark.parametrize(
    ("relative", "rule"),
    [
        ("", "names no file"),
        (".", "names no file"),
        ("./", "names no file"),
        ("../secret", "holds '..'"),
        ("sub/../../secret", "holds '..'"),
        ("/etc/passwd", "is absolute"),
        ("C:good", "names a drive"),
        ("c:/good", "names a drive"),
        ("file://good", "is a URL"),
        ("sub\\good", "holds a backslash"),
        ("good\0.txt", "holds a NUL character"),
        ("\ud800", "is not valid Unicode"),
        ("*/_ORT_MEM_ADDR_/*", "names an address in memory"),
        ("missing", "is missing in"),
        ("good/below", "is missing in"),
        ("x" * 5000, "is missing in"),
        ("sub", "is a folder"),
    ],
)
def test_bad_paths(root: Path, relative: str, rule: str) -> None:
    with pytest.raises(ModelError) as caught:
        _open(root, relative)
    message = str(caught.value)
    assert message.startswith("external data of tensor 'w': file ")
    assert rule in message
    assert "\n" not in message
    assert len(message) < 500


@posix
@pytest.mark.parametrize("anchored", [True, False], ids=["by descriptor", "by path"])
def test_links_pipes_and_sockets_are_refused(root: Path, anchored: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_module, "_HAS_DIR_FD", anchored)
    (root / "link").symlink_to(root / "good")
    (root / "out").symlink_to(root.parent)
    (root / "hard").hardlink_to(root.parent / "secret")
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(root / "socket"))
        assert _open(root, "sub/deep é") == b"deep"
        for name in ("link", "out/secret", "hard", "pipe", "socket", "sub"):
            with pytest.raises(ModelError, match=r"link|put a regular file|can't be opened"):
                _open(root, name)


def test_the_root_itself_may_be_a_link(root: Path) -> None:
    link = root.parent / "link to root"
    link.symlink_to(root)
    assert _open(link, "good") == b"good"


def test_no_descriptor_is_left(root: Path) -> None:
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    for name in ("good", "missing", "sub", "sub/deep é", "sub/missing"):
        try:
            _open(root, name)
        except ModelError:
            continue
    after = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    assert after == before


@given(st.text(st.sampled_from("ab./\\:\0~ä-"), max_size=12))
def test_no_accepted_path_leaves_the_root(relative: str) -> None:
    try:
        parts = check_relative(relative, what="x", error=PlanError)
    except PlanError:
        return
    place = os.path.normpath(os.path.join("/base", *parts))
    assert place.startswith("/base/")


def test_read_regular(root: Path) -> None:
    assert read_regular(root / "good", limit=4, what="model", error=ModelError) == b"good"
    (root / "link").symlink_to(root / "good")
    assert read_regular(root / "link", limit=4, what="model", error=ModelError) == b"good"


@posix
def test_read_regular_refuses(root: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "empty").touch()
    cases = {
        root / "pipe": "is a named pipe",
        root / "empty": "is empty",
        root / "good": "has 4 bytes, at most 3 are read",
        root / "missing": "does not exist; check the path",
        root: "is a folder",
        Path("/dev/null"): "is a device",
        Path("/dev/zero"): "is a device",
        root / "a\0b": "can't be read, embedded null",
    }
    for path, message in cases.items():
        with pytest.raises(ModelError, match=message):
            read_regular(path, limit=3, what="model", error=ModelError)


def test_sha256_of_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with (tmp_path / "empty").open("rb") as file:
        assert isinstance(file, io.BufferedReader)
        assert sha256_file(file) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
