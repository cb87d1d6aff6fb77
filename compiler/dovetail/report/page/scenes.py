"""The levels of the graph as drawings: partitions, what is inside each, and the same with repeated blocks folded.

All places are worked out here: the page only draws.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from dovetail.plan.schema import Plan, PlanPartition
from dovetail.report.layout import Group, Layout, LayoutOptions, Route, fold_blocks, lay_out
from dovetail.report.page.columns import in_columns
from dovetail.report.page.rows import Tensors

if TYPE_CHECKING:  # it loads ONNX, which the report of a plan does without
    from dovetail.lowering.joined import JoinedGraph, JoinedNode

Json: TypeAlias = dict[str, Any]
Size: TypeAlias = tuple[float, float]

_PARTITION: Final[Size] = (216.0, 88.0)
_BLOCK: Final[Size] = (216.0, 60.0)
_TENSOR_HEIGHT: Final = 30.0
_OPERATOR_HEIGHT: Final = 42.0
_LETTER: Final = 7.4
"""Width of a letter of a title, in the units of the drawing."""
_SMALL_LETTER: Final = 7.3
_WIDEST: Final = 230.0
_ROOMY: Final = LayoutOptions(layer_gap=58.0, edge_gap=46.0)
"""Between partitions, whose edges have labels."""
_CLOSE: Final = LayoutOptions(layer_gap=30.0)
_BOTH_WAYS: Final = 24
"""Boxes up to which a drawing is made downwards and to the right, and the one that fits a screen better is taken."""
_SCREEN: Final = 1.7
"""Width over height of the place for the drawing."""
_NAMED_TYPES: Final = 3
"""Operator types in the name of a block."""


class Kind(IntEnum):
    """What a box stands for, and with it what its number counts."""

    PARTITION = 0
    INPUT = 1
    """A tensor that the caller feeds."""
    OUTPUT = 2
    ENTRY = 3
    """A tensor that enters the partition that is open."""
    EXIT = 4
    BLOCK = 5
    OPERATOR = 6


@dataclass(slots=True)
class _Drawing:
    """Boxes and edges before they have places."""

    boxes: list[tuple[Kind, int]] = field(default_factory=list)
    sizes: list[Size] = field(default_factory=list)
    edges: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    """(source, destination) -> tensors."""

    def add(self, kind: Kind, number: int, size: Size) -> int:
        self.boxes.append((kind, number))
        self.sizes.append(size)
        return len(self.boxes) - 1

    def join(self, source: int, destination: int, tensor: int) -> None:
        tensors = self.edges.setdefault((source, destination), [])
        if tensor not in tensors:
            tensors.append(tensor)


def scenes(plan: Plan, graph: "JoinedGraph | None", tensors: Tensors) -> Json:
    """Return the drawing of the partitions, and of each partition two: folded and whole; None for what there is not.

    Time and size grow linearly with operators and edges.

    Args:
        plan: the plan.
        graph: its operators with their edges; without it there are no drawings of what is inside.
        tensors: numbers for the tensors of edges.
    """
    made: Json = {"top": _top(plan, tensors), "whole": [], "folded": []}
    members: dict[str, list[JoinedNode]] = {}
    for node in graph.nodes if graph else ():
        members.setdefault(node.partition, []).append(node)
    number = {operator.name: index for index, operator in enumerate(plan.operators) if not operator.inside}
    for partition in plan.partitions:
        inside = [node for node in members.get(partition.id, ()) if node.name in number]
        wired = _Inside(partition, inside, number, tensors) if inside else None
        made["whole"].append(wired.whole() if wired else None)
        made["folded"].append(wired.folded() if wired else None)
    return made


def _top(plan: Plan, tensors: Tensors) -> Json:
    drawing = _Drawing()
    made_by: dict[str, int] = {}
    for spec in plan.inputs:
        made_by[spec.name] = drawing.add(Kind.INPUT, tensors.number(spec.name), _tensor_size(spec.name))
    places = [drawing.add(Kind.PARTITION, number, _PARTITION) for number in range(len(plan.partitions))]
    for place, partition in zip(places, plan.partitions, strict=True):
        made_by.update((spec.name, place) for spec in partition.outputs)
    for place, partition in zip(places, plan.partitions, strict=True):
        for spec in partition.inputs:
            if spec.name in made_by:
                drawing.join(made_by[spec.name], place, tensors.number(spec.name))
    for spec in plan.outputs:
        place = drawing.add(Kind.OUTPUT, tensors.number(spec.name), _tensor_size(spec.name))
        if spec.name in made_by:
            drawing.join(made_by[spec.name], place, tensors.number(spec.name))
    return _placed(drawing, _ROOMY)


class _Inside:
    """The operators of one partition and what flows between them."""

    def __init__(
        self, partition: PlanPartition, nodes: Sequence["JoinedNode"], number: Mapping[str, int], tensors: Tensors
    ) -> None:
        self._partition = partition
        self._nodes = nodes
        self._number = number
        self._tensors = tensors
        self._maker = {name: index for index, node in enumerate(nodes) for name in node.outputs if name}

    def whole(self) -> Json:
        """Every operator as a box."""
        drawing = _Drawing()
        places = [drawing.add(Kind.OPERATOR, self._number[node.name], self._size(node)) for node in self._nodes]
        self._join(drawing, places)
        return _placed(drawing)

    def folded(self) -> Json | None:
        """Repeated blocks and what stands between them as boxes; None where that leaves no fewer boxes."""
        edges = [
            (self._maker[name], index)
            for index, node in enumerate(self._nodes)
            for name in dict.fromkeys(node.inputs)
            if name in self._maker
        ]
        folding = fold_blocks([node.op_type for node in self._nodes], edges)
        if 2 * len(folding.groups) > len(self._nodes):
            return None
        drawing = _Drawing()
        blocks: list[list[Any]] = []
        boxes = [self._group(group, drawing, blocks) for group in folding.groups]
        places = [boxes[group] for group in folding.group_of]
        self._join(drawing, places)
        return _placed(drawing) | {"blocks": blocks}

    def _group(self, group: Group, drawing: _Drawing, blocks: list[list[Any]]) -> int:
        """Add a box for a group of operators, or for the only one in it."""
        if len(group.nodes) == 1:
            node = self._nodes[group.nodes[0]]
            return drawing.add(Kind.OPERATOR, self._number[node.name], self._size(node))
        title = _title([self._nodes[place] for place in group.copies[0]])
        blocks.append([title, [self._number[self._nodes[place].name] for place in group.nodes], len(group.copies)])
        return drawing.add(Kind.BLOCK, len(blocks) - 1, _BLOCK)

    def _join(self, drawing: _Drawing, places: Sequence[int]) -> None:
        """Draw the tensors that flow between boxes, and those that enter and leave the partition."""
        entries: dict[str, int] = {}
        enters = {spec.name for spec in self._partition.inputs}
        for index, node in enumerate(self._nodes):
            for name in dict.fromkeys(node.inputs):
                number = self._tensors.number(name)
                if name in self._maker:
                    if places[self._maker[name]] != places[index]:
                        drawing.join(places[self._maker[name]], places[index], number)
                elif name in enters:
                    if name not in entries:
                        entries[name] = drawing.add(Kind.ENTRY, number, _tensor_size(name))
                    drawing.join(entries[name], places[index], number)
        for spec in self._partition.outputs:
            if spec.name in self._maker:
                number = self._tensors.number(spec.name)
                leaves = drawing.add(Kind.EXIT, number, _tensor_size(spec.name))
                drawing.join(places[self._maker[spec.name]], leaves, number)

    def _size(self, node: "JoinedNode") -> Size:
        shape = self._tensors.shape(node.outputs[0]) if node.outputs else ""
        wanted = max(_LETTER * len(node.op_type), _SMALL_LETTER * len(shape)) + 46
        return min(max(wanted, 104.0), _WIDEST), _OPERATOR_HEIGHT


def _title(nodes: Sequence["JoinedNode"]) -> str:
    """Name a block by its first operator types, each once: `Conv, Relu, Add`."""
    types = list(dict.fromkeys(node.op_type for node in nodes))
    return ", ".join(types[:_NAMED_TYPES]) + (", ..." if len(types) > _NAMED_TYPES else "")


def _tensor_size(name: str) -> Size:
    return min(max(_SMALL_LETTER * len(name) + 28, 72.0), _WIDEST), _TENSOR_HEIGHT


def _placed(drawing: _Drawing, options: LayoutOptions = _CLOSE) -> Json:
    edges = list(drawing.edges)
    downwards = lay_out(drawing.sizes, edges, options)
    best = max(downwards, in_columns(downwards, drawing.sizes, edges, _SCREEN), key=_zoom)
    if len(drawing.boxes) > _BOTH_WAYS:
        return _encoded(drawing, best, turned=False)
    sideways = _turned(lay_out([(height, width) for width, height in drawing.sizes], edges, options))
    is_wide = _zoom(sideways) >= _zoom(best)
    return _encoded(drawing, sideways if is_wide else best, turned=is_wide)


def _zoom(layout: Layout) -> float:
    """How large a layout can be drawn on a screen, in no unit."""
    return 1 / max(layout.width, layout.height * _SCREEN, 1.0)


def _turned(layout: Layout) -> Layout:
    """The same layout with what went down going to the right."""
    return Layout(
        positions=[(y, x) for x, y in layout.positions],
        width=layout.height,
        height=layout.width,
        routes=[Route(_swapped(route.points), _swapped(route.arrival)) for route in layout.routes],
    )


def _swapped(points: Iterable[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    return tuple((y, x) for x, y in points)


def _encoded(drawing: _Drawing, layout: Layout, turned: bool) -> Json:
    """Flat arrays: six numbers a box; an edge as its ends, its tensors, and its points."""
    boxes: list[int] = []
    for (kind, number), (x, y), (width, height) in zip(drawing.boxes, layout.positions, drawing.sizes, strict=True):
        boxes += (int(kind), number, round(x), round(y), round(width), round(height))
    edges = [
        [source, destination, tensors if len(tensors) > 1 else tensors[0], _flat(route.points), *_tail(route)]
        for ((source, destination), tensors), route in zip(drawing.edges.items(), layout.routes, strict=True)
    ]
    return {
        "width": round(layout.width),
        "height": round(layout.height),
        "sideways": int(turned),
        "boxes": boxes,
        "edges": edges,
    }


def _tail(route: Route) -> list[list[int]]:
    return [_flat(route.arrival)] if route.is_stub else []


def _flat(points: Iterable[tuple[float, float]]) -> list[int]:
    return [round(coordinate) for point in points for coordinate in point]
