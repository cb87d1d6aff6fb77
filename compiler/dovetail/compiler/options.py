"""What a user may ask of a compilation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dovetail.ir import Bindings


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """Options of `compile_model`; the defaults compile the model as it is."""

    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Input name -> its whole shape."""
    dims: Mapping[str, int] = field(default_factory=dict)
    """Symbolic dimension -> size."""
    binds: Mapping[str, str] = field(default_factory=dict)
    """Input name -> constant, as text: `{"sr": "16000"}`."""
    place: tuple[tuple[str, str], ...] = ()
    """Hard constraints, as (pattern, device): a glob over original node names, or `op:TYPE`. The last match counts."""

    overlays: tuple[Path, ...] = ()
    """Files with answers of probes, which go before the target's rules; of two answers the later counts."""

    @property
    def bindings(self) -> Bindings:
        """The loading options among them."""
        return Bindings(self.shapes, self.dims, self.binds)
