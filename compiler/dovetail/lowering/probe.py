"""What the vendor's own compiler takes: models offered to its provider, in a child process with limits."""

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import onnx
import onnxruntime

from dovetail.ir import Graph, extract
from dovetail.lowering.child import run_child
from dovetail.plan.errors import LoweringError
from dovetail.plan.schema import BackendSpec

Outcome = Literal["answered", "failed"]

BATCH: Final = 50
"""Models for one child: a model that hangs holds up no more than these."""
MODEL_LIMIT_S: Final = 60
"""Seconds for one model; a single operator takes a tenth of a second."""
_PACKAGES: Final = {"QNNExecutionProvider": ("onnxruntime_qnn", "onnxruntime-qnn")}
_CHILD = Path(__file__).with_name("probe_child.py")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the vendor's compiler said of one model."""

    outcome: Outcome
    """`failed`: it refused the model as a whole, crashed or took too long."""
    taken: tuple[str, ...] = ()
    """Names of the nodes that it takes; the provider may have rewritten the model before it chose."""
    left: tuple[str, ...] = ()
    """Names of those that it leaves to others."""
    words: str = ""
    """Its own words about what it does not take, where it has any."""

    @property
    def whole(self) -> bool:
        """It takes every node."""
        return self.outcome == "answered" and bool(self.taken) and not self.left


def why_no_probe(backend: BackendSpec | None) -> str:
    """Why nothing here can be asked about a device; empty where something can."""
    if backend is None:
        return "no provider runs the device"
    module, package = _PACKAGES.get(backend.provider, ("", ""))
    if module:
        missing = importlib.util.find_spec(module) is None
        return f"{backend.provider} needs the package {package}; install it" if missing else ""
    available = onnxruntime.get_available_providers()
    return "" if backend.provider in available else f"{backend.provider} is not in this ONNX Runtime"


def tool_name(backend: BackendSpec) -> str:
    """The tool that answers, with its version, as it stands in a reason's source."""
    module, package = _PACKAGES.get(backend.provider, ("", "onnxruntime"))
    version = importlib.metadata.version(package)
    return f"{package} {version}" if module else f"{backend.provider} of {package} {version}"


def probe_model(graph: Graph, names: Sequence[str]) -> onnx.ModelProto:
    """The model to ask about some nodes.

    A lone QuantizeLinear or DequantizeLinear gets a Relu on its float side: providers leave a partition of nothing
    else to the host, which says nothing of the node in a bigger one.
    """
    model = extract(graph, names)
    nodes = list(model.graph.node)
    if len(nodes) == 1 and nodes[0].op_type in ("QuantizeLinear", "DequantizeLinear"):
        _accompany(model.graph, nodes[0])
    return model


def _accompany(graph: onnx.GraphProto, node: onnx.NodeProto) -> None:
    if node.op_type == "DequantizeLinear":
        result = f"{node.output[0]}/relu"
        graph.node.add(op_type="Relu", name=result, input=[node.output[0]], output=[result])
        graph.output[0].name = result
        return
    source = f"{node.input[0]}/relu"
    relu = onnx.NodeProto(op_type="Relu", name=source, input=[node.input[0]], output=[source])
    graph.node.insert(0, relu)
    graph.node[1].input[0] = source


def ask_provider(
    models: Sequence[Path], backend: BackendSpec, model_limit_s: float = MODEL_LIMIT_S
) -> dict[Path, Answer]:
    """Offer models to a provider, without ONNX Runtime's own optimizations. Nothing is run.

    A child process takes one model after another; one that kills it, or holds it for too long, is `failed`, and a
    new child goes on behind it. O(models) sessions.

    Args:
        models: stand-alone models, whose nodes have names.
        backend: the provider, and options for it.
        model_limit_s: seconds for one model, on average over those of a child.

    Raises:
        LoweringError: the provider can't be asked here at all, or not even be loaded; or an option names a file.
    """
    if why := why_no_probe(backend):
        raise LoweringError(f"probe: {why}")
    for name, value in (*backend.options.items(), *backend.session_config.items()):
        # a target's file may come from anyone, and must not make the provider load a library
        if "path" in name or "/" in value or "\\" in value:
            raise LoweringError(f"probe: option '{name}' of {backend.provider} names a file; take it out of the target")
    answers: dict[Path, Answer] = {}
    with tempfile.TemporaryDirectory(prefix="dovetail-probe-") as folder:
        while left := [path for path in models if path not in answers]:
            answers |= _ask_some(left[:BATCH], backend, model_limit_s, Path(folder))
    return answers


def _ask_some(
    models: Sequence[Path], backend: BackendSpec, model_limit_s: float, folder: Path
) -> Mapping[Path, Answer]:
    """Ask one child until it is done or dead; at least one model is answered."""
    journal = folder / "journal.jsonl"
    journal.unlink(missing_ok=True)
    settings = (backend.provider, json.dumps(backend.options), json.dumps(backend.session_config))
    command = [sys.executable, "-P", str(_CHILD), *settings, str(folder), str(journal)]
    try:
        given = "".join(f"{path}\n" for path in models).encode()
        done = run_child(command, seconds=model_limit_s + model_limit_s / 10 * len(models), given=given)
        end = f"the provider crashed (exit status {done.returncode})"
    except subprocess.TimeoutExpired:
        end = "the provider took too long and was stopped"
    lines = journal.read_text(encoding="utf-8").splitlines() if journal.exists() else []
    if not lines:
        raise LoweringError(f"probe: {end} before it was asked anything; {_last_line(folder / 'printed.txt')}")
    return _read_journal([json.loads(line) for line in lines], end)


def _last_line(path: Path) -> str:
    words = path.read_text(errors="replace").strip().splitlines() if path.exists() else []
    return words[-1][:300] if words else "it said nothing"


def _read_journal(records: Sequence[Mapping[str, Any]], end: str) -> dict[Path, Answer]:
    answers = {}
    for record in records:
        if "begun" in record:
            answers[Path(record["begun"])] = Answer("failed", words=end)
            continue
        words = str(record["words"])
        if "taken" in record:
            answer = Answer("answered", tuple(record["taken"]), tuple(record["left"]), words)
        else:
            answer = Answer("failed", words=words)
        answers[Path(record["done"])] = answer
    return answers
