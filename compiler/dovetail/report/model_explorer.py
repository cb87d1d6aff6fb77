"""A plan as a graph for Google's Model Explorer, and tables that it lays over the graph.

Partitions are the outer layer of the graph, units of several operators the inner one.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from dovetail.plan.colors import KIND_COLORS
from dovetail.plan.schema import Plan, PlanOperator, PlanPartition, TensorSpec
from dovetail.report.summary import boundary
from dovetail.report.words import shape_text, size_text, tensor_bytes

if TYPE_CHECKING:  # reports are drawn without loading ONNX
    from dovetail.lowering.joined import JoinedGraph, JoinedNode

Json: TypeAlias = dict[str, Any]

INPUTS: Final = "model inputs"
OUTPUTS: Final = "model outputs"
_TRANSFER: Final = "#d55e00"
_GRADIENT: Final = [{"stop": 0, "bgColor": "#ffffff"}, {"stop": 1, "bgColor": "#d55e00"}]


def render_model_explorer(plan: Plan, graph: "JoinedGraph") -> str:
    """Return a collection of one graph as JSON that Model Explorer opens.

    Args:
        plan: the plan.
        graph: its operators with their edges.
    """
    ends = _Ends(graph)
    drawn = {
        "id": graph_id(plan),
        "nodes": [*ends.inputs(), *_nodes(plan, graph, ends), *ends.outputs()],
        "groupNodeAttributes": {"": _facts(plan)} | {each.id: _partition_facts(each) for each in plan.partitions},
        "tasksData": {
            "edgeOverlaysDataListLeftPane": [
                {"type": "edge_overlays", "name": "transfers", "overlays": [*_transfers(plan, graph, ends)]}
            ],
            "edgeOverlaysDataListRightPane": [],
        },
    }
    return _text({"label": f"{plan.model.name} on {plan.target}", "graphs": [drawn]})


def render_overlays(plan: Plan, graph: "JoinedGraph") -> dict[str, str]:
    """Return the tables as JSON for `--node_data_paths`: `device`, `time` (microseconds of units) and `bytes`.

    An operator that a table says nothing of has no figure in the plan: the time of a unit stands at its main operator,
    and bytes, those that an operator reads and writes, need sizes that are known.
    """
    kinds = {device.id: device.kind for device in plan.devices}
    home = {each.id: each.device for each in plan.partitions}
    operators = _operators(plan)
    devices = {
        node.name: {
            "value": home[node.partition],
            "bgColor": KIND_COLORS[kinds[home[node.partition]]],
            "textColor": "#000",
        }
        for node in graph.nodes
    }
    costs = {node.name: operators[node.name].cost for node in graph.nodes if node.name in operators}
    times = {name: {"value": cost["latency_us"]} for name, cost in costs.items() if cost and "latency_us" in cost}
    sizes = {node.name: _bytes(graph, node) for node in graph.nodes}
    tables: dict[str, Json] = {
        "device": {"name": "device", "results": devices, "showExpandedSummaryOnGroupNode": True},
        "time": {"name": f"time, us ({plan.predicted.source})", "results": times, "gradient": _GRADIENT},
        "bytes": {
            "name": "bytes read and written",
            "results": {name: {"value": size} for name, size in sizes.items() if size is not None},
            "gradient": _GRADIENT,
        },
    }
    return {name: _text({graph_id(plan): table}) for name, table in tables.items()}


def graph_id(plan: Plan) -> str:
    """Return the name of the graph, which Model Explorer does not show without one."""
    return plan.model.name or "model"


class _Ends:
    """The ids of what makes each tensor, and of the nodes that stand for the model's inputs and outputs."""

    def __init__(self, graph: "JoinedGraph") -> None:
        self._graph = graph
        taken = {node.name for node in graph.nodes}
        self._ids = {(INPUTS, name): _free(f"input {name}", taken) for name in graph.inputs}
        self._ids |= {(OUTPUTS, name): _free(f"output {name}", taken) for name in graph.outputs}
        self.source = {name: (self._ids[INPUTS, name], 0) for name in graph.inputs}
        for node in graph.nodes:
            self.source.update((name, (node.name, place)) for place, name in enumerate(node.outputs) if name)

    def inputs(self) -> Iterator[Json]:
        """Yield the nodes of the inputs."""
        for name in self._graph.inputs:
            made = {"id": self._ids[INPUTS, name], "label": name, "namespace": INPUTS}
            yield made | {"outputsMetadata": [_output(self._graph, 0, name)]}

    def outputs(self) -> Iterator[Json]:
        """Yield the nodes of the outputs."""
        for name in self._graph.outputs:
            made = {"id": self._ids[OUTPUTS, name], "label": name, "namespace": OUTPUTS}
            yield made | {"incomingEdges": [*self.edges((name,))]}

    def edges(self, tensors: tuple[str, ...]) -> Iterator[Json]:
        """Yield the edges that bring tensors to a node; constants come from nowhere."""
        for place, name in enumerate(tensors):
            if name in self.source:
                node, output = self.source[name]
                yield {"sourceNodeId": node, "sourceNodeOutputId": str(output), "targetNodeInputId": str(place)}


def _free(wanted: str, taken: set[str]) -> str:
    while wanted in taken:
        wanted += "'"
    taken.add(wanted)
    return wanted


def _nodes(plan: Plan, graph: "JoinedGraph", ends: _Ends) -> Iterator[Json]:
    operators = _operators(plan)
    members = Counter(operator.unit for operator in operators.values())
    for node in graph.nodes:
        operator = operators.get(node.name)
        inner = f"/unit {operator.unit}" if operator and members[operator.unit] > 1 else ""
        constants = [(name, graph.tensors[name]) for name in node.inputs if name in graph.constants]
        facts = {"name": node.name, "partition": node.partition, **(_operator_facts(operator) if operator else {})}
        facts |= {f"constant {name}": _spec_text(spec) for name, spec in constants}
        yield {
            "id": node.name,
            "label": node.op_type,
            "namespace": node.partition + inner,
            "attrs": _pairs(facts),
            "incomingEdges": [*ends.edges(node.inputs)],
            "outputsMetadata": [_output(graph, place, name) for place, name in enumerate(node.outputs) if name],
        }


def _operators(plan: Plan) -> dict[str, PlanOperator]:
    return {operator.name: operator for operator in plan.operators if not operator.inside}


def _operator_facts(operator: PlanOperator) -> dict[str, str]:
    cost = operator.cost or {}
    facts = {
        "device": operator.device,
        "reason": operator.reason,
        "made from": ", ".join(operator.origins),
        **{f"predicted {name.replace('_', ', ')}": f"{value:.4g}" for name, value in cost.items()},
        **{f"verdict on {verdict.device}": verdict.state for verdict in operator.verdicts},
    }
    return {key: value for key, value in facts.items() if value}


def _facts(plan: Plan) -> dict[str, str]:
    figures = {"latency, ms": plan.predicted.latency_ms, "energy, mJ": plan.predicted.energy_mj}
    known = {f"predicted {name}": f"{value:.4g}" for name, value in figures.items() if value is not None}
    return {"target": plan.target, "objective": plan.objective, "figures": plan.predicted.source, **known}


def _partition_facts(partition: PlanPartition) -> dict[str, str]:
    figures = {
        f"predicted {name.replace('_', ', ')}": f"{value:.4g}" for name, value in (partition.predicted or {}).items()
    }
    sides = {"in": boundary(partition.inputs).bytes, "out": boundary(partition.outputs).bytes}
    sizes = {f"bytes {side}": size_text(size) for side, size in sides.items()}
    return {"device": partition.device, "operators": str(len(partition.nodes)), **sizes, **figures}


def _transfers(plan: Plan, graph: "JoinedGraph", ends: _Ends) -> Iterator[Json]:
    """Yield the transfers of each pair of devices, to the first reader in each partition."""
    readers: dict[tuple[str, str], str] = {}
    for node in graph.nodes:
        for name in node.inputs:
            readers.setdefault((node.partition, name), node.name)
    edges: dict[str, list[Json]] = {}
    for transfer in plan.transfers:
        way = edges.setdefault(f"{transfer.source} to {transfer.destination}", [])
        for partition in transfer.consumers:
            source, reader = ends.source.get(transfer.tensor), readers.get((partition, transfer.tensor))
            if source is not None and reader is not None:
                way.append({"sourceNodeId": source[0], "targetNodeId": reader, "label": size_text(transfer.bytes)})
    for name, found in edges.items():
        if found:
            yield {"name": name, "edgeColor": _TRANSFER, "edges": found}


def _output(graph: "JoinedGraph", place: int, name: str) -> Json:
    # not under `tensor_name`: then a key of a table could mean this tensor or the node that has its name
    facts = {"tensor": name}
    if spec := graph.tensors.get(name):
        facts |= {"shape": _spec_text(spec)}
    return {"id": str(place), "attrs": _pairs(facts)}


def _spec_text(spec: TensorSpec) -> str:
    return f"{spec.dtype} {shape_text(spec.shape)}"


def _bytes(graph: "JoinedGraph", node: "JoinedNode") -> int | None:
    total = 0
    for name in (*node.inputs, *node.outputs):
        spec = graph.tensors.get(name)
        size = tensor_bytes(spec) if spec is not None else None
        if name and size is None:
            return None
        total += size or 0
    return total


def _pairs(facts: Mapping[str, str]) -> list[Json]:
    return [{"key": key, "value": value} for key, value in facts.items()]


def _text(document: Json) -> str:
    return json.dumps(document, allow_nan=False, indent=1) + "\n"
