"""One file for the constants of many models: each is written once, and every model refers to it."""

import hashlib
from pathlib import Path
from typing import BinaryIO

import onnx
import onnx_ir

from dovetail.ir.extract import inline

INLINE_BYTES = 1024
"""Smaller constants stay inside the model: shape inference at load time wants to see them."""
_PAGE = 4096
_LINE = 64


class WeightsFile:
    """Writes constants behind each other, aligned to be mapped, and hands out references to them.

    ONNX Runtime maps external data only from the model's own folder, so the file lies beside the models.
    A constant of any size passes through memory once, a page at a time where it is mapped itself.
    """

    def __init__(self, path: Path, by_content: bool = False) -> None:
        """Start an empty file at `path`; it is created with the first constant.

        With `by_content`, equal constants of different models are written once; each is read one more time for that.
        """
        self._path = path
        self._by_content = by_content
        self._contents: dict[bytes, tuple[int, int]] = {}
        self._file: BinaryIO | None = None
        self._places: dict[int, tuple[int, int]] = {}
        self._held: list[onnx_ir.TensorProtocol] = []  # keeps the ids in `_places` unique

    def reference(self, value: onnx_ir.Value) -> onnx.TensorProto:
        """The TensorProto that stands for a constant in a model beside this file."""
        tensor = value.const_value
        assert tensor is not None
        if tensor.nbytes < INLINE_BYTES or tensor.dtype == onnx_ir.DataType.STRING:
            return inline(value)
        offset, length = self._write(tensor)
        proto = onnx.TensorProto(name=str(value.name), data_type=tensor.dtype.value)
        proto.dims.extend(tensor.shape.numpy())
        proto.data_location = onnx.TensorProto.EXTERNAL
        for key, text in (("location", self._path.name), ("offset", str(offset)), ("length", str(length))):
            proto.external_data.add(key=key, value=text)
        return proto

    def close(self) -> None:
        """Finish the file."""
        if self._file is not None:
            self._file.close()

    def _write(self, tensor: onnx_ir.TensorProtocol) -> tuple[int, int]:
        if id(tensor) in self._places:
            return self._places[id(tensor)]
        digest = hashlib.sha256(tensor.tobytes()).digest() if self._by_content else b""
        if digest in self._contents:
            self._held.append(tensor)
            self._places[id(tensor)] = self._contents[digest]
            return self._contents[digest]
        if self._file is None:
            self._file = self._path.open("xb")
        align = _PAGE if tensor.nbytes >= _PAGE else _LINE
        end = self._file.tell()
        offset = -(-end // align) * align
        self._file.write(bytes(offset - end))
        self._file.write(tensor.tobytes())
        self._held.append(tensor)
        self._places[id(tensor)] = (offset, int(tensor.nbytes))
        if self._by_content:
            self._contents[digest] = self._places[id(tensor)]
        return self._places[id(tensor)]
