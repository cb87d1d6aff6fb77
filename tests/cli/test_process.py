"""The command as a process: what its surroundings can do to it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.advice import ends_with_advice

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs the processes of POSIX")

FULL = Path("/dev/full")
Argument = str | bytes | Path


def dovetail(
    *arguments: Argument,
    stdout: int | None = subprocess.PIPE,
    before: Callable[[], object] | None = None,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run the command in a process of its own; `before` runs in it first."""
    command = [sys.executable, "-m", "dovetail.cli", *arguments]
    return subprocess.run(
        command, stdout=stdout, stderr=subprocess.PIPE, preexec_fn=before, cwd=cwd, timeout=60, check=False
    )


def assert_refused(answer: subprocess.CompletedProcess[bytes], words: str) -> None:
    """One line on stderr, which ends with what to do, nothing on stdout, exit code 2."""
    assert (answer.returncode, answer.stdout or b"") == (2, b"")
    (line,) = answer.stderr.decode("ascii").splitlines()
    assert words in line
    assert ends_with_advice(line)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("inspect", b"no\xffne.onnx", "-t", "cpu-only"), r"'no\udcffne.onnx' does not exist"),
        (("targets", "show", b"cpu-onl\xff"), r"'cpu-onl\udcff'; did you mean 'cpu-only'?"),
        (("passes", "show", b"\xff"), r"no pass is named '\udcff'; choose one of"),
        ((b"\xff",), r"no command '\udcff'; choose one of"),
    ],
)
def test_arguments_that_are_not_utf_8(arguments: tuple[Argument, ...], words: str) -> None:
    assert_refused(dovetail(*arguments), words)


@pytest.mark.skipif(not FULL.is_char_device(), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", [("passes", "list"), ("--help",)])
def test_output_on_a_full_disk(arguments: tuple[str, ...]) -> None:
    with FULL.open("wb") as full:
        answer = dovetail(*arguments, stdout=full.fileno())

    assert_refused(answer, "No space left on device")


def test_a_plan_on_a_full_disk_leaves_nothing(tiny_model: Path) -> None:
    def limit() -> None:
        import resource  # POSIX alone has it

        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    answer = dovetail("compile", tiny_model, "-t", "cpu-only", "-o", tiny_model.with_name("p.plan"), before=limit)

    assert_refused(answer, "p.plan': can't be written, File too large")
    assert list(tiny_model.parent.iterdir()) == [tiny_model]


def test_closed_streams_take_nothing_from_files_that_are_written(tiny_model: Path) -> None:
    plan = tiny_model.with_name("p.plan")

    def close() -> None:
        for number in range(3):
            os.close(number)

    answer = dovetail("compile", tiny_model, "-t", "cpu-only", "-o", plan, stdout=None, before=close)

    assert answer.returncode == 0
    assert dovetail("inspect", plan).returncode == 0


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()

    assert_refused(dovetail("passes", cwd=gone, before=gone.rmdir), "the current folder does not exist any more")


@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tiny_model: Path) -> None:
    tiny_model.chmod(0)

    assert_refused(dovetail("inspect", tiny_model, "-t", "cpu-only"), "can't be read, permission denied")
