"""Children end by the limits that they are started with."""

import json
import subprocess
import sys

import pytest

from dovetail.lowering.child import run_child

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="other systems set no limits from outside")


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_child_reads_its_input_and_says_its_last_word() -> None:
    code = "import sys; print('out'); print(sys.stdin.read(), file=sys.stderr); sys.exit(3)"
    done = run_child(python(code), seconds=60, given=b"words", stderr=subprocess.PIPE)
    assert (done.returncode, done.stdout, done.stderr.split()) == (3, b"", [b"words"])


def test_a_child_that_waits_is_stopped() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run_child(python("import threading; threading.Event().wait()"), seconds=0.2)


@linux_only
def test_a_child_has_limits() -> None:
    # the limits are set while it starts; it reads its input after that
    code = (
        "import resource, sys; sys.stdin.read();"
        "kinds = resource.RLIMIT_DATA, resource.RLIMIT_CORE, resource.RLIMIT_CPU;"
        "print([resource.getrlimit(kind)[1] for kind in kinds], file=sys.stderr);"
        "bytearray(1 << 29)"
    )
    done = run_child(python(code), seconds=60, memory=1 << 28, stderr=subprocess.PIPE)
    limits, *_, last = done.stderr.decode().splitlines()
    memory, core, time = json.loads(limits)
    assert (memory, core) == (1 << 28, 0)
    assert 60 <= time < 1 << 20
    assert last == "MemoryError"
