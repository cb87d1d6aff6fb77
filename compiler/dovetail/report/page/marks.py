"""How a page marks devices and figures: letters beside colours, and where a figure comes from."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dovetail.plan.schema import DeviceKind, PlanDevice
from dovetail.report.words import digits

_ROUNDED_UP: Final = 999.5
"""From here on three digits give 1000."""
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
    """Return `12.3 µs`, `4.25 ms`, `1.2 s` with three digits, more from 1000 s on; `?` for None."""
    return _scaled(ms, "s")


def energy_text(mj: float | None) -> str:
    """Return `12.3 µJ`, `4.25 mJ`, `1.2 J` with three digits, more from 1000 J on; `?` for None."""
    return _scaled(mj, "J")


def _scaled(thousandths: float | None, unit: str) -> str:
    if thousandths is None:
        return "?"
    if thousandths >= _ROUNDED_UP:
        return f"{digits(thousandths / 1000)} {unit}"
    small = 0 < thousandths < 0.1
    return f"{1000 * thousandths:.3g} µ{unit}" if small else f"{thousandths:.3g} m{unit}"
