"""What other tools do with a placement problem: each rule a function from a problem to partitions.

The rules are written from what the tools are known to do; where a tool's own code can be called, it is: onnxruntime's
`check_partitioning` and torch.fx's `CapabilityBasedPartitioner`. What a rule leaves to the CPU is grouped as well as
can be, which is better than some of the tools do.
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dovetail.partition import Partition, Placement, PlaceOptions, Problem, greedy, limits, phases, place
from dovetail.partition.order import adjacency, topological_order

Edges = Sequence[tuple[int, int]]
Groups = list[list[int]]
Rule = Callable[[int, Edges, Sequence[bool]], Groups]
"""From units in topological order, edges, and what a device takes to the groups that it gets."""
WholeRule = Callable[[int, Edges, Sequence[int]], Groups]
"""From units in topological order, edges, and the device of each unit to the groups of all devices."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A rule, and the largest problem that it is asked about."""

    name: str
    partition: Callable[[Problem], tuple[Partition, ...] | None]
    """None where the rule has no answer."""
    most_units: int = 1_000_000


# --- onnxruntime ----------------------------------------------------------------------------------------------------


def waves(units: int, edges: Edges, taken: Sequence[bool]) -> Groups:
    """onnxruntime's groups: as many supported nodes as can run before an unsupported one that needs one of them.

    So the group of a node is the most crossings from a supported to an unsupported node on a path to it.
    """
    wave = [0] * units
    for source, target in sorted(edges, key=operator.itemgetter(1)):
        wave[target] = max(wave[target], wave[source] + (taken[source] and not taken[target]))
    groups: dict[int, list[int]] = {}
    for unit in range(units):
        if taken[unit]:
            groups.setdefault(wave[unit], []).append(unit)
    return [groups[number] for number in sorted(groups)]


def waves_of_onnxruntime(units: int, edges: Edges, taken: Sequence[bool]) -> Groups:
    """The same by onnxruntime's own Python code, for a graph of nodes of two types."""
    from onnx import TensorProto, helper
    from onnxruntime.tools.mobile_helpers.usability_checker import check_partitioning

    inputs: list[list[str]] = [[] for _ in range(units)]
    for source, target in edges:
        inputs[target].append(str(source))
    kinds = ("Unsupported", "Supported")
    nodes = [
        helper.make_node(kinds[taken[unit]], inputs[unit] or ["caller"], [str(unit)], str(unit))
        for unit in range(units)
    ]
    caller = helper.make_tensor_value_info("caller", TensorProto.FLOAT, [1])
    graph = helper.make_graph(nodes, "units", [caller], [])
    info = check_partitioning(graph, _TakesSupported(), require_fixed_input_sizes=False)
    return [sorted(int(node.name) for node in group) for group in info.supported_groups]


class _TakesSupported:
    """What `check_partitioning` asks about each node."""

    def is_op_supported(self, node: object) -> bool:
        return getattr(node, "op_type") == "Supported"  # noqa: B009


# --- torch.fx -------------------------------------------------------------------------------------------------------


def capability_groups(units: int, edges: Edges, taken: Sequence[bool]) -> Groups:
    """The groups of torch.fx's own partitioner, for a graph of calls; units are numbered in topological order."""
    from torch.fx import Graph, GraphModule, Node
    from torch.fx.passes.infra.partitioner import CapabilityBasedPartitioner
    from torch.fx.passes.operator_support import OperatorSupportBase
    from torch.nn import Module

    class Support(OperatorSupportBase):
        def is_node_supported(self, submodules: object, node: Node) -> bool:
            return node.op == "call_function" and taken[number[node]]

    inputs: list[list[int]] = [[] for _ in range(units)]
    for source, target in edges:
        inputs[target].append(source)
    graph, number, nodes = Graph(), {}, []
    caller = graph.placeholder("caller")
    for unit in range(units):
        arguments = tuple(nodes[source] for source in inputs[unit]) or (caller,)
        nodes.append(graph.call_function(_call, arguments))
        number[nodes[-1]] = unit
    graph.output(tuple(node for node in nodes if not node.users))
    module = GraphModule(Module(), graph)
    partitioner = CapabilityBasedPartitioner(module, Support(), allows_single_node_partition=True)
    return [sorted(number[node] for node in found.nodes) for found in partitioner.propose_partitions()]


def _call(*tensors: object) -> object:
    """Stands for any operator."""
    return tensors[0]


# --- OpenVINO -------------------------------------------------------------------------------------------------------


def connected_groups(units: int, edges: Edges, device_of: Sequence[int]) -> Groups:
    """HETERO's subgraphs: connected units on one device; where an input of one waits for another of it, split.

    An edge between devices, or a split, is an input of the subgraph it enters. An input is cyclic where it needs
    another input of the same subgraph. Units that need other cyclic inputs than what they read are split from it.
    """
    edges = sorted(edges, key=operator.itemgetter(1))
    entering = [edge for edge, (a, b) in enumerate(edges) if device_of[a] != device_of[b]]
    is_input = [False] * len(edges)
    has_source = {target for _, target in edges}
    while True:
        for edge in entering:
            is_input[edge] = True
        joined = [edge for edge, flag in zip(edges, is_input, strict=True) if not flag]
        subgraph = _components(units, joined)
        needs = _needed_inputs(units, edges, is_input, has_source)
        own: dict[int, int] = {}  # the inputs of each subgraph, as bits
        for bit, (target, _) in enumerate(_inputs(units, edges, is_input, has_source)):
            own[subgraph[target]] = own.get(subgraph[target], 0) | 1 << bit
        cyclic = 0
        for bit, (target, source) in enumerate(_inputs(units, edges, is_input, has_source)):
            if source is not None and needs[source] & own[subgraph[target]]:
                cyclic |= 1 << bit
        waits = [needs[unit] & own.get(subgraph[unit], 0) & cyclic for unit in range(units)]
        entering = [edge for edge, (a, b) in enumerate(edges) if not is_input[edge] and waits[a] != waits[b]]
        if not entering:
            return _by_number(subgraph)


def _inputs(units: int, edges: Edges, is_input: Sequence[bool], has_source: set[int]) -> list[tuple[int, int | None]]:
    """(unit that reads, unit read) of every input of a subgraph; those of the model first."""
    of_model: list[tuple[int, int | None]] = [(unit, None) for unit in range(units) if unit not in has_source]
    return of_model + [(b, a) for (a, b), flag in zip(edges, is_input, strict=True) if flag]


def _needed_inputs(units: int, edges: Edges, is_input: Sequence[bool], has_source: set[int]) -> list[int]:
    """For each unit the inputs of any subgraph on paths to it, as bits."""
    needs = [0] * units
    bit = 0
    for unit in range(units):
        if unit not in has_source:
            needs[unit] = 1 << bit
            bit += 1
    for (a, b), flag in zip(edges, is_input, strict=True):
        needs[b] |= needs[a]
        if flag:
            needs[b] |= 1 << bit
            bit += 1
    return needs


# --- TVM ------------------------------------------------------------------------------------------------------------


def merged_regions(units: int, edges: Edges, device_of: Sequence[int]) -> Groups:
    """MergeCompilerRegions: units one after the other join the regions they read, but none that they also wait for.

    What a region waits for is fixed when it is made or joined: regions that come to wait later are not looked at.
    """
    sources: list[list[int]] = [[] for _ in range(units)]
    for source, target in edges:
        sources[target].append(source)
    region = list(range(units))  # of each unit, by its first member
    members = [1 << unit for unit in range(units)]
    waits = [0] * units
    for unit in range(units):
        read = list(dict.fromkeys(_find(region, source) for source in sources[unit]))
        for other in read:
            waits[unit] |= waits[other]
            if device_of[other] != device_of[unit]:
                waits[unit] |= members[other]
        for other in read:
            mine = _find(region, unit)
            if device_of[other] == device_of[unit] and not waits[mine] & members[other]:
                region[mine] = other
                members[other] |= members[mine]
                waits[other] |= waits[mine]
    return _by_number([_find(region, unit) for unit in range(units)])


# --- from groups to partitions --------------------------------------------------------------------------------------


def by_priority(problem: Problem, rule: Rule) -> tuple[Partition, ...]:
    """The rule for one device after the other; what a device got is one unit for the next."""
    cpu = len(problem.devices) - 1
    group = list(range(len(problem.names)))
    device_of = [cpu] * len(group)
    for device in range(cpu):
        count, edges, number = _contract(problem, group)
        first = {number[unit]: unit for unit in range(len(group))}
        is_left = [device_of[first[index]] == cpu for index in range(count)]
        taken = [is_left[index] and problem.allowed[first[index]][device] for index in range(count)]
        groups = rule(count, edges, taken)
        joined = {index: members[0] for members in groups for index in members}
        for unit, index in enumerate(number):
            if index in joined:
                device_of[unit] = device
        group = [joined.get(index, index) for index in number]
    return complete(problem, group, device_of)


def complete(
    problem: Problem, group: Sequence[int], device_of: Sequence[int], keep_cpu: bool = False
) -> tuple[Partition, ...]:
    """Partitions in run order: each group as it is; the CPU's units together where they can be, unless `keep_cpu`.

    Raises:
        PartitionError: groups wait for one another.
    """
    cpu = len(problem.devices) - 1
    together = [
        len(group) + unit if device_of[unit] == cpu and not keep_cpu else number for unit, number in enumerate(group)
    ]
    count, edges, number = _contract(problem, together, sort=False)
    members: list[list[int]] = [[] for _ in range(count)]
    for unit in topological_order(problem, *adjacency(len(number), problem.edges)):
        members[number[unit]].append(unit)
    small = replace(problem, names=tuple(f"group {index}" for index in range(count)), edges=tuple(edges))
    found = phases.partition(small, Placement(tuple(device_of[units[0]] for units in members)))
    made = []
    for part in found:
        if part.device == cpu and not keep_cpu:
            made.append(Partition(cpu, tuple(unit for index in part.units for unit in members[index])))
        else:
            made += [Partition(part.device, tuple(members[index])) for index in part.units]
    return tuple(made)


def _contract(
    problem: Problem, group: Sequence[int], sort: bool = True
) -> tuple[int, list[tuple[int, int]], list[int]]:
    """How many groups there are, the edges between them, and the number of each unit's; in topological order."""
    known = {name: index for index, name in enumerate(dict.fromkeys(group))}
    number = [known[name] for name in group]
    edges = {(number[a], number[b]) for a, b in problem.edges if number[a] != number[b]}
    if sort:
        names = replace(problem, names=tuple(map(str, range(len(known)))), edges=tuple(edges))
        order = topological_order(names, *adjacency(len(known), sorted(edges)))
        position = {index: place for place, index in enumerate(order)}
        number = [position[index] for index in number]
        edges = {(position[a], position[b]) for a, b in edges}
    return len(known), sorted(edges), number


def _find(region: list[int], unit: int) -> int:
    while region[unit] != unit:
        region[unit] = region[region[unit]]
        unit = region[unit]
    return unit


def _components(units: int, edges: Edges) -> list[int]:
    region = list(range(units))
    for a, b in edges:
        region[_find(region, b)] = _find(region, a)
    return [_find(region, unit) for unit in range(units)]


def _by_number(number: Sequence[int]) -> Groups:
    groups: dict[int, list[int]] = {}
    for unit, name in enumerate(number):
        groups.setdefault(name, []).append(unit)
    return list(groups.values())


def by_preference(problem: Problem, rule: WholeRule, keep_cpu: bool = False) -> tuple[Partition, ...]:
    """The rule for units that are on the first device that takes them."""
    device_of = greedy.place(problem).device_of
    units, edges, number = _contract(problem, range(len(problem.names)))
    sorted_devices = [0] * units
    for unit, index in enumerate(number):
        sorted_devices[index] = device_of[unit]
    groups = rule(units, edges, sorted_devices)
    group_of = {index: name for name, members in enumerate(groups) for index in members}
    return complete(problem, [group_of[index] for index in number], device_of, keep_cpu)


# --- simple placements ----------------------------------------------------------------------------------------------


def all_on(problem: Problem, device: int) -> tuple[Partition, ...] | None:
    """Everything on one device; None where it does not take everything."""
    if not all(row[device] for row in problem.allowed):
        return None
    return phases.partition(problem, Placement((device,) * len(problem.names)))


def best_single(problem: Problem) -> tuple[Partition, ...] | None:
    """The fastest of the devices that take everything."""
    assert problem.costs is not None
    sums = problem.costs.unit_latency.sum(axis=0) + problem.costs.launch_latency
    found = [all_on(problem, int(device)) for device in np.argsort(sums, kind="stable")]
    return next((partitions for partitions in found if partitions is not None), None)


def cut_without_launches(problem: Problem) -> tuple[Partition, ...]:
    """A minimum cut of units and transfers; launches are paid, but not looked at."""
    costs = problem.costs
    assert costs is not None
    nothing = np.zeros_like(costs.launch_latency)
    free = replace(problem, costs=replace(costs, launch_latency=nothing, launch_energy=nothing))
    return phases.partition(problem, place(free, PlaceOptions(solver="fast", gap=1e-3)).placement)


def our_greedy(problem: Problem) -> tuple[Partition, ...]:
    """Every unit on the first device that takes it, within the target's limits."""
    return phases.partition(problem, limits.enforce(problem, greedy.place(problem)))


BASELINES = (
    Baseline("all on CPU", lambda problem: all_on(problem, len(problem.devices) - 1)),
    Baseline("best device", best_single),
    Baseline("greedy", our_greedy),
    Baseline("onnxruntime", lambda problem: by_priority(problem, waves)),
    Baseline("OpenVINO", lambda problem: by_preference(problem, connected_groups, keep_cpu=True), 10_000),
    Baseline("TVM", lambda problem: by_preference(problem, merged_regions), 10_000),
    Baseline("torch.fx", lambda problem: by_priority(problem, capability_groups), 1_000),
    Baseline("cut", cut_without_launches),
)
