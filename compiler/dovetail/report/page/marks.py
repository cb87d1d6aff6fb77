"""How a page marks devices and figures: letters beside colours, and where a figure comes from."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dovetail.plan.schema import DeviceKind, PlanDevice

_LETTERS: Final[dict[DeviceKind, str]] = {"npu": "N", "gpu": "G", "cpu": "C"}


@dataclass(frozen=True, slots=True)
class Source:
    """Where figures come from."""

    name: str
    """As plans have it."""
    mark: str
    """What stands beside a figure."""
    meaning: str


SOURCES: Final = (
    Source("modelled", "m", "computed from the operators and what the target's description says of the device"),
    Source("vendor estimate", "v", "computed with coefficients fitted to tables of the vendor's own tool"),
    Source("measured", "t", "computed with coefficients fitted to times that were measured on a device"),
)


def letters(devices: Sequence[PlanDevice]) -> list[str]:
    """Return `N`, `G`, `C` by kind; with a number where a target has several devices of a kind: `N1`, `N2`."""
    kinds = Counter(device.kind for device in devices)
    seen: Counter[DeviceKind] = Counter()
    made = []
    for device in devices:
        seen[device.kind] += 1
        made.append(_LETTERS[device.kind] + (str(seen[device.kind]) if kinds[device.kind] > 1 else ""))
    return made


def source_of(name: str) -> Source:
    """Return how figures of this source are marked; what a newer Dovetail calls otherwise counts as modelled."""
    return next((each for each in SOURCES if each.name == name), SOURCES[0])


def time_text(ms: float | None) -> str:
    """Return `12.3 us`, `4.25 ms`, `1.2 s` with three digits; `?` for None."""
    if ms is None:
        return "?"
    if ms >= 1000:
        return f"{ms / 1000:.3g} s"
    return f"{ms:.3g} ms" if ms >= 0.1 or ms == 0 else f"{1000 * ms:.3g} µs"


def energy_text(mj: float | None) -> str:
    """Return `12.3 uJ`, `4.25 mJ`, `1.2 J` with three digits; `?` for None."""
    if mj is None:
        return "?"
    if mj >= 1000:
        return f"{mj / 1000:.3g} J"
    return f"{mj:.3g} mJ" if mj >= 0.1 or mj == 0 else f"{1000 * mj:.3g} µJ"
