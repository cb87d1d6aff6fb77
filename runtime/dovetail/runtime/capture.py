"""Catching what native libraries print, which goes past `sys.stdout` straight to the file descriptors."""

import ctypes
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

_DESCRIPTORS: Final = (1, 2)
_lock = threading.Lock()


@dataclass(slots=True)
class Captured:
    """What was printed; complete once the block has ended."""

    text: str = ""


@contextmanager
def captured_output() -> Iterator[Captured]:
    """Catch everything that the process writes to stdout and stderr, from any library, while the block runs.

    The descriptors belong to the whole process: what other threads print meanwhile is caught as well. Keep the block
    short. Where the process has no stdout or stderr, nothing is caught.
    """
    captured = Captured()
    with _lock, tempfile.TemporaryFile() as file:
        _flush()
        try:
            saved = [os.dup(descriptor) for descriptor in _DESCRIPTORS]
        except OSError:
            yield captured
            return
        try:
            for descriptor in _DESCRIPTORS:
                os.dup2(file.fileno(), descriptor)
            yield captured
        finally:
            _flush()
            for descriptor, original in zip(_DESCRIPTORS, saved, strict=True):
                os.dup2(original, descriptor)
                os.close(original)
            file.seek(0)
            captured.text = file.read().decode(errors="replace")


def _flush() -> None:
    """Empty Python's buffers and those of the C library, so that text stays on its side of the switch."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.flush()
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL("ucrtbase" if os.name == "nt" else None)
        library.fflush(None)
