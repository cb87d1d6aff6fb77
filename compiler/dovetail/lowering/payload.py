"""From a partition to the files that a device's backend loads."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from dovetail.ir import Border, Graph, WeightsFile, border, extract, round_to_half
from dovetail.lowering.canonical import rename_ends
from dovetail.passes.quantize import is_dequantize, is_quantize
from dovetail.passes.tagging import UnitTag

FOLDER = "partitions"
WEIGHTS = "weights.bin"


@dataclass(frozen=True, slots=True)
class Piece:
    """What is lowered: nodes of one device, in topological order, under a partition's id."""

    id: str
    nodes: tuple[str, ...]
    rounds_to_half: bool
    """The device computes floats in float16, so a second model that emulates it is written beside the first."""

    compiled: Path | None = None
    """The folder with what the device's compiler made of it; None where it was not compiled."""

    @property
    def file(self) -> str:
        """The model, as a path inside the plan folder."""
        return f"{FOLDER}/{self.id}.onnx"

    @property
    def emulated_file(self) -> str:
        """The model that emulates the device."""
        return f"{FOLDER}/{self.id}.emulated.onnx"

    @property
    def compiled_file(self) -> str:
        """The model as the device's compiler has made it."""
        return f"{FOLDER}/{self.id}.compiled.onnx"

    def border(self, graph: Graph) -> Border:
        """What the piece reads and makes."""
        return border(graph, self.nodes)


def write_payloads(parts: Sequence[tuple[Graph, Sequence[Piece]]], folder: Path) -> None:
    """Write every piece as a stand-alone model, and the constants of all of them once, into a plan folder.

    Args:
        parts: graphs with their pieces: one, or one for each batch size.
        folder: the plan's.

    Raises:
        ModelError: a value at a piece's border has no known type.
        OSError: the folder can't be written.
    """
    (folder / FOLDER).mkdir(exist_ok=True)
    weights = WeightsFile(folder / FOLDER / WEIGHTS, by_content=len(parts) > 1)
    try:
        for graph, pieces in parts:
            for piece in pieces:
                _write(graph, piece, weights, folder)
    finally:
        weights.close()


def _write(graph: Graph, piece: Piece, weights: WeightsFile, folder: Path) -> None:
    model = extract(graph, piece.nodes, weights.reference)
    (folder / piece.file).write_bytes(model.SerializeToString(deterministic=True))
    if piece.rounds_to_half:
        emulated = round_to_half(model, integer_nodes(graph, piece.nodes))
        (folder / piece.emulated_file).write_bytes((emulated or model).SerializeToString(deterministic=True))
    if piece.compiled is not None:
        _write_compiled(graph, piece, piece.compiled, folder)


def _write_compiled(graph: Graph, piece: Piece, made: Path, folder: Path) -> None:
    """Copy a compiled model, under the names of the piece, and the binaries that it refers to."""
    model = onnx.load(made / "model.onnx", load_external_data=False)
    edge = piece.border(graph)
    rename_ends(model, [str(value.name) for value in edge.inputs], [str(value.name) for value in edge.outputs])
    binaries = {path.name.encode(): path for path in made.iterdir() if path.is_file()}
    for node in model.graph.node:
        for attribute in node.attribute:
            source = binaries.get(attribute.s)  # else what is compiled stands in the model itself
            if attribute.name == "ep_cache_context" and source is not None:
                name = f"{piece.id}.{source.name}"
                shutil.copyfile(source, folder / FOLDER / name)
                attribute.s = name.encode()
    (folder / piece.compiled_file).write_bytes(model.SerializeToString(deterministic=True))


def integer_nodes(graph: Graph, names: Sequence[str]) -> frozenset[str]:
    """The nodes that a device computes in integers: members of Q/DQ groups, and Q/DQ nodes that stand alone."""
    return frozenset(
        name
        for name in names
        if graph.tag(name, UnitTag).quantized or is_quantize(graph.node(name)) or is_dequantize(graph.node(name))
    )
