"""The graph of an ONNX model: networkx holds the structure and the tags, onnx_ir holds what ONNX knows."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

import networkx as nx
import onnx_ir

from dovetail.ir import lineage
from dovetail.ir.names import all_nodes, give_unique_names, give_unique_value_names, own_values, unique_name
from dovetail.ir.nested import has_bodies, nested_nodes, read_values, release_bodies
from dovetail.plan.errors import DovetailError, ModelError, PassError

Tag = TypeVar("Tag")


class Graph:
    """A model as a `networkx.MultiDiGraph`: one nx node per ONNX node, one nx edge per (producer, consumer, value).

    `graph.nx` is keyed by node name: every node, those in bodies too, has a unique one. An edge's key is the value's
    name; a value that a body captures makes an edge to the If, Loop or Scan that holds the body. Inputs, outputs and
    initializers are not nx nodes; they are on the Graph.

    The graph changes only through `rewrite`, which keeps both sides in step. Building is O(nodes + edges) in time and
    memory, about 1 KB a node; weights are never copied.

    Attributes:
        nx: the structure, for algorithms to read.
        model: the onnx_ir model behind it.
    """

    def __init__(self, model: onnx_ir.Model, *, name: str = "model", sha256: str = "") -> None:
        """Take over a model whose functions are inlined.

        Raises:
            ModelError: the nodes form a cycle.
        """
        self.model = model
        self.name = name
        self.sha256 = sha256
        self.bindings: dict[str, str] = {}
        self._origins: lineage.Origins = {}
        self._before: list[lineage.Was] = []  # as the last rewrite that changed nothing found the nodes
        self._broken_by = ""
        _forward_constant_outputs(model.graph)
        give_unique_value_names(model.graph)
        give_unique_names(all_nodes(model.graph), set())
        self._original = frozenset(str(node.name) for node in all_nodes(model.graph))
        self._nodes: dict[str, onnx_ir.Node] = {}
        self._position: dict[str, int] = {}
        self.nx: nx.MultiDiGraph[str] = self._build()

    # --- looking -----------------------------------------------------------------------------------------------

    @property
    def inputs(self) -> tuple[onnx_ir.Value, ...]:
        """Inputs of the model that a caller feeds; initializers are never among them."""
        return tuple(self.model.graph.inputs)

    @property
    def outputs(self) -> tuple[onnx_ir.Value, ...]:
        """Outputs of the model."""
        return tuple(self.model.graph.outputs)

    @property
    def initializers(self) -> Mapping[str, onnx_ir.Value]:
        """Constants of the top graph, by name."""
        return self.model.graph.initializers

    def __len__(self) -> int:
        return int(self.nx.number_of_nodes())

    def __iter__(self) -> Iterator[str]:
        """Node names in topological order; the order is stable."""
        return iter(self.nx)

    def __contains__(self, name: object) -> bool:
        return name in self.nx

    def node(self, name: str) -> onnx_ir.Node:
        """The ONNX node of this name in the top graph.

        Raises:
            KeyError: there is none.
        """
        return self._nodes[name]

    def nodes(self) -> Iterator[onnx_ir.Node]:
        """The ONNX nodes of the top graph, in topological order."""
        return iter(self._nodes.values())

    def in_order(self, names: Iterable[str]) -> list[str]:
        """Some of the nodes of the top graph, each once, in topological order.

        Raises:
            KeyError: there is no node of such a name.
        """
        return sorted(set(names), key=self._position.__getitem__)

    def nested(self, name: str) -> Iterator[onnx_ir.Node]:
        """The nodes in the bodies of an If, Loop or Scan, at any depth."""
        return nested_nodes(self.node(name))

    def has_bodies(self, name: str) -> bool:
        """Whether the node holds nested graphs."""
        return has_bodies(self.node(name))

    def origins(self, name: str) -> tuple[str, ...]:
        """The user's nodes that this node stands for; itself where no pass touched it."""
        return self._origins.get(name, (name,))

    def eliminated(self) -> tuple[str, ...]:
        """Original nodes that no node stands for any more: they folded away. In alphabetical order."""
        alive: set[str] = set()
        for node in all_nodes(self.model.graph):
            alive.update(self.origins(str(node.name)))
        return tuple(sorted(self._original - alive))

    def descend_from(self, other: "Graph") -> None:
        """Count as what became of another graph that was changed outside: nodes are told by their names.

        Name, digest, loading options and what the model says of itself are the other's then; the nodes that the change
        has brought are no one's.
        """
        for node in all_nodes(self.model.graph):
            name = str(node.name)
            origins = lineage.merge_origins(self.origins(name), other._origins)
            if origins != (name,):
                self._origins[name] = origins
        self._original = other._original
        self.name, self.sha256, self.bindings = other.name, other.sha256, other.bindings
        mine, theirs = self.model, other.model
        mine.producer_name, mine.domain, mine.model_version = theirs.producer_name, theirs.domain, theirs.model_version
        mine.doc_string, mine.graph.name = theirs.doc_string, theirs.graph.name
        mine.metadata_props.clear()
        mine.metadata_props.update(theirs.metadata_props)

    # --- tags --------------------------------------------------------------------------------------------------

    def set_tag(self, name: str, tag: object) -> None:
        """Attach a typed record to a node; it replaces one of the same type. Rewriting drops all tags."""
        self.nx.nodes[name]["tags"][type(tag)] = tag

    def tag(self, name: str, kind: type[Tag]) -> Tag:
        """The record of this type on a node.

        Raises:
            KeyError: the pass that makes it has not run.
        """
        tag = self.nx.nodes[name]["tags"][kind]
        assert isinstance(tag, kind)
        return tag

    # --- changing ----------------------------------------------------------------------------------------------

    def rewrite(self, what: str, change: Callable[[onnx_ir.Model], bool]) -> bool:
        """Let `change` edit the onnx_ir model, then bring the networkx side in step. Returns whether it changed.

        Args:
            what: name of the pass, for messages.
            change: edits the model in place and says whether it did.

        Raises:
            PassError: `change` failed. It may have stopped half-way, so the graph refuses any further change.
        """
        if self._broken_by:
            raise PassError(f"pass '{what}': the graph was left half-changed by '{self._broken_by}'; load it again")
        self._broken_by = what
        before = self._before or lineage.remember(self.model.graph)
        try:
            modified = change(self.model)
            self._before = [] if modified else before
            if modified:
                for was in before:  # libraries rename what they move
                    was.node.name = was.name
                release_bodies(was.node for was in before)
                self._rebuild(before)
        except DovetailError:
            raise
        except Exception as error:
            words = " ".join(str(error).split())
            raise PassError(f"pass '{what}': {type(error).__name__}: {words}") from error
        self._broken_by = ""
        return modified

    def _rebuild(self, before: list[lineage.Was]) -> None:
        graph = self.model.graph
        _forward_constant_outputs(graph)
        ancestors = lineage.heirs(before, graph)
        give_unique_value_names(graph)  # after the heirs, which are found by names; a lifted constant may take one
        old = {was.node for was in before}
        nodes = list(all_nodes(graph))
        taken = {str(node.name) for node in nodes if node in old}
        numbers: dict[str, int] = {}
        for node in nodes:
            if node not in old:
                self._adopt(node, ancestors.get(node, []), taken, numbers)
            elif node in ancestors:
                names = [str(node.name), *(was.name for was in ancestors[node])]
                self._origins[str(node.name)] = lineage.merge_origins(names, self._origins)
        self.nx = self._build()

    def _adopt(
        self, node: onnx_ir.Node, ancestors: list[lineage.Was], taken: set[str], numbers: dict[str, int]
    ) -> None:
        """Name a node that a pass made, and remember whom it descends from."""
        if not ancestors:
            give_unique_names([node], taken)
            return
        alike = [was for was in ancestors if was.op_type == node.op_type]
        origins = lineage.merge_origins([was.name for was in ancestors], self._origins)
        node.name = unique_name((alike or ancestors)[0].name, taken, numbers)
        if origins != (node.name,):
            self._origins[node.name] = origins

    def _build(self) -> "nx.MultiDiGraph[str]":
        graph = self.model.graph
        _sort(graph, self.name)
        for value in graph.initializers.values():
            if value.const_value is not None:  # folding leaves the shape that was guessed before
                value.shape = onnx_ir.Shape(value.const_value.shape.numpy())
        result: nx.MultiDiGraph[str] = nx.MultiDiGraph()
        self._nodes = {str(node.name): node for node in graph}
        self._position = {name: position for position, name in enumerate(self._nodes)}
        for node in graph:
            outputs = tuple(value.name for value in node.outputs)
            result.add_node(str(node.name), node=node, tags={}, outputs=outputs)
        for node in graph:
            for value in read_values(node):
                producer = value.producer()
                if producer is not None:
                    result.add_edge(str(producer.name), str(node.name), key=str(value.name), value=value)
        return result


def _sort(graph: onnx_ir.Graph, name: str) -> None:
    """Bring the nodes into topological order, those already in order staying where they are."""
    try:
        if not _is_sorted(graph):
            graph.sort()
    except ValueError as error:
        raise ModelError(f"model '{name}': its nodes form a cycle ({error}); export the model again") from error


def _is_sorted(graph: onnx_ir.Graph) -> bool:
    seen: set[onnx_ir.Node] = set()
    for node in graph:
        for value in read_values(node):
            producer = value.producer()
            if producer is not None and producer not in seen:
                return False
        seen.add(node)
    return True


def _forward_constant_outputs(graph: onnx_ir.Graph) -> None:
    """Give each output that is a constant a node that makes it, so that some partition delivers it."""
    constants = dict.fromkeys(value for value in graph.outputs if value.is_initializer() and not value.is_graph_input())
    if not constants:
        return
    taken = {str(value.name) for value in own_values(graph)}
    forwarded: dict[onnx_ir.Value, onnx_ir.Value] = {}
    for value in constants:  # each once, however often it is listed
        name = str(value.name)
        value.name = unique_name(f"{name}_constant", taken)
        forward = onnx_ir.node("Identity", inputs=[value], name=name)
        forward.outputs[0].name = name
        forward.outputs[0].type, forward.outputs[0].shape = value.type, value.shape
        graph.append(forward)
        forwarded[value] = forward.outputs[0]
    for index, value in enumerate(graph.outputs):
        if value in forwarded:
            graph.outputs[index] = forwarded[value]
