"""Sparse tensors made dense: libraries drop them without a word."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, GraphProto, NodeProto, SparseTensorProto, TensorProto, numpy_helper

from dovetail.ir.door.blocks import Block
from dovetail.ir.door.budgets import MAX_DENSE_BYTES
from dovetail.ir.door.external import ExternalFiles
from dovetail.ir.door.names import node_label, quoted
from dovetail.ir.door.tensors import BITS, byte_size, check_dims, check_tensor
from dovetail.plan.errors import ModelError


@dataclass(slots=True)
class Densifier:
    """Replaces the sparse tensors of a model by dense ones, within one budget for all of them."""

    files: ExternalFiles
    _spent: int = 0
    """Bytes made so far."""

    def convert(self, block: Block) -> None:
        """Make sparse initializers of a block dense, and sparse values of its Constant nodes."""
        if isinstance(block.body, GraphProto) and block.body.sparse_initializer:
            for sparse in block.body.sparse_initializer:
                label = f"sparse initializer {quoted(sparse.values.name)}{block.where}"
                block.body.initializer.append(self._dense(sparse, label))
            block.body.ClearField("sparse_initializer")
        for index, node in enumerate(block.body.node):
            for attribute in node.attribute:
                if attribute.type in (AttributeProto.SPARSE_TENSOR, AttributeProto.SPARSE_TENSORS):
                    self._convert_attribute(node, attribute, node_label(node, index, block.where))

    def _convert_attribute(self, node: NodeProto, attribute: AttributeProto, owner: str) -> None:
        label = f"{owner}: attribute {quoted(attribute.name)}"
        if (node.op_type, node.domain, attribute.name) != ("Constant", "", "sparse_value"):
            raise ModelError(f"{label}: a sparse tensor is only supported in Constant; make it dense")
        dense = self._dense(attribute.sparse_tensor, label)
        attribute.Clear()
        attribute.name, attribute.type = "value", AttributeProto.TENSOR
        attribute.t.CopyFrom(dense)

    def _dense(self, sparse: SparseTensorProto, label: str) -> TensorProto:
        dtype = sparse.values.data_type
        if dtype not in BITS:
            raise ModelError(f"{label}: sparse values of data type {dtype} are not supported; make it dense")
        count = check_dims(sparse.dims, BITS[dtype], label)
        self._spent += byte_size(dtype, count)
        if self._spent > MAX_DENSE_BYTES:
            raise ModelError(
                f"{label}: sparse tensors take {self._spent} bytes when made dense, at most "
                f"{MAX_DENSE_BYTES} are allowed; store them dense"
            )
        values = self._array(sparse.values, f"{label}: values")
        positions = self._positions(sparse, count, label)
        if values.shape != positions.shape:
            raise ModelError(
                f"{label}: has {list(sparse.values.dims)} values for {positions.size} positions; export again"
            )
        dense = np.zeros(count, dtype=values.dtype)
        dense[positions] = values
        return numpy_helper.from_array(dense.reshape(tuple(sparse.dims)), name=sparse.values.name)

    def _positions(self, sparse: SparseTensorProto, count: int, label: str) -> NDArray[np.int64]:
        """Indices into the flattened tensor; the file has them flat, or as one row of coordinates each."""
        indices = self._array(sparse.indices, f"{label}: indices")
        dims = tuple(sparse.dims)
        if indices.dtype != np.int64 or indices.ndim not in (1, 2):
            raise ModelError(f"{label}: indices must be int64 of rank 1 or 2; export the model again")
        limits = dims if indices.ndim == 2 else (count,)
        rows = indices.astype(np.int64)
        if indices.ndim == 1:
            rows = rows.reshape(-1, 1)
        inside = rows.shape[1:] == (len(limits),) and bool(np.all((rows >= 0) & (rows < limits)))
        if not dims or not inside:
            raise ModelError(f"{label}: indices must lie inside dims {list(dims)}; export the model again")
        flat = rows[:, 0] if indices.ndim == 1 else rows @ _strides(dims)
        if np.unique(flat).size != flat.size:
            raise ModelError(f"{label}: gives a value twice for one position; export the model again")
        return flat

    def _array(self, tensor: TensorProto, label: str) -> NDArray[np.generic]:
        piece = check_tensor(tensor, label, self.files)
        if piece is None:
            return numpy_helper.to_array(tensor)
        if piece.length > MAX_DENSE_BYTES:
            raise ModelError(f"{label}: takes {piece.length} bytes, at most {MAX_DENSE_BYTES} are read; store it dense")
        inline = TensorProto(dims=tensor.dims, data_type=tensor.data_type)
        inline.raw_data = self.files.read(piece, label)
        return numpy_helper.to_array(inline)


def _strides(dims: tuple[int, ...]) -> NDArray[np.int64]:
    """Elements from one index to the next along each dimension, row-major."""
    return np.array([math.prod(dims[axis + 1 :]) for axis in range(len(dims))], dtype=np.int64)
