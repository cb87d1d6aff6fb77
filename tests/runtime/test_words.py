"""What vendors print, as seen, and the line that is made of it."""

import os
import subprocess
import sys

import pytest

from dovetail.runtime.capture import captured_output
from dovetail.runtime.words import one_line, vendor_words

DISABLED = (
    "[ONNXRuntimeError] : 1 : FAIL : This session contains graph nodes that are assigned to the default CPU EP, "
    "but fallback to CPU EP has been explicitly disabled by the user."
)
REFUSED = """\
2026-11-22 14:31:10.23 [V:onnxruntime:, qnn_execution_provider.cc:1713 LogNodeSupport] Validation FAILED for 1 nodes \
in OrtNodeUnit (NonZero) :
\tOperator type: NonZero Node name: find Node index: 0
\tREASON : NonZero output shape must be static. Set shape to [rank, num_elements].
"""
SETUP = (
    "\x1b[1;31m2026-11-22 14:20:39.07 [E:onnxruntime:, qnn_execution_provider.cc:2290 GetCapabilityImpl] "
    "QNN SetupBackend failed Failed to create device. Error: QNN_DEVICE_ERROR_INVALID_CONFIG\x1b[m\n"
)


@pytest.mark.parametrize(
    ("problem", "log", "words"),
    [
        (
            DISABLED,
            REFUSED * 2,
            "find (NonZero): NonZero output shape must be static. Set shape to [rank, num_elements].",
        ),
        (
            DISABLED,
            SETUP + "2026 [E:onnxruntime:, inference_session.cc:3181 operator()] " + DISABLED,
            "QNN SetupBackend failed Failed to create device. Error: QNN_DEVICE_ERROR_INVALID_CONFIG",
        ),
        (DISABLED, "", DISABLED.rpartition(" : ")[2]),
        ("/src/x.cc:71 f(int) Error: [ONNXRuntimeError] : 1 : FAIL : no\n such\tthing", "", "no such thing"),
    ],
    ids=["per operator", "setup", "nothing else known", "place in the source"],
)
def test_vendor_words(problem: str, log: str, words: str) -> None:
    assert vendor_words(problem, log) == words


def test_long_words_are_cut() -> None:
    assert len(vendor_words("x" * 5000, "")) == 600
    assert one_line(" a \n b ") == "a b"


def test_captured_output_is_that_of_the_descriptors() -> None:
    code = (
        "import os; from dovetail.runtime.capture import captured_output\n"
        "print('before')\n"
        "with captured_output() as output:\n"
        "    os.write(1, b'native out;'); os.write(2, b'native err;'); print('python')\n"
        "print('after', repr(output.text))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["before", r"after 'native out;native err;python\n'"]


def test_descriptors_come_back_after_an_error() -> None:
    before = [os.fstat(descriptor) for descriptor in (1, 2)]
    with pytest.raises(KeyError), captured_output():
        raise KeyError
    after = [os.fstat(descriptor) for descriptor in (1, 2)]
    assert [status.st_ino for status in after] == [status.st_ino for status in before]


@pytest.mark.skipif(os.name == "nt", reason="closes descriptors as a daemon does")
def test_a_process_without_stdout_captures_nothing() -> None:
    code = (
        "import os, sys; from dovetail.runtime.capture import captured_output\n"
        "os.close(1)\n"
        "with captured_output() as output:\n"
        "    pass\n"
        "sys.exit(output.text != '')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdin=subprocess.DEVNULL)
