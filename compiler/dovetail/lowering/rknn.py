"""Rockchip's RKNN-Toolkit2, whose table of layers has cycles. It has an environment of its own: `rknn_child.py`."""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import onnx

from dovetail.ir import Graph, extract
from dovetail.lowering.answers import MODEL_LIMIT_S, Answer, ask_children, last_line, read_journal
from dovetail.lowering.child import run_child
from dovetail.passes.tagging import UnitTag
from dovetail.plan.errors import LoweringError
from dovetail.plan.naming import meant

VARIABLE: Final = "DOVETAIL_RKNN"
"""The environment variable that says which Python has RKNN-Toolkit2."""

_CHILD = Path(__file__).with_name("rknn_child.py")
_START_LIMIT_S: Final = 120
_DATA_DEPENDENT: Final = frozenset({"Compress", "If", "Loop", "NonMaxSuppression", "NonZero", "Scan", "Unique"})
"""The toolkit freezes what these give at build, or falls over them."""


@dataclass(frozen=True, slots=True)
class RknnTool:
    """RKNN-Toolkit2, for one of Rockchip's platforms."""

    platform: str

    def why_not(self) -> str:
        """Why it can't be asked here; empty where it can."""
        given = os.environ.get(VARIABLE, "")
        if not given:
            return (
                f"RKNN-Toolkit2 is not known here; install rknn-toolkit2 in an environment, and set {VARIABLE} to its"
                " python"
            )
        return "" if Path(given).is_file() else f"{VARIABLE} names {given!r}, which is no file; set it to the python"

    def ask(self, graph: Graph, units: Sequence[Sequence[str]]) -> tuple[str, list[Answer]]:
        """The toolkit's name, and its answer for each unit.

        Raises:
            LoweringError: the toolkit is not here, does not start, or does not know the platform.
        """
        if why := self.why_not():
            raise LoweringError(f"calibration: {why}")
        start = [os.environ[VARIABLE], str(_CHILD), self.platform]
        name = _introduced(start, self.platform)
        with tempfile.TemporaryDirectory(prefix="dovetail-rknn-") as folder:
            paths: dict[int, str] = {}
            for number, members in enumerate(units):
                if not any(graph.node(member).op_type in _DATA_DEPENDENT for member in members):
                    path = Path(folder, f"{number:05}.onnx")
                    path.write_bytes(rknn_model(graph, members).SerializeToString())
                    paths[number] = str(path)

            def command(own: Path, journal: Path) -> Sequence[str]:
                return [*start, str(own), str(journal)]

            answers = ask_children({path: path for path in paths.values()}, command, "RKNN-Toolkit2", MODEL_LIMIT_S)
        unasked = Answer("not asked", words="the toolkit is not given operators whose result decides a shape")
        return name, [answers[paths[number]] if number in paths else unasked for number in range(len(units))]


def _introduced(start: Sequence[str], platform: str) -> str:
    """The toolkit's name and version, and a check of the platform."""
    with tempfile.TemporaryDirectory(prefix="dovetail-rknn-") as folder:
        journal, printed = Path(folder, "journal.jsonl"), Path(folder, "errors.txt")
        try:
            with printed.open("wb") as errors:
                run_child([*start, folder, str(journal)], seconds=_START_LIMIT_S, stderr=errors)
        except subprocess.TimeoutExpired as error:
            raise LoweringError(
                "calibration: RKNN-Toolkit2 took too long to start and was stopped; try again"
            ) from error
        records = read_journal(journal)
        if not records:
            raise LoweringError(
                f"calibration: RKNN-Toolkit2 does not start with {start[0]}; {last_line(printed)}; install what it"
                " needs"
            )
    known = records[0]["platforms"]
    if platform not in known:
        raise LoweringError(f"calibration: the clock of {platform!r} is not known; {meant(platform, known)}")
    return f"{records[0]['tool']}, {platform}"


def rknn_model(graph: Graph, members: Sequence[str]) -> onnx.ModelProto:
    """The model of a unit; a Q/DQ group gets float edges, for the toolkit takes no integers from outside."""
    model = extract(graph, members)
    if graph.tag(members[0], UnitTag).quantized:
        _float_edges(model.graph)
    return model


def _float_edges(graph: onnx.GraphProto) -> None:
    """A QuantizeLinear before each quantized input and a DequantizeLinear behind each quantized output."""
    scales = {node.input[0]: list(node.input[1:]) for node in graph.node if node.op_type == "DequantizeLinear"}
    behind = {node.output[0]: list(node.input[1:]) for node in graph.node if node.op_type == "QuantizeLinear"}
    for value in graph.input:
        if value.name in scales:
            node = onnx.helper.make_node("QuantizeLinear", [f"{value.name}/float", *scales[value.name]], [value.name])
            graph.node.insert(0, node)
            value.name = node.input[0]
            value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    for value in graph.output:
        if value.name in behind:
            node = onnx.helper.make_node("DequantizeLinear", [value.name, *behind[value.name]], [f"{value.name}/float"])
            graph.node.append(node)
            value.name = node.output[0]
            value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
