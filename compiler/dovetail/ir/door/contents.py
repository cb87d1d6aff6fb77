"""All checks of what is inside a model, in the order that makes each safe for the next."""

from dataclasses import dataclass, field
from itertools import chain

from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto

from dovetail.ir.door.attributes import check_attributes
from dovetail.ir.door.blocks import (
    Block,
    FunctionKey,
    call_key,
    collect_blocks,
    function_key,
    training_blocks,
)
from dovetail.ir.door.external import ExternalFiles
from dovetail.ir.door.functions import Owner, check_call, check_expansion, check_left_out, function_owners
from dovetail.ir.door.header import check_opsets
from dovetail.ir.door.names import (
    check_name,
    check_names,
    check_properties,
    check_text,
    function_label,
    node_label,
)
from dovetail.ir.door.operators import check_operator
from dovetail.ir.door.scopes import check_scope
from dovetail.ir.door.sparse import Densifier
from dovetail.ir.door.tensors import check_tensor
from dovetail.ir.door.types import check_declared, check_value_info
from dovetail.plan.errors import ModelError
from dovetail.plan.naming import shown


@dataclass(slots=True)
class ContentChecker:
    """Checks one model; holds what its checks share."""

    model: ModelProto
    files: ExternalFiles
    _main: Owner = field(default_factory=Owner)
    _functions: dict[FunctionKey, Owner] = field(default_factory=dict)

    def check(self) -> None:
        """Refuse whatever in the model breaks a rule; bring what is left into one form."""
        for block in training_blocks(self.model):
            self._check_tensors(block)
        self.model.ClearField("training_info")
        self.model.ClearField("configuration")
        blocks = collect_blocks(self.model)
        _use_plain_domains(self.model, blocks)
        self._check_heads()
        for block in blocks:
            self._check_block(block)
        densifier = Densifier(self.files)
        for block in blocks:
            densifier.convert(block)
            _check_declared_initializers(block)
        for block in blocks:
            if block.depth == 0:
                check_scope(block.body, block.where)
        order = check_expansion(self._main, self._functions)
        check_left_out(self._main, self._functions, order)

    def _check_heads(self) -> None:
        """Opset imports of the model, and the head of each function."""
        self._main.opsets = check_opsets(self.model.opset_import, "model")
        self._functions = function_owners(self.model)
        for function in self.model.functions:
            check_attributes(function.attribute_proto, function_label(function), None, self.files)

    def _check_block(self, block: Block) -> None:
        _check_declarations(block)
        self._check_tensors(block)
        owner = self._owner(block)
        for index, node in enumerate(block.body.node):
            label = node_label(node, index, block.where)
            _check_node_names(node, label)
            node.ClearField("device_configurations")
            self._check_operator(node, owner, label)

    def _owner(self, block: Block) -> Owner:
        return self._main if block.function is None else self._functions[function_key(block.function)]

    def _check_tensors(self, block: Block) -> None:
        """Every tensor of a block: initializers, sparse values and indices, attributes."""
        if isinstance(block.body, GraphProto):
            for tensor in block.body.initializer:
                self._check_initializer(tensor, block)
            for sparse in block.body.sparse_initializer:
                self._check_initializer(sparse.values, block)
                check_tensor(sparse.indices, f"indices of sparse initializer{block.where}", self.files)
        declared = self._owner(block).attributes
        for index, node in enumerate(block.body.node):
            if node.attribute:
                label = node_label(node, index, block.where)
                check_attributes(node.attribute, label, declared, self.files)

    def _check_initializer(self, tensor: TensorProto, block: Block) -> None:
        check_name(tensor.name, f"name of an initializer{block.where}")
        if not tensor.name:
            raise ModelError(f"initializer{block.where}: has no name; give it one")
        check_tensor(tensor, f"initializer {shown(tensor.name)}{block.where}", self.files)

    def _check_operator(self, node: NodeProto, owner: Owner, label: str) -> None:
        """Is the operator known here, and does the node fit it? Notes what `check_expansion` counts."""
        if node.domain not in owner.opsets:
            raise ModelError(f"{label}: its domain {shown(node.domain or 'ai.onnx')} has no opset_import; import it")
        key = call_key(node)
        if key in self._functions:
            check_call(node, self._functions[key], label)
            owner.add_call(key, node, label)
            return
        owner.nodes += 1
        facts = check_operator(node, owner.opsets, label)
        if owner.function is not None and facts is not None:
            owner.needed.update(node.input[: facts.inputs[0]])


def _use_plain_domains(model: ModelProto, blocks: list[Block]) -> None:
    """Spell ONNX's own domain `""` everywhere."""
    nodes = (node for block in blocks for node in block.body.node)
    imports = (entry for owner in (model, *model.functions) for entry in owner.opset_import)
    for named in chain(model.functions, imports, nodes):
        if named.domain == "ai.onnx":
            named.domain = ""


def _check_declarations(block: Block) -> None:
    """Names and types that a block declares: inputs, outputs, values in between."""
    body, where = block.body, block.where
    for info in body.value_info:
        check_value_info(info, "value", where)
    if isinstance(body, FunctionProto):
        return
    check_name(body.name, f"name of the graph{where}")
    check_text(body.doc_string, f"doc_string of the graph{where}")
    check_properties(body.metadata_props, f"the graph{where}")
    for info in body.input:
        check_value_info(info, "input", where, needs_type=block.is_main)
    for info in body.output:
        check_value_info(info, "output", where)
    for annotation in body.quantization_annotation:
        check_name(annotation.tensor_name, f"tensor of a quantization annotation{where}")
        check_properties(annotation.quant_parameter_tensor_names, f"a quantization annotation{where}")


def _check_node_names(node: NodeProto, label: str) -> None:
    check_name(node.op_type, f"{label}: op_type")
    if not node.op_type:
        raise ModelError(f"{label}: has no op_type; export the model again")
    check_name(node.name, "name of a node")
    check_name(node.domain, f"{label}: domain")
    check_name(node.overload, f"{label}: overload")
    check_names(node.input, f"{label}: input")
    check_names(node.output, f"{label}: output")
    check_text(node.doc_string, f"{label}: doc_string")
    check_properties(node.metadata_props, label)


def _check_declared_initializers(block: Block) -> None:
    """An initializer that is declared too, as an input or a value, must be what the declaration says."""
    if not isinstance(block.body, GraphProto) or not block.body.initializer:
        return
    declared = {info.name: info.type for info in (*block.body.value_info, *block.body.input)}
    for tensor in block.body.initializer:
        if tensor.name in declared:
            check_declared(tensor, declared[tensor.name], f"initializer {shown(tensor.name)}{block.where}")
