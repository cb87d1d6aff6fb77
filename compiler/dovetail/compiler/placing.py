"""From tags on the graph to the flat placement problem, and the user's pins."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from dovetail.compiler.costing import Costing
from dovetail.compiler.unit_facts import batch_sizes, crossing_tensors, entrances, precisions, units_of
from dovetail.ir import Graph
from dovetail.partition import DeviceLimits, Problem
from dovetail.passes.tagging import UnitTag, VerdictTag
from dovetail.plan.errors import PartitionError
from dovetail.plan.naming import closest, meant, shown
from dovetail.targets import Target


def make_problem(
    graph: Graph, target: Target, place: Sequence[tuple[str, str]], costing: Costing | None = None
) -> Problem:
    """The placement problem of a tagged graph, with its costs. O(V + E).

    Args:
        graph: with units and verdicts.
        target: the machine.
        place: the user's pins.
        costing: the cost model of this graph on this target, if there is one already.

    Raises:
        PartitionError: a pin names an unknown device, or matches no operator.
    """
    units = units_of(graph)
    devices = tuple(device.id for device in target.devices)
    index_of = {name: graph.tag(name, UnitTag).index for name in graph}
    tensors = crossing_tensors(graph, index_of)
    edges = {(index_of[a], index_of[b]) for a, b in graph.nx.edges() if index_of[a] != index_of[b]}
    return Problem(
        devices=devices,
        names=tuple(graph.tag(unit[0], UnitTag).main for unit in units),
        allowed=tuple(tuple(_allows(graph, unit, device) for device in devices) for unit in units),
        edges=tuple(sorted(edges)),
        sizes=tuple(len(unit) for unit in units),
        pins=_pins(graph, devices, place),
        limits=_limits(target),
        batches=batch_sizes(graph, units) if target.limits.uniform_batch else (),
        precisions=precisions(graph, units, _rewrites(target)) if target.limits.one_precision_per_model else (),
        tensors=tensors,
        entrances=entrances(graph, units) if target.limits.prefix_only else frozenset(),
        costs=(costing or Costing(graph, target, units)).table(tensors),
    )


def _rewrites(target: Target) -> Mapping[str, str]:
    """Element types that the NPU computes in another one."""
    return next((device.book.device.dtype_rewrite for device in target.devices if device.kind == "npu"), {})


def _limits(target: Target) -> dict[int, DeviceLimits]:
    """What a target asks of each device: the number of partitions of any, all else of its NPU."""
    asked = target.limits
    limits = {}
    for index, device in enumerate(target.devices):
        own = DeviceLimits(max_partitions=asked.max_partitions.get(device.id))
        if device.kind == "npu":
            own = DeviceLimits(
                max_partitions=own.max_partitions,
                contiguous=asked.contiguous_subgraph,
                prefix_only=asked.prefix_only,
                uniform_batch=asked.uniform_batch,
                one_precision=asked.one_precision_per_model,
                min_operators=asked.min_nodes,
                min_tensor_bytes=asked.min_tensor_bytes,
            )
        if own != DeviceLimits():
            limits[index] = own
    return limits


def _allows(graph: Graph, unit: Sequence[str], device: str) -> bool:
    return all(is_taken(graph, name, device) for name in unit)


def is_taken(graph: Graph, name: str, device: str) -> bool:
    """Whether a device takes a node, be it at a price."""
    return graph.tag(name, VerdictTag).on(device).state in ("supported", "soft")


def _pins(graph: Graph, devices: tuple[str, ...], place: Sequence[tuple[str, str]]) -> dict[int, int]:
    """The device of every pinned unit. The last pattern that matches an operator counts; a unit has one device."""
    units = units_of(graph)
    pinned: dict[str, tuple[str, str]] = {}
    for pattern, device in place:
        if device not in devices:
            raise PartitionError(f"{_option(pattern, device)}: the target has no such device; {meant(device, devices)}")
        matched = [name for name in graph if matches(graph, name, pattern)]
        if not matched:
            raise PartitionError(
                f"{_option(pattern, device)}: no operator of the compiled model has such a "
                f"{what_is_meant(graph, pattern)}"
            )
        pinned.update((name, (pattern, device)) for name in matched)
    pins: dict[int, tuple[str, str, str]] = {}
    for name, (pattern, device) in pinned.items():
        unit = graph.tag(name, UnitTag).index
        other, before, there = pins.setdefault(unit, (name, pattern, device))
        if there != device:
            raise PartitionError(
                f"{_option(pattern, device)}: '{name}' must stay with '{other}', which {_option(before, there)} puts on"
                f" '{there}'; pin both to one device"
            )
        _check_allowed(graph, (name, *units[unit]), pattern, device)
    return {unit: devices.index(device) for unit, (_, _, device) in pins.items()}


def _option(pattern: str, device: str) -> str:
    return f"--place '{pattern}={device}'"


def _check_allowed(graph: Graph, members: Sequence[str], pattern: str, device: str) -> None:
    """Refuse a pin on a device that does not take the whole unit, in the device's own words."""
    for member in members:
        verdict = graph.tag(member, VerdictTag).on(device)
        if verdict.state in ("supported", "soft"):
            continue
        reason = verdict.reasons[0]
        fix = f"{reason.fix}, or " if reason.fix else ""
        raise PartitionError(
            f"{_option(pattern, device)}: '{members[0]}' can't run on '{device}': {reason.message}; {fix}take the pin "
            "away"
        )


def what_is_meant(graph: Graph, pattern: str) -> str:
    """The end of a message about a pattern without operators: what it would be a part of, and what to do."""
    if pattern.startswith("op:"):
        types = sorted({graph.node(name).op_type for name in graph})
        return f"type; {meant(pattern.removeprefix('op:'), types)}"
    names = dict.fromkeys(known for name in graph for known in (name, *graph.origins(name)))
    found = closest(pattern, list(names))
    return f"name; {f'did you mean {shown(found)}?' if found else 'write a name, a glob with *, or op:TYPE'}"


def matches(graph: Graph, name: str, pattern: str) -> bool:
    """Whether a pattern of `--place` means this node: by type, by name, or by the name of a node it stands for."""
    if pattern.startswith("op:"):
        return fnmatchcase(graph.node(name).op_type, pattern.removeprefix("op:"))
    return any(fnmatchcase(known, pattern) for known in (name, *graph.origins(name)))
