"""What is held of placement, checked against what was measured."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from placement_measure import Row

OURS = ("fast", "auto", "exact")
ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence, whether it holds, and the figures."""

    text: str
    holds: bool
    figures: str


@dataclass(frozen=True, slots=True)
class Special:
    """A problem with another goal than serial latency, or with a limit."""

    name: str
    kind: str
    units: int
    gap: float
    seconds: float
    solver: str


@dataclass(frozen=True, slots=True)
class Concurrent:
    """Serial optimum and schedule of one problem."""

    name: str
    regime: str
    serial: float
    schedule: float

    @property
    def gain(self) -> float:
        """How many times faster."""
        return self.serial / self.schedule


@dataclass(frozen=True, slots=True)
class Noisy:
    """What a placement for costs with noise costs, over the optimum."""

    name: str
    ratio: float
    greedy: float


def geometric_mean(values: Iterable[float]) -> float:
    """1 without values."""
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs)) if logs else 1.0


def check(
    rows: Sequence[Row], specials: Sequence[Special], concurrent: Sequence[Concurrent], noisy: Sequence[Noisy]
) -> list[Claim]:
    """Every claim for which anything was measured."""
    claims = [
        *_two_devices(rows),
        *_three_devices(rows),
        *_specials(specials),
        *_against_baselines(rows),
        *_grouping(rows),
        *_concurrent(concurrent),
    ]
    if noisy:
        mean = geometric_mean(each.ratio for each in noisy)
        worst = max(noisy, key=lambda each: each.ratio)
        text = "costs with log-normal noise of 20 %: geometric mean over the optimum at most 1.015"
        figures = f"{mean:.4f} over {len(noisy)} problems, worst {worst.ratio:.4f} ({worst.name})"
        figures += f"; greedy {geometric_mean(each.greedy for each in noisy):.3f}"
        claims.append(Claim(text, mean <= 1.015, figures))
    return [claim for claim in claims if claim is not None]


def _sized(rows: Sequence[Row], devices: int, low: int, high: int) -> list[Row]:
    return [row for row in rows if row.devices == devices and low < row.units <= high]


def _gap_and_time(
    text: str, rows: Sequence[Row], way: str, most_gap: float, most_seconds: float, own: bool = True
) -> list[Claim]:
    """Claims on the largest gap and the longest time."""
    ways = [(row, row.tried.get(way, row.tried.get("auto") if way == "exact" else None)) for row in rows]
    tried = [(row, each) for row, each in ways if each is not None]
    if not tried:
        return []
    gaps = {id(row): each.own_gap if own else each.ratio - 1 for row, each in tried}
    slow = max(tried, key=lambda pair: pair[1].seconds)
    wide = max(tried, key=lambda pair: gaps[id(pair[0])])
    over_gap = sum(gap > most_gap * (1 + ROUNDING) for gap in gaps.values())
    over_time = sum(each.seconds > most_seconds for _, each in tried)
    gap_figures = f"worst {gaps[id(wide[0])]:.4%} ({wide[0].name}), {over_gap} of {len(tried)} above"
    time_figures = f"longest {slow[1].seconds:.2f} s ({slow[0].name}), {over_time} of {len(tried)} above"
    return [
        Claim(f"{text}: gap at most {most_gap:.2%}", over_gap == 0, gap_figures),
        Claim(f"{text}: {most_seconds:g} s", over_time == 0, time_figures),
    ]


def _two_devices(rows: Sequence[Row]) -> list[Claim]:
    small, middle, large = (_sized(rows, 2, *ends) for ends in ((0, 1_000), (1_000, 10_000), (10_000, 100_000)))
    claims = [
        *_gap_and_time("2 devices, up to 1,000 units, exact", small, "exact", 1e-4, 1.0),
        *_gap_and_time("2 devices, up to 10,000 units, exact", middle, "exact", 1e-4, 20.0),
        *_gap_and_time("2 devices, up to 10,000 units, fast", middle, "fast", 5e-3, 1.5),
        *_gap_and_time("2 devices, 100,000 units, fast", large, "fast", 1e-2, 12.0),
    ]
    measured = [row for row in rows if row.peak_mb > 0]
    if measured:
        most = max(measured, key=lambda row: row.peak_mb)
        figures = f"most {most.peak_mb:.0f} MB ({most.name})"
        claims.append(Claim("100,000 units, fast: 500 MB", most.peak_mb <= 500, figures))
    return claims


def _three_devices(rows: Sequence[Row]) -> list[Claim]:
    small, middle = _sized(rows, 3, 0, 1_000), _sized(rows, 3, 1_000, 10_000)
    return [
        *_gap_and_time("3 devices, up to 1,000 units, over the best bound, auto", small, "auto", 1e-2, 1.0, own=False),
        *_gap_and_time("3 devices, 10,000 units, over the linear program, fast", middle, "fast", 3e-2, 3.0, own=False),
    ]


_SPECIAL = {
    "memory": ("room for 40 % of the constants, up to 1,000 units", 0.02, math.inf),
    "edp": ("energy-delay product, up to 10,000 units, with and without launches", 1e-4, 3.0),
    "throughput": ("throughput, 2 devices", 0.05, math.inf),
}


def _specials(specials: Sequence[Special]) -> list[Claim]:
    claims = []
    for kind, (text, most_gap, most_seconds) in _SPECIAL.items():
        chosen = [special for special in specials if special.kind == kind]
        if not chosen:
            continue
        wide, slow = max(chosen, key=lambda each: each.gap), max(chosen, key=lambda each: each.seconds)
        over = sum(each.gap > most_gap * (1 + ROUNDING) for each in chosen)
        figures = f"worst {wide.gap:.4%} ({wide.name}), {over} of {len(chosen)} above"
        claims.append(Claim(f"{text}: gap at most {most_gap:.2%}", over == 0, figures))
        late = sum(each.seconds > most_seconds for each in chosen)
        figures = f"longest {slow.seconds:.2f} s ({slow.name}), {late} of {len(chosen)} above"
        if math.isfinite(most_seconds):
            claims.append(Claim(f"{text}: {most_seconds:g} s", late == 0, figures))
    return claims


def _against_baselines(rows: Sequence[Row]) -> list[Claim]:
    better = [
        f"{name} on {row.name} ({row.ours.ratio / tried.ratio:.6f})"
        for row in rows
        for name, tried in row.tried.items()
        if name not in OURS
        and tried.ratio < row.tried["fast" if "auto" not in row.tried else "auto"].ratio * (1 - ROUNDING)
    ]
    claims = [Claim("no baseline is better on any row", not better, "; ".join(better[:8]) or f"{len(rows)} rows")]
    groups: list[tuple[str, Callable[[Row], bool]]] = [("all problems", lambda row: True)]
    groups += [
        (suite, lambda row, suite=suite: row.suite == suite) for suite in dict.fromkeys(row.suite for row in rows)
    ]
    for name, belongs in groups:
        gains = [row.tried["greedy"].ratio / row.ours.ratio for row in rows if belongs(row) and "greedy" in row.tried]
        figures = f"{geometric_mean(gains):.3f} over {len(gains)} problems, from {min(gains):.3f} to {max(gains):.2f}"
        claims.append(Claim(f"greedy over ours, {name}: at least 1.08", geometric_mean(gains) >= 1.08, figures))
    ported = [note for row in rows for note in row.notes if "our port" in note]
    claims.append(
        Claim("our port of onnxruntime's rule makes the groups of its own code", not ported, f"{len(ported)}")
    )
    return claims


def _grouping(rows: Sequence[Row]) -> list[Claim]:
    two = [row for row in rows if row.devices == 2]
    if not two:
        return []
    other = [f"{row.name}: {row.partitions} and {row.certificate}" for row in two if row.partitions != row.certificate]
    other += [f"{row.name}: {note}" for row in two for note in row.notes if note.startswith("grouping")]
    longest = max(two, key=lambda row: row.certificate)
    figures = "; ".join(other[:5]) or f"{len(two)} graphs, longest {longest.certificate} ({longest.name})"
    claims = [Claim("2 devices: as many partitions as the certificate has units", not other, figures)]
    for units, most in ((10_000, 20.0), (100_000, 100.0)):
        sized = [row for row in rows if row.units == units]
        if sized:
            slow = max(sized, key=lambda row: row.grouping_ms)
            whole = max(row.with_structure_ms for row in sized)
            figures = f"longest {slow.grouping_ms:.1f} ms ({slow.name}); {whole:.1f} ms with the structure"
            claims.append(Claim(f"grouping {units:,} units: {most:g} ms", slow.grouping_ms <= most, figures))
    return claims


def _concurrent(measured: Sequence[Concurrent]) -> list[Claim]:
    if not measured:
        return []
    branchy = [
        each for each in measured if each.regime in ("twin", "near") and each.name.startswith(("cells", "incep"))
    ]
    worst, least = min(branchy, key=lambda each: each.gain), min(measured, key=lambda each: each.gain)
    under = sum(each.gain < 1.25 for each in branchy)
    mean = geometric_mean(each.gain for each in branchy)
    figures = f"least {worst.gain:.2f} ({worst.name}), {under} of {len(branchy)} below, geometric mean {mean:.2f}"
    return [
        Claim("branchy graphs, two comparable devices: schedule 1.25 times faster", under == 0, figures),
        Claim("the schedule is never slower", least.gain >= 1 - ROUNDING, f"least {least.gain:.4f} ({least.name})"),
    ]
