"""The child of `rknn`: builds small ONNX models with RKNN-Toolkit2 and reads its table of layers.

Run as a script by a Python that has rknn-toolkit2, with nothing of Dovetail imported. Arguments: the platform, a folder
for what native code prints, and the journal. Paths of models come on standard input, one a line. The journal begins
with a line about the toolkit, and gets one when a model is begun and one when it is done.
"""

import sys

sys.path.pop(0)  # the folder of this file, whose modules are none of the toolkit's

import importlib.metadata
import json
import os
import re
from typing import IO

from rknn.api import RKNN  # type: ignore[import-not-found]

ROW = re.compile(r"\s(NPU|CPU)\s.*\s\d+/\d+/(\d+)\s+\S+\s+(\w+):\S*\s*$")
"""A line of the table: the target, cycles of the DDR, the NPU and in total, kilobytes, and operator:name."""
EDGES = ("InputOperator", "OutputOperator")
ERROR = re.compile(r"E (?:build|load_onnx|RKNN): (.+)")
CLOCKS_HZ = {"rk3588": 1e9}
"""Of the NPU, by platform, as the data sheets have it."""


def main() -> int:
    """Build every model of standard input."""
    platform, folder, journal_path = sys.argv[1:4]
    # the toolkit prints its table, from native code and as it is built; what it prints is read from a file
    printed = os.open(os.path.join(folder, "printed.txt"), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    os.chdir(folder)  # the toolkit leaves files where it is run
    about = f"rknn-toolkit2 {importlib.metadata.version('rknn-toolkit2')}"
    with open(journal_path, "a", encoding="utf-8") as journal:
        write(journal, {"tool": about, "platforms": list(CLOCKS_HZ)})
        for line in sys.stdin:
            path = line.rstrip("\n")
            write(journal, {"begun": path})
            os.ftruncate(printed, 0)
            os.lseek(printed, 0, os.SEEK_SET)
            error = build(path, platform)
            sys.stdout.flush()
            sys.stderr.flush()
            os.lseek(printed, 0, os.SEEK_SET)
            text = os.read(printed, 1 << 24).decode(errors="replace")
            write(journal, {"done": path, **(table(text, CLOCKS_HZ[platform]) or {"words": refusal(text, error)})})
    return 0


def write(journal: IO[str], record: dict[str, object]) -> None:
    """Add a line that survives a crash right after."""
    journal.write(json.dumps(record) + "\n")
    journal.flush()


def build(path: str, platform: str) -> str:
    """Build a model as it stands: floats in fp16, Q/DQ groups in int8. Returns the error, if there is one."""
    try:
        toolkit = RKNN(verbose=True)
        toolkit.config(target_platform=platform)
        toolkit.load_onnx(path)
        toolkit.build(do_quantization=False)
        toolkit.release()
    except (Exception, SystemExit) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def table(text: str, clock_hz: float) -> dict[str, object] | None:
    """What the table says of a model: operators on the NPU with their time, and those on the CPU; None: no table."""
    rows = [found.groups() for found in map(ROW.search, text.splitlines()) if found and found[3] not in EDGES]
    if not rows:
        return None
    cycles = sum(int(count) for target, count, _ in rows if target == "NPU")
    return {
        "words": "",
        "taken": [name for target, _, name in rows if target == "NPU"],
        "left": [name for target, _, name in rows if target == "CPU"],
        # the toolkit counts cycles of some operators only and writes 0 for the others
        "microseconds": cycles / clock_hz * 1e6 if cycles else None,
    }


def refusal(text: str, error: str) -> str:
    """Why there is no table."""
    found = [words.strip() for words in ERROR.findall(text)]
    return " ".join((found[-1] if found else error or "it wrote no table of layers").split())[:1000]


if __name__ == "__main__":
    sys.exit(main())
