"""What the vendor's own compiler takes: models offered to its provider, in a child process with limits."""

import importlib.metadata
import importlib.util
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import onnx
import onnxruntime

from dovetail.ir import Graph, extract
from dovetail.lowering.answers import MODEL_LIMIT_S, Answer, ask_children
from dovetail.plan.errors import LoweringError
from dovetail.plan.schema import BackendSpec

_PACKAGES: Final = {"QNNExecutionProvider": ("onnxruntime_qnn", "onnxruntime-qnn")}
_CHILD = Path(__file__).with_name("probe_child.py")


@dataclass(frozen=True, slots=True)
class ProviderTool:
    """The compiler behind an ONNX Runtime provider."""

    backend: BackendSpec

    def why_not(self) -> str:
        """Why it can't be asked here; empty where it can."""
        return why_no_probe(self.backend)

    def ask(self, graph: Graph, units: Sequence[Sequence[str]]) -> tuple[str, list[Answer]]:
        """The tool's name, and its answer for each unit; LoweringError as `ask_provider`."""
        with tempfile.TemporaryDirectory(prefix="dovetail-probe-") as folder:
            files = [Path(folder, f"{number:05}.onnx") for number in range(len(units))]
            for path, members in zip(files, units, strict=True):
                path.write_bytes(probe_model(graph, members).SerializeToString())
            answers = ask_provider(files, self.backend)
        return tool_name(self.backend), [answers[path] for path in files]


def why_no_probe(backend: BackendSpec) -> str:
    """Why nothing here can be asked about a device; empty where something can."""
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
    settings = (backend.provider, json.dumps(backend.options), json.dumps(backend.session_config))

    def command(folder: Path, journal: Path) -> Sequence[str]:
        return [sys.executable, "-P", str(_CHILD), *settings, str(folder), str(journal)]

    answers = ask_children({str(path): str(path) for path in models}, command, "the provider", model_limit_s)
    return {path: answers[str(path)] for path in models}
