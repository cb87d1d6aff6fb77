"""Placement against its bound and against other tools' rules.

    python benchmarks/placement.py [--quick] [--only TEXT] [--write]

Serial latency of every way to place, over the best lower bound that is known, and the processor time it took; then
other objectives and limits, concurrent schedules, and noise in the costs. At the end, what is held, with figures.
Costs of generated graphs are drawn, those of models for targets are modelled: nothing here is measured on a device.
"""

import argparse
import json
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from placement_baselines import BASELINES
from placement_claims import OURS, Claim, Concurrent, Noisy, Special, check
from placement_graphs import FAMILIES, REGIMES, generate
from placement_measure import OPTIONS, Row, measure, timed
from placement_models import drawn, light_models, modelled, sample_models, within

from dovetail.partition import Problem, arrange, evaluate, greedy, phases, place

RESULTS = Path(__file__).resolve().parent / "results"
SERIAL = ("base", "slow", "gaps", "swift", "heavy", "free")
GENERATED = {
    False: (
        (100, 2, SERIAL),
        (100, 3, SERIAL),
        (1_000, 2, SERIAL),
        (1_000, 3, ("base", "slow", "gaps", "heavy")),
        (10_000, 2, ("base", "gaps", "heavy")),
        (10_000, 3, ("base", "gaps")),
    ),
    True: ((100, 2, SERIAL), (100, 3, ("base", "gaps")), (1_000, 2, ("base",)), (1_000, 3, ("base",))),
}
"""Units, devices and regimes, for the whole and the quick suite."""
LARGE = (
    (100_000, 2, ("base",), tuple(FAMILIES)),
    (100_000, 2, ("heavy",), ("transformer", "cells")),
    (100_000, 3, ("base",), ("transformer", "cells")),
)
"""And the families."""
NOISE = 0.2
WAYS = (*OURS, *(baseline.name for baseline in BASELINES))

Cell = tuple[str, str, int, int, str]
"""Name, family, units, devices, regime."""


def cells_of(
    plan: Sequence[tuple[int, int, Sequence[str]]], families: Sequence[str] = tuple(FAMILIES)
) -> Iterator[Cell]:
    """Every generated problem of a plan."""
    for units, devices, regimes in plan:
        for family in families:
            for regime in regimes:
                yield f"{family} {units} {regime}, {devices} devices", family, units, devices, regime


def serial_rows(quick: bool, only: str) -> Iterator[Row]:
    """All rows of the main table."""
    for name, *key in cells_of(GENERATED[quick]):
        if only in name:
            yield measure(name, "generated", generate(*key[:3], REGIMES[key[3]]))
    light = light_models()[:: 5 if quick else 1]
    for name, problem in drawn(light):
        name = f"{name}, {len(problem.devices)} devices"
        if only in name:
            yield measure(name, "light models, drawn costs", problem)
    for name, problem in modelled(sample_models() if quick else [*sample_models(), *light_models()]):
        if only in name:
            yield measure(name, "models for targets", problem)
    if not quick:
        yield from large_rows(only)


def large_rows(only: str) -> Iterator[Row]:
    """The largest graphs, each in a process of its own, so that its memory can be told."""
    context = multiprocessing.get_context("spawn")
    cells = [cell for *plan, families in LARGE for cell in cells_of([tuple(plan)], families)]
    for cell in cells:
        if only in cell[0]:
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                yield pool.submit(measure_large, cell).result()


def measure_large(cell: Cell) -> Row:
    """One row, in a child process."""
    name, family, units, devices, regime = cell
    return measure(name, "generated", generate(family, units, devices, REGIMES[regime]), memory=True)


def special_rows(quick: bool, only: str) -> Iterator[Special]:
    """Other objectives, and a device that can't hold everything."""
    sizes = (1_000,) if quick else (1_000, 10_000)
    for family in FAMILIES:
        for regime in ("base",) if quick else ("base", "gaps", "heavy"):
            for units in sizes:
                problem = generate(family, units, 2, REGIMES[regime])
                name = f"{family} {units} {regime}"
                tries = [
                    ("edp", problem, replace(OPTIONS, objective="edp")),
                    ("throughput", problem, replace(OPTIONS, objective="throughput")),
                ]
                if regime == "base":  # launches are what a cut can't count: here there are none
                    without = generate(family, units, 2, REGIMES["free"])
                    tries.append(("edp", without, replace(OPTIONS, objective="edp")))
                if units == 1_000:
                    tries.append(("memory", within(problem, 0.4), OPTIONS))
                    tries.append(
                        (
                            "throughput",
                            generate(family, units, 2, REGIMES["twin"]),
                            replace(OPTIONS, objective="throughput"),
                        )
                    )
                for kind, one, options in tries:
                    if only in name:
                        placed, seconds = timed(lambda one=one, options=options: place(one, options))
                        yield Special(f"{name}, {kind}", kind, units, float(placed.gap), seconds, placed.solver)


def concurrent_rows(quick: bool, only: str) -> Iterator[Concurrent]:
    """The serial optimum, and the schedule that is run."""
    for units in (100, 1_000) if quick else (100, 1_000, 10_000):
        for family in FAMILIES:
            for regime in ("twin", "near", "apart", "base", "slow"):
                name = f"{family} {units} {regime}"
                if only in name and (units < 10_000 or regime in ("twin", "base")):
                    problem = generate(family, units, 2, REGIMES[regime])
                    placed = place(problem, replace(OPTIONS, gap=1e-3))
                    found = arrange(problem, placed, replace(OPTIONS, gap=1e-3))
                    yield Concurrent(name, regime, float(placed.value), float(found.timeline.latency))


def noisy_rows(quick: bool, only: str) -> Iterator[Noisy]:
    """Place for costs with noise, pay the true ones."""
    plan = [(100, 2, SERIAL)] if quick else [(100, 2, SERIAL), (1_000, 2, SERIAL)]
    for name, family, units, devices, regime in cells_of(plan):
        if only in name:
            problem = generate(family, units, devices, REGIMES[regime])
            optimum = place(problem, OPTIONS).value
            found = place(with_noise(problem), OPTIONS).placement
            simple = greedy.place(problem)
            paid, plain = (evaluate(problem, phases.partition(problem, each)).latency for each in (found, simple))
            yield Noisy(name, float(paid / optimum), float(plain / optimum))


def with_noise(problem: Problem) -> Problem:
    """The problem with log-normal noise on every latency."""
    costs = problem.costs
    assert costs is not None
    draw = np.random.default_rng(len(problem.names))
    fields = ("unit_latency", "transfer_latency", "launch_latency")
    changed = {name: getattr(costs, name) * draw.lognormal(0, NOISE, getattr(costs, name).shape) for name in fields}
    return replace(problem, costs=replace(costs, **changed))


# --- tables ---------------------------------------------------------------------------------------------------------


def collect(rows: Iterator, show: Callable[[object], str]) -> list:
    """All rows, each shown when it is there."""
    found = []
    for row in rows:
        found.append(row)
        print(show(row), flush=True)
    return found


def as_line(row: Row) -> str:
    """One row of the main table."""
    cells = [row.name, str(row.units), f"{row.tried['fast'].own_gap:.3%}"]
    for way in WAYS:
        tried = row.tried.get(way)
        cells.append(f"{tried.ratio:.4f} ({tried.seconds:.2g})" if tried else "-")
    return "| " + " | ".join([*cells, f"{row.partitions} = {row.certificate}"]) + " |"


HEAD = ("problem", "units", "gap of fast", *WAYS, "partitions = certificate")
SPECIAL_HEAD = "| problem | gap | seconds | solver |\n|---|---:|---:|---|"
CONCURRENT_HEAD = "| problem | serial optimum, ms | schedule, ms | times faster |\n|---|---:|---:|---:|"
NOISY_HEAD = "| problem | with noise, over the optimum | greedy, over the optimum |\n|---|---:|---:|"


def special_line(row: Special) -> str:
    return f"| {row.name} | {row.gap:.3%} | {row.seconds:.2f} | {row.solver} |"


def concurrent_line(row: Concurrent) -> str:
    return f"| {row.name} | {row.serial / 1e3:.2f} | {row.schedule / 1e3:.2f} | {row.gain:.2f} |"


def noisy_line(row: Noisy) -> str:
    return f"| {row.name} | {row.ratio:.4f} | {row.greedy:.4f} |"


def claim_line(claim: Claim) -> str:
    return f"| {'PASS' if claim.holds else 'FAIL'} | {claim.text} | {claim.figures} |"


def as_markdown(sections: Sequence[tuple[str, str, Sequence[str]]], seconds: float) -> str:
    """The stored page."""
    lines = ["# Placement", "", "Written by `python benchmarks/placement.py --write`."]
    lines += ["Values are over the best lower bound that is known, in brackets seconds of processor time. Costs are"]
    lines += [f"drawn or modelled, not measured. The whole took {seconds:.0f} s."]
    for title, head, body in sections:
        lines += ["", f"## {title}", "", head, *body]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and check what is held."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small graphs alone, under a minute")
    parser.add_argument("--only", default="", metavar="TEXT", help="problems with this in their name")
    parser.add_argument("--write", action="store_true", help="store the tables in benchmarks/results")
    options = parser.parse_args()
    begin = time.perf_counter()
    head = f"| {' | '.join(HEAD)} |\n|---|{'---:|' * (len(HEAD) - 1)}"
    print(head)
    rows = collect(serial_rows(options.quick, options.only), as_line)
    notes = list(dict.fromkeys(f"{row.name}: {note}" for row in rows for note in row.notes))
    print("\n".join(notes), SPECIAL_HEAD, sep="\n")
    specials = collect(special_rows(options.quick, options.only), special_line)
    print(CONCURRENT_HEAD)
    concurrent = collect(concurrent_rows(options.quick, options.only), concurrent_line)
    print(NOISY_HEAD)
    noisy = collect(noisy_rows(options.quick, options.only), noisy_line)
    claims = check(rows, specials, concurrent, noisy)
    print(*map(claim_line, claims), sep="\n")
    seconds = time.perf_counter() - begin
    print(f"{sum(claim.holds for claim in claims)} of {len(claims)} hold, {seconds:.0f} s")
    if options.write:
        sections = [
            ("What is held", "| | claim | figures |\n|---|---|---|", [*map(claim_line, claims)]),
            ("Serial latency", head, [*map(as_line, rows)]),
            ("Without an answer", "", [f"- {note}" for note in notes]),
            ("Other objectives and limits", SPECIAL_HEAD, [*map(special_line, specials)]),
            ("Concurrent schedules", CONCURRENT_HEAD, [*map(concurrent_line, concurrent)]),
            ("Noise of 20 %", NOISY_HEAD, [*map(noisy_line, noisy)]),
        ]
        (RESULTS / "placement.md").write_text(as_markdown(sections, seconds))
        kept = {"rows": rows, "specials": specials, "concurrent": concurrent, "noisy": noisy, "claims": claims}
        stored = {name: [asdict(each) for each in found] for name, found in kept.items()}
        (RESULTS / "placement.json").write_text(json.dumps(stored, indent=1) + "\n")


if __name__ == "__main__":
    main()
