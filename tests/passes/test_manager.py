"""Running passes: in order, until nothing changes, with a callback after each."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import onnx_ir
import pytest
from tests.conftest import SAMPLE_MODELS, assert_same_outputs, random_feeds, run_cpu
from tests.passes.conftest import graph_of, operators

from dovetail.ir import Graph, extract, load_model, shape_of
from dovetail.passes import GraphPass, run_passes, run_to_fixpoint
from dovetail.passes.canonical import CANONICAL_PASSES, EliminateDeadNodes, EliminateIdentity, FoldConstants
from dovetail.passes.legalize import LEGALIZE_PASSES
from dovetail.plan.errors import PassError

TEXT = "g (float[2] x) => (float[2] y) { [i] u = Identity(x) [d] v = Neg(u) [a] y = Relu(u) }"


@dataclass(frozen=True)
class Changes(GraphPass):
    """Says that it changed something, a number of times."""

    left: list[int] = field(default_factory=lambda: [0])
    name: ClassVar[str] = "insert-nothing"

    def run(self, graph: Graph) -> bool:
        self.left[0] -= 1
        return self.left[0] >= 0


def test_callback_after_each_pass() -> None:
    seen: list[tuple[str, int, bool]] = []
    identity, dead = EliminateIdentity(), EliminateDeadNodes()

    def after(each: GraphPass, graph: Graph, changed: bool) -> None:
        seen.append((each.name, len(graph), changed))

    assert run_passes(graph_of(TEXT), (identity, dead, identity), after)
    assert seen == [(identity.name, 2, True), (dead.name, 1, True), (identity.name, 1, False)]


def test_nothing_to_do() -> None:
    graph = graph_of("g (float[2] x) => (float[2] y) { y = Relu(x) }")
    assert not run_passes(graph, CANONICAL_PASSES)
    assert not run_to_fixpoint(graph, CANONICAL_PASSES)


@pytest.mark.parametrize(("changes", "runs"), [(0, 1), (2, 3), (100, 4)])
def test_rounds_end(changes: int, runs: int) -> None:
    seen: list[bool] = []
    changed = run_to_fixpoint(
        graph_of(TEXT), (Changes([changes]),), lambda each, graph, modified: seen.append(modified)
    )
    assert changed == (changes > 0)
    assert len(seen) == runs


def test_shapes_that_become_known_let_more_fold() -> None:
    """The shape of u is only known when its own shape has folded."""
    graph = graph_of(
        """g (float[2,3] x, float[2,3] z) => (float[6] y) <int64[1] n = {6}> {
            a = Shape(x) b = ReduceProd <keepdims = 1> (a) u = Reshape(x, b)
            c = Shape(u) w = Reshape(z, c) v = Add(u, w) y = Identity(v)
        }"""
    )
    assert run_to_fixpoint(graph, CANONICAL_PASSES)
    assert operators(graph) == ["Reshape", "Reshape", "Add"]
    assert shape_of(graph.outputs[0]) == (6,)


def test_failing_pass_leaves_the_graph_closed() -> None:
    @dataclass(frozen=True)
    class Fails(GraphPass):
        name: ClassVar[str] = "convert-nothing"

        def run(self, graph: Graph) -> bool:
            def change(model: onnx_ir.Model) -> bool:
                raise RuntimeError("two\nlines")

            return graph.rewrite(self.name, change)

    graph = graph_of(TEXT)
    with pytest.raises(PassError, match=r"^pass 'convert-nothing': RuntimeError: two lines$"):
        run_passes(graph, (Fails(),))
    with pytest.raises(PassError, match="half-changed by 'convert-nothing'"):
        run_passes(graph, (FoldConstants(),))


@pytest.mark.parametrize("path", SAMPLE_MODELS, ids=lambda path: path.stem)
def test_sample_models_compute_the_same(path: Path) -> None:
    model = extract(load_model(path))
    graph = load_model(path)
    run_to_fixpoint(graph, CANONICAL_PASSES)
    assert not run_to_fixpoint(graph, CANONICAL_PASSES), "the canonical form is canonical"
    run_passes(graph, LEGALIZE_PASSES)
    assert not run_passes(graph, LEGALIZE_PASSES)
    feeds = random_feeds(model)
    assert_same_outputs(run_cpu(extract(graph), feeds), run_cpu(model, feeds), rtol=1e-3, atol=1e-5)
