"""A number about hardware, with where it comes from: an estimate never looks like a measurement."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a device or a link."""

    value: float | None
    """None: nobody publishes it."""
    unit: str
    source: str
    verified: bool
    """It was seen in its source. False: recalled, assumed or worked out from an assumption."""
    confidence: str


@dataclass(frozen=True, slots=True)
class Link:
    """The way from one device to another; `source` and `destination` are device ids."""

    source: str
    destination: str
    figures: dict[str, Figure]


@dataclass(frozen=True, slots=True)
class PartitionLimits:
    """What a target asks of a whole placement. Flags and sizes are about its NPU devices."""

    max_partitions: dict[str, int]
    """Device id -> most partitions; a device that is not named has no limit."""
    contiguous_subgraph: bool = False
    """Only one connected subgraph runs on the device."""
    prefix_only: bool = False
    """Only the start of the model runs on the device: nothing that comes after an operator elsewhere, but for a
    QuantizeLinear of the model's inputs."""
    uniform_batch: bool = False
    """All operators of a partition have the same batch size."""
    one_precision_per_model: bool = False
    """All operators on the device compute in the same element types, across its partitions."""
    whole_graph_preferred: bool = False
    """The device's compiler takes or refuses the graph as a whole."""
    static_shapes: bool = True
    """Kept operator by operator, by `static_shape` rules."""
    min_nodes: int = 1
    """A partition of fewer operators is not worth its launch."""
    min_tensor_bytes: int = 0
    """Smallest buffer of the device; smaller tensors are padded, and a partition of such alone is not worth its launch.
    """
    layout: str = ""
    """The layout the device wants at its edges, such as NHWC; empty: it does not matter."""
