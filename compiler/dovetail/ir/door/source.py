"""`open_model`: the only way in for a model file. It believes nothing that the file says."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError, EncodeError  # type: ignore[import-untyped]
from onnx import ModelProto

from dovetail.ir.door.budgets import MAX_MODEL_BYTES
from dovetail.ir.door.contents import ContentChecker
from dovetail.ir.door.external import ExternalFiles
from dovetail.ir.door.header import check_header
from dovetail.plan.errors import ModelError
from dovetail.plan.files import read_regular
from dovetail.plan.naming import shown


@dataclass(frozen=True, slots=True)
class DoorResult:
    """A model whose every part was checked."""

    proto: ModelProto
    """A private copy. ONNX's own domain is spelled `""` in it, sparse tensors are dense, training graphs and
    device assignments of other tools are gone. Initializers that are also graph inputs are left so."""
    base_dir: Path | None
    """The folder of the file, absolute; None for a model from memory, which has no external data then."""
    name: str
    """The file's name without its ending, or the graph's name."""
    sha256: str
    """Digest of the model's bytes, external data not included."""
    external: tuple[str, ...]
    """The files of its external data, as paths in its folder."""


def open_model(source: str | Path | bytes | ModelProto) -> DoorResult:
    """Read, parse and check a model before any library resolves a path or expands anything in it.

    Nothing outside the file's own folder is opened, and external data is not read. Linear in the size of the
    model; no recursion except over bodies of control flow, whose depth is bounded.

    Args:
        source: A path, the bytes of a model, or a model.

    Raises:
        ModelError: If the model can't be used; one line that names the object and the rule.
    """
    data, base_dir, name = _read(source)
    proto = _parse(data, str(source) if isinstance(source, str | Path) else name)
    check_header(proto)
    files = ExternalFiles(base_dir)
    ContentChecker(proto, files).check()
    digest = hashlib.sha256(data).hexdigest()
    return DoorResult(proto, base_dir, name or proto.graph.name or "model", digest, tuple(files.locations))


def _read(source: str | Path | bytes | ModelProto) -> tuple[bytes, Path | None, str]:
    if isinstance(source, ModelProto):
        return _serialized(source), None, ""
    if isinstance(source, bytes):
        if not 1 <= len(source) <= MAX_MODEL_BYTES:
            raise ModelError(f"model: must have 1 to {MAX_MODEL_BYTES} bytes, got {len(source)}; give a whole model")
        return source, None, ""
    path = Path(source)
    data = read_regular(path, limit=MAX_MODEL_BYTES, what="model", error=ModelError)
    # not resolve(): external data lies beside the name that the user gave, even if that is a link
    return data, Path(os.path.abspath(path)).parent, path.stem


def _serialized(model: ModelProto) -> bytes:
    try:
        data: bytes = model.SerializeToString(deterministic=True)
    except (EncodeError, ValueError) as problem:
        raise ModelError("model: is larger than 2 GiB; save it with external data, give the path") from problem
    return data


def _parse(data: bytes, name: str) -> ModelProto:
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as problem:
        raise ModelError(
            f"model {shown(name)}: is not ONNX, only a part of it, or nested too deep; give a whole .onnx file"
        ) from problem
    return model
