"""Repair, with a vendor's compiler that refuses, hangs or aborts as the test wants."""

import json
import math
import random
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from tests.compiler.fake_vendor import mark

from dovetail.compiler import Compilation, CompileOptions, compile_graph, prepare
from dovetail.compiler.driver import load_described
from dovetail.compiler.unit_facts import units_of
from dovetail.compiler.verifying import Verifier
from dovetail.ir import Graph, extract
from dovetail.lowering.reference_values import ReferenceValues
from dovetail.lowering.vendor import VendorCompiler
from dovetail.passes.tagging import UnitTag
from dovetail.plan import BackendSpec

ROOT: Final = Path(__file__).parents[2]
SCRIPT: Final = Path(__file__).with_name("fake_vendor.py")
TARGET: Final = "qualcomm-hexagon-htp"
OPTIONS: Final = CompileOptions(solver="greedy")
LIMIT_S: Final = 6.0
MODELS: Final = ["digits_fp32", "mobilenet_v2", "transformer", "digits_qdq"]


class Case:
    """A sample model, as the target's own rules place it, and the marks of its units on the NPU."""

    def __init__(self, name: str) -> None:
        self.graph: Graph = prepare(ROOT / "sample_models" / f"{name}.onnx", OPTIONS)
        self.target = load_described(TARGET, OPTIONS)
        self.first = compile_graph(self.graph, self.target, OPTIONS)
        self.main_of: dict[str, list[str]] = {}
        whole = extract(self.graph)
        nodes = {node.name: node for node in whole.graph.node}
        homes = device_of(self.first)
        for unit in units_of(self.graph):
            main = self.graph.tag(unit[0], UnitTag).main
            if homes[main] == "npu":
                self.main_of.setdefault(mark(whole, nodes[main]), []).append(main)

    def compiler(self, folder: Path, rules: Mapping[str, Any], limit_s: float = LIMIT_S) -> VendorCompiler:
        command = [sys.executable, str(SCRIPT), json.dumps(rules), str(folder / "journal")]
        backend = BackendSpec("FakeExecutionProvider")
        return VendorCompiler(
            backend, "npu", limit_s=limit_s, folder=folder / "cache", command=command, tool="fake 1.0"
        )

    def repaired(self, compiler: VendorCompiler) -> tuple[Verifier, Compilation]:
        verifier = Verifier(self.graph, {"npu": compiler}, ReferenceValues(self.graph, []))
        compilation = self.first
        while verifier.find(compilation):
            compilation = compile_graph(self.graph, self.target, OPTIONS, refusals=verifier.refused)
        return verifier, compilation


def device_of(compilation: Compilation) -> dict[str, str]:
    return {operator.name: operator.device for operator in compilation.plan.operators if not operator.inside}


def asked(folder: Path) -> int:
    return len((folder / "journal").read_text().splitlines())


@pytest.fixture(scope="module", params=MODELS)
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("names", [False, True])
def test_all_but_the_refused_operators_stay(case: Case, count: int, names: bool, tmp_path: Path) -> None:
    kinds = sorted(each for each, mains in case.main_of.items() if len(mains) == 1)
    refused = random.Random(count).sample(kinds, min(count, len(kinds) - 1))
    with case.compiler(tmp_path, {"refused": refused, "names": names}) as compiler:
        verifier, compilation = case.repaired(compiler)
    before, after = device_of(case.first), device_of(compilation)
    gone = {main for each in refused for main in case.main_of[each]}
    assert {main for _, main in verifier.refused} == gone
    members = {name for unit in units_of(case.graph) for name in unit if case.graph.tag(unit[0], UnitTag).main in gone}
    assert {name for name in before if before[name] == "npu" and after[name] != "npu"} == members
    reasons = list(verifier.refused.values())
    assert all("could not create op" in reason.message and reason.source == "fake 1.0" for reason in reasons)
    # each refused operator splits a partition in two that are compiled, and is found by one search
    units, pieces = sum(len(each) for each in case.main_of.values()), len(npu_pieces(case.first))
    most = pieces + 2 * len(refused) + len(refused) * (math.ceil(math.log2(units)) + 2)
    print(f"{units} units, {count} refused: {asked(tmp_path)} compiles, at most {most}")
    assert compiler.compiles == asked(tmp_path) <= most


def test_two_that_fail_together_only_are_parted(case: Case, tmp_path: Path) -> None:
    order = [main for mains in case.main_of.values() for main in mains]
    first, last = sorted(case.main_of, key=lambda each: list(case.graph).index(case.main_of[each][0]))[:2]
    with case.compiler(tmp_path, {"together": [[first, last]]}) as compiler:
        verifier, compilation = case.repaired(compiler)
    lost = {main for _, main in verifier.refused}
    assert lost <= {*case.main_of[first], *case.main_of[last]}
    assert len(lost) < len(order)
    assert not verifier.alone
    assert not any(compiler.compile(extract(case.graph, piece.nodes)).words for piece in npu_pieces(compilation))


def npu_pieces(compilation: Compilation) -> list[Any]:
    rows = zip(compilation.pieces, compilation.plan.partitions, strict=True)
    return [piece for piece, partition in rows if partition.device == "npu"]


def test_an_abort_is_a_refusal(tmp_path: Path) -> None:
    case = Case("digits_fp32")
    bad = sorted(case.main_of)[1]
    with case.compiler(tmp_path, {"aborts": [bad]}) as compiler:
        verifier, _ = case.repaired(compiler)
    assert {main for _, main in verifier.refused} == set(case.main_of[bad])
    assert all("it crashed" in reason.message for reason in verifier.refused.values())


def test_a_hang_costs_its_whole_time_once(tmp_path: Path) -> None:
    case = Case("digits_fp32")
    bad = next(each for each in sorted(case.main_of) if len(case.main_of[each]) == 1)
    start = time.monotonic()
    with case.compiler(tmp_path, {"hangs": [bad]}, limit_s=8.0) as compiler:
        verifier, _ = case.repaired(compiler)
    assert {main for _, main in verifier.refused} == set(case.main_of[bad])
    assert all("no answer within" in reason.message for reason in verifier.refused.values())
    assert compiler.full_waits == 1
    assert time.monotonic() - start < 45.0


def test_what_is_compiled_is_kept(tmp_path: Path) -> None:
    case = Case("digits_fp32")
    refused = sorted(case.main_of)[:2]
    for expected in (True, False):
        with case.compiler(tmp_path, {"refused": refused}) as compiler:
            verifier, _ = case.repaired(compiler)
        assert len(verifier.refused) == sum(len(case.main_of[each]) for each in refused)
        assert (compiler.compiles > 0) == expected
