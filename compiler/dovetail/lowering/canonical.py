"""Models under neutral names: two that differ in names alone are one to a vendor's compiler."""

import hashlib
import re
from collections.abc import Iterator, Sequence

import onnx

_NODE = re.compile(r"_dv/(\d+)")


def neutral_names(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose graph, nodes and tensors are named by their position. Bodies keep names that are theirs alone."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    graph.name, graph.doc_string, copy.doc_string = "graph", "", ""
    names: dict[str, str] = {"": ""}
    for value in (*graph.input, *graph.initializer):
        names.setdefault(value.name, f"_dv{len(names)}")
    for node in graph.node:
        for name in node.output:
            names.setdefault(name, f"_dv{len(names)}")
    for number, node in enumerate(graph.node):
        node.name, node.doc_string = f"_dv/{number}", ""
        del node.metadata_props[:]
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = names[value.name]
        value.doc_string = ""
    for info in graph.value_info:
        info.name = names.get(info.name, info.name)
    for node in _all_nodes(graph):
        for fields in (node.input, node.output):
            for index, name in enumerate(fields):
                fields[index] = names.get(name, name)
    return copy


def content_key(model: onnx.ModelProto, *settings: str) -> str:
    """The SHA-256 of a model under neutral names, constants included, and of what it is compiled for."""
    digest = hashlib.sha256(model.SerializeToString(deterministic=True))
    for text in settings:
        digest.update(f"{len(text)}:{text}".encode())
    return digest.hexdigest()


def with_names(words: str, nodes: Sequence[str]) -> str:
    """What a compiler said of neutral names, in those of the nodes, which are in the model's order."""
    return _NODE.sub(lambda found: nodes[int(found[1])] if int(found[1]) < len(nodes) else found[0], words)


def named_nodes(words: str, nodes: Sequence[str]) -> set[str]:
    """The nodes that a compiler speaks of."""
    return {nodes[int(number)] for number in _NODE.findall(words) if int(number) < len(nodes)}


def rename_ends(model: onnx.ModelProto, inputs: list[str], outputs: list[str]) -> None:
    """Give the inputs and outputs of a compiled model, in their order, other names."""
    names = dict(zip([value.name for value in model.graph.input], inputs, strict=True))
    names |= dict(zip([value.name for value in model.graph.output], outputs, strict=True))
    for value in (*model.graph.input, *model.graph.output):
        value.name = names[value.name]
    for node in _all_nodes(model.graph):
        for fields in (node.input, node.output):
            for index, name in enumerate(fields):
                fields[index] = names.get(name, name)


def _all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """The nodes of a graph and of the bodies in them."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                yield from _all_nodes(body)
