"""This machine's CPU, asked how long single units take in ONNX Runtime. `host_child.py` does the timing."""

import json
import platform
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime

from dovetail.ir import Graph, border, extract, tensor_spec
from dovetail.lowering.answers import Answer, ask_children
from dovetail.plan.errors import RunError
from dovetail.plan.random_feeds import random_feeds

_CHILD = Path(__file__).with_name("host_child.py")
_UNIT_LIMIT_S: Final = 60


@dataclass(frozen=True, slots=True)
class HostTool:
    """ONNX Runtime's CPU provider on one thread of this machine."""

    def why_not(self) -> str:
        """Empty: it is always here."""
        return ""

    def ask(self, graph: Graph, units: Sequence[Sequence[str]]) -> tuple[str, list[Answer]]:
        """ONNX Runtime's name, and the time of each unit; LoweringError where no child process starts."""
        name = f"onnxruntime {onnxruntime.__version__} on {platform.machine()}, one thread"
        with tempfile.TemporaryDirectory(prefix="dovetail-host-") as folder:
            lines: dict[str, str] = {}
            unasked: dict[str, Answer] = {}
            for number, members in enumerate(units):
                try:
                    lines[str(number)] = _line(graph, members, Path(folder), str(number))
                except RunError as error:
                    unasked[str(number)] = Answer("not asked", words=str(error))

            def command(own: Path, journal: Path) -> Sequence[str]:
                return [sys.executable, "-P", str(_CHILD), str(own), str(journal)]

            answers = ask_children(lines, command, "ONNX Runtime", _UNIT_LIMIT_S) | unasked
        return name, [answers[str(number)] for number in range(len(units))]


def _line(graph: Graph, members: Sequence[str], folder: Path, name: str) -> str:
    """What the child is told of a unit: where its model and made-up inputs lie."""
    model, feeds_file = folder / f"{name}.onnx", folder / f"{name}.npz"
    feeds = random_feeds([tensor_spec(value) for value in border(graph, members).inputs], seed=0)
    model.write_bytes(extract(graph, members).SerializeToString())
    np.savez(feeds_file, allow_pickle=False, **{f"f{index}": array for index, array in enumerate(feeds.values())})
    return json.dumps({"name": name, "model": str(model), "feeds": str(feeds_file), "inputs": list(feeds)})
