"""What a layout is made of: boxes at places, and how each edge runs between them."""

from dataclasses import dataclass

Point = tuple[float, float]
Size = tuple[float, float]
Edge = tuple[int, int]


@dataclass(frozen=True, slots=True)
class LayoutOptions:
    """Distances of a layout, in the unit of the box sizes (pixels at zoom 1)."""

    node_gap: float = 24.0
    """Between two boxes side by side."""
    layer_gap: float = 36.0
    """Between two layers; a gap whose edges run far sideways grows to at most three times this."""
    edge_gap: float = 12.0
    """Between a passing edge and what stands beside it."""
    parallel_gap: float = 6.0
    """Between edges that share both ends."""
    stub_after: int = 8
    """An edge that goes down more layers than this is drawn as two tails."""
    stub_length: float = 14.0
    """Length of a tail; no longer than `layer_gap`."""
    component_gap: float = 48.0
    """Between parts of the graph that no edge joins."""
    aspect: float = 1.6
    """Width over height that packed parts and wrapped rows aim at."""
    layer_nodes: int = 24
    """A layer holds this many boxes, or 1.5 times the root of the number of boxes if that is more; the rest wrap into
    the layers below."""


@dataclass(frozen=True, slots=True)
class Route:
    """How one edge is drawn.

    A whole edge has all its points in `points`, from the middle of the source's bottom to the middle of the
    destination's top, each point at least as low as the one before. Only pieces between two layers slant, so a curve
    that leaves and reaches every point vertically stays clear of the boxes too. The tails of a stub stand a quarter of
    the box's width right of its middle, and all tails on one side of a box are the same.
    """

    points: tuple[Point, ...]
    """A whole edge; of a stub, the tail that hangs from the source."""
    arrival: tuple[Point, ...] = ()
    """Of a stub, the tail that ends on the destination; empty for a whole edge."""

    @property
    def is_stub(self) -> bool:
        """Whether the edge is two tails, each to be labelled with the name of the other end."""
        return bool(self.arrival)

    def moved(self, right: float, down: float) -> "Route":
        """The same route elsewhere."""
        return Route(_moved(self.points, right, down), _moved(self.arrival, right, down))


@dataclass(frozen=True, slots=True)
class Layout:
    """Places for boxes and edges, all within (0, 0) and (width, height), y downwards."""

    positions: list[Point]
    """Top left corner of each box, in the order of the sizes given."""
    width: float
    height: float
    routes: list[Route]
    """One per edge, in the order given."""


def _moved(points: tuple[Point, ...], right: float, down: float) -> tuple[Point, ...]:
    return tuple((x + right, y + down) for x, y in points)
