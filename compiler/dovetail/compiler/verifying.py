"""Plans that are verified before they leave: really compiled, repaired, and compared with the model.

Every partition on a device whose compiler is installed is compiled by it. What it refuses is narrowed down to one
unit, which is refused from then on, with the vendor's words; and the model is placed again. Then every such partition
is run on inputs without error, and where a tensor is too far from the reference the unit that breaks it is found and
refused in the same way. So each round takes one unit at least from a device, and the last one finds nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import networkx as nx
import onnx_ir

from dovetail.compiler.closeness import FAR, LIMIT_DB, Array, Closeness, Numerics, as_check, compare, worst
from dovetail.compiler.culprit import smallest_failing
from dovetail.compiler.driver import Compilation
from dovetail.compiler.unit_facts import units_of
from dovetail.ir import Graph, border, extract
from dovetail.lowering import Piece
from dovetail.lowering.canonical import named_nodes, with_names
from dovetail.lowering.reference_values import ReferenceValues, run_piece
from dovetail.lowering.vendor import Compiled, VendorCompiler
from dovetail.lowering.workshop import NoAnswer
from dovetail.passes.quantize import is_dequantize, is_quantize
from dovetail.passes.tagging import UnitTag
from dovetail.plan.schema import Reason, TensorCheck
from dovetail.targets import Device

REFUSES: Final = "its compiler refuses it"
_WORDS: Final = 300
Interval = Sequence[int]
"""Units, by number, in topological order."""


@dataclass(slots=True)
class Verifier:
    """Looks for units that a device can't have, in one compilation after another of the same graph."""

    graph: Graph
    compilers: Mapping[str, VendorCompiler]
    """Device -> its compiler."""
    values: ReferenceValues
    snr_db: float | None = None
    """What every tensor must reach; None for what the device's numerics allow."""
    refused: dict[tuple[str, str], Reason] = field(default_factory=dict)
    """(device, main operator of a unit) -> why."""
    alone: set[tuple[str, str]] = field(default_factory=set)
    """Those of them that were refused by themselves, whatever is around them."""
    _known: dict[str, dict[str, Closeness]] = field(default_factory=dict)
    """Key of a compiled model -> how close its outputs were."""

    def find(self, compilation: Compilation) -> bool:
        """Refuse more units, where compiling or running shows that a device must not have them."""
        pieces = [(piece, device) for piece, device in pieces_of(compilation) if device.id in self.compilers]
        failed = [(piece, device) for piece, device in pieces if self.compiled(piece.nodes, device).words]
        for piece, device in failed:
            self._refuse_uncompiled(piece, device)
        if failed:
            return True
        before = len(self.refused)
        for piece, device in pieces:
            if not all(check.holds for check in self.checks(piece, device)):
                self._refuse_wrong(piece, device)
        return len(self.refused) > before

    def find_amplified(self, compilation: Compilation) -> bool:
        """Refuse the partitions whose rounding, small as it is, another one makes large.

        Called where every partition is right from inputs without error, and the whole plan is not: the first partition
        is looked for that makes wrong tensors of those that it gets. What it reads must come from no device that
        rounds.
        """
        actual = {name: list(values) for name, values in self._inputs().items()}
        makers: dict[str, tuple[Piece, Device]] = {}
        for piece, device in pieces_of(compilation):
            edge = border(self.graph, piece.nodes)
            inputs, outputs = ([value.name or "" for value in side] for side in (edge.inputs, edge.outputs))
            made = self._run(piece, device, [actual[name] for name in inputs])
            actual |= dict(zip(outputs, made, strict=True))
            wanted = self.values.of(outputs)
            numerics = self.numerics(piece.nodes, device)
            close = worst([compare(actual[name], wanted[name]) for name in outputs])
            if not close.holds(self.limit(numerics), "int8"):
                return self._refuse_sources(piece, close, inputs, makers)
            makers |= dict.fromkeys(outputs, (piece, device))
        return False

    def _inputs(self) -> dict[str, list[Array]]:
        return self.values.of(value.name or "" for value in self.graph.inputs)

    def _run(self, piece: Piece, device: Device, inputs: Sequence[Sequence[Array]]) -> list[list[Array]]:
        """The outputs of a piece, each in every sample, from what the pieces before it have really made."""
        samples = [list(sample) for sample in zip(*inputs, strict=True)] or [[]]
        if device.id in self.compilers:
            compiled = self.compiled(piece.nodes, device)
            if compiled.model is not None:
                runs = [list(self.compilers[device.id].run(compiled, sample)) for sample in samples]
                return [list(each) for each in zip(*runs, strict=True)]
        return run_piece(self.graph, piece.nodes, samples)

    def _refuse_sources(
        self, piece: Piece, close: Closeness, inputs: Sequence[str], makers: Mapping[str, tuple[Piece, Device]]
    ) -> bool:
        """Refuse what makes the inputs of a piece, as far back as the next device that rounds."""
        waiting, seen, moved = list(inputs), set(inputs), False
        while waiting:
            name = waiting.pop()
            if name not in makers:
                continue
            source, device = makers[name]
            if device.id not in self.compilers:
                more = [value.name or "" for value in border(self.graph, source.nodes).inputs if value.name not in seen]
                seen.update(more)
                waiting += more
                continue
            for unit in self._in_order(source):
                message = (
                    f"its rounding there is enough to change what {piece.nodes[0]!r} makes of it: signal to noise "
                    f"{close.snr_db:.1f} dB behind that"
                )
                tool = self.compilers[device.id].tool
                moved |= (device.id, self._main(unit)) not in self.refused
                self._refuse(unit, device, Reason("numerics", message, f"{close.snr_db:.1f} dB", "", tool))
        return moved

    def compiled(self, nodes: Sequence[str], device: Device) -> Compiled:
        """What the device's compiler makes of some nodes."""
        return self.compilers[device.id].compile(extract(self.graph, nodes))

    def checks(self, piece: Piece, device: Device) -> tuple[TensorCheck, ...]:
        """Every output of a compiled piece against the reference, from inputs without error."""
        compiled = self.compiled(piece.nodes, device)
        numerics = self.numerics(piece.nodes, device)
        limit = self.limit(numerics)
        found = self._closeness(piece.nodes, compiled, device)
        return tuple(as_check(piece.id, name, close, limit, numerics) for name, close in found.items())

    def numerics(self, nodes: Sequence[str], device: Device) -> Numerics:
        """In what a device computes some nodes: integers, if any of them stands in a Q/DQ group."""
        return "int8" if any(self.graph.tag(name, UnitTag).quantized for name in nodes) else device.numerics

    def limit(self, numerics: Numerics) -> float:
        """Signal to noise that tensors computed so must reach, in dB."""
        return LIMIT_DB[numerics] if self.snr_db is None else self.snr_db

    def _refuse_uncompiled(self, piece: Piece, device: Device) -> None:
        compiler = self.compilers[device.id]
        words = self.compiled(piece.nodes, device).words
        units = self._in_order(piece)
        found = self._named(words, piece, device)
        if found is None:
            start, end = smallest_failing(units, lambda part: bool(self.compiled(self._nodes(part), device).words))
            found = units[start:end]
        compiler.be_patient()
        unit = found[-1]
        spoken = with_names(self.compiled(self._nodes(found), device).words, self._nodes(found))[:_WORDS].rstrip(".")
        message = f"{REFUSES}{_together(self, found)}: {spoken}"
        self._refuse(unit, device, Reason("compile", message, "refused", "what it compiles", compiler.tool))
        if len(found) == 1:
            self._refuse_alike(unit, device, units)

    def _named(self, words: str, piece: Piece, device: Device) -> Interval | None:
        """The unit that the vendor's words name, where it really fails by itself."""
        named = {self.graph.tag(name, UnitTag).index for name in named_nodes(words, piece.nodes)}
        return next(([unit] for unit in sorted(named) if self.compiled(self._nodes([unit]), device).words), None)

    def _refuse_alike(self, unit: int, device: Device, units: Interval) -> None:
        """Refuse the units of a piece that are the same to the compiler as one that it refuses by itself.

        Of a lone QuantizeLinear or DequantizeLinear that says nothing for others: providers leave it to the host.
        """
        wanted = self.compiled(self._nodes([unit]), device)
        is_lone_edge = all(is_edge(self.graph.node(name)) for name in self._nodes([unit]))
        if not is_lone_edge and not wanted.by_chance:
            self.alone.add((device.id, self._main(unit)))
        kind = [self.graph.node(name).op_type for name in self._nodes([unit])]
        for other in units:
            nodes = self._nodes([other])
            if other == unit or [self.graph.node(name).op_type for name in nodes] != kind:
                continue
            if self.compilers[device.id].known(extract(self.graph, nodes)) == wanted:
                self._refuse(other, device, self.refused[device.id, self._main(unit)])

    def _refuse_wrong(self, piece: Piece, device: Device) -> None:
        units = self._in_order(piece)
        # all at once: each further question would run the whole model again
        self.values.of(
            value.name or "" for name in piece.nodes for value in self.graph.node(name).outputs if value.name
        )
        start, end = smallest_failing(units, lambda part: not self._is_right(part, device))
        found = units[start:end]
        compiled = self.compiled(self._nodes(found), device)
        close = worst(list(self._closeness(self._nodes(found), compiled, device).values()))
        limit = self.limit(self.numerics(self._nodes(found), device))
        tool = self.compilers[device.id].tool
        message = (
            f"its result there is wrong{_together(self, found)}: signal to noise {close.snr_db:.1f} dB, "
            f"largest error {close.max_abs_error:.3g}, {limit:g} dB are wanted"
        )
        self._refuse(found[-1], device, Reason("numerics", message, f"{close.snr_db:.1f} dB", f">= {limit:g} dB", tool))

    def _is_right(self, units: Interval, device: Device) -> bool:
        nodes = self._nodes(units)
        compiled = self.compiled(nodes, device)
        if compiled.words or compiled.model is None:
            return True  # nothing is known of it by itself
        numerics = self.numerics(nodes, device)
        limit = self.limit(numerics)
        return all(close.holds(limit, numerics) for close in self._closeness(nodes, compiled, device).values())

    def _closeness(self, nodes: Sequence[str], compiled: Compiled, device: Device) -> dict[str, Closeness]:
        edge = border(self.graph, nodes)
        inputs, outputs = ([value.name or "" for value in side] for side in (edge.inputs, edge.outputs))
        if compiled.model is None:
            return {}
        if compiled.key in self._known and list(self._known[compiled.key]) == outputs:
            return self._known[compiled.key]
        known = self.values.of([*inputs, *outputs])
        count = len(next(iter(known.values()), []))
        made: list[list[Array]] = []
        try:
            for sample in range(count):
                given = [known[name][sample] for name in inputs]
                made.append(list(self.compilers[device.id].run(compiled, given)))
        except NoAnswer:
            return dict.fromkeys(outputs, FAR)
        found = {name: compare([run[index] for run in made], known[name]) for index, name in enumerate(outputs)}
        self._known[compiled.key] = found
        return found

    def _refuse(self, unit: int, device: Device, reason: Reason) -> None:
        self.refused[device.id, self._main(unit)] = reason

    def _main(self, unit: int) -> str:
        return self.graph.tag(units_of(self.graph)[unit][0], UnitTag).main

    def _nodes(self, units: Interval) -> list[str]:
        members = units_of(self.graph)
        return self.graph.in_order(name for unit in units for name in members[unit])

    def _in_order(self, piece: Piece) -> list[int]:
        """The units of a piece in topological order, so that intervals of them are convex."""
        unit_of = {name: self.graph.tag(name, UnitTag).index for name in piece.nodes}
        between: nx.DiGraph[int] = nx.DiGraph()
        between.add_nodes_from(unit_of.values())
        for name, unit in unit_of.items():
            readers = {unit_of[other] for other in self.graph.nx.successors(name) if other in unit_of}
            between.add_edges_from((unit, reader) for reader in readers if reader != unit)
        return list(nx.lexicographical_topological_sort(between))


def pieces_of(compilation: Compilation) -> Iterator[tuple[Piece, Device]]:
    """The pieces of a compilation, each with its device."""
    devices: dict[str, Device] = {device.id: device for device in compilation.target.devices}
    for piece, partition in zip(compilation.pieces, compilation.plan.partitions, strict=True):
        yield piece, devices[partition.device]


def is_edge(node: onnx_ir.Node) -> bool:
    """Whether a node only changes between float and integers."""
    return is_quantize(node) or is_dequantize(node)


def _together(verifier: Verifier, found: Interval) -> str:
    others = [repr(verifier._main(unit)) for unit in found[:-1]]
    return f" together with {', '.join(others[-3:])}" if others else ""
