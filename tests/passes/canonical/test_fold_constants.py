"""What depends on constants alone is computed once; an If whose condition is known becomes its branch."""

import numpy as np
import pytest
from tests.conftest import assert_same_outputs, model_from_text, run_cpu
from tests.passes.conftest import after, constant, graph_of, inside, leaves_alone, operators

from dovetail.ir import extract, load_model
from dovetail.passes.canonical import FoldConstants

PASS = FoldConstants()


def test_values() -> None:
    graph = after(
        PASS,
        """g (float[2] x) => (float[2] y) <float[2] k = {1, 2}, float[2] l = {3, 4}>
        { [a] u = Add(k, l) [b] v = Mul(u, u) [c] y = Mul(v, x) }""",
    )
    assert list(graph) == ["c"]
    assert graph.eliminated() == ("a", "b")
    np.testing.assert_array_equal(constant(graph, "v").numpy(), [16, 36])
    assert list(graph.initializers) == ["v"], "what nobody reads any more is gone"


def test_constant_outputs_are_still_delivered() -> None:
    graph = after(
        PASS, "g (float[2] x) => (float[2] y, float[2] k2) <float[2] k = {1, 2}> { y = Relu(x) [a] k2 = Add(k, k) }"
    )
    assert [value.name for value in graph.outputs] == ["y", "k2"]
    assert operators(graph) == ["Relu", "Identity"]


@pytest.mark.parametrize(
    "text",
    [
        "GatherND(k, i)",
        "GatherND <batch_dims = 1> (k, i)",
        "QuantizeLinear <axis = 0> (k, s, z)",
        "QuantizeLinear(k, one)",
        "NonZero(k)",
        "Clip(k, one)",
    ],
)
def test_results_of_other_sizes(text: str) -> None:
    graph = after(
        PASS,
        f"""g (float[2] x) => (float[2] y, float[N] w) <float[2,3] k = {{1, 0, 3, 0, 5, 6}}, int64[2,1] i = {{1, 0}},
            float[2] s = {{1, 2}}, uint8[2] z = {{3, 4}}, float one = {{1}}>
        {{ y = Relu(x) u = {text} v = Cast <to = 1> (u) t = ReduceSum <keepdims = 0> (v) w = Add(x, t) }}""",
    )
    assert operators(graph) == ["Relu", "Add"]


def test_shapes_that_are_known() -> None:
    graph = after(
        PASS,
        """g (float[2,3] x) => (float[6] y) <int64[1] minus = {-1}, int64[1] n = {6}>
        { [s] shape = Shape(x) [r] size = ReduceProd <keepdims = 1> (shape) y = Reshape(x, size) }""",
    )
    assert operators(graph) == ["Reshape"], "constants are initializers, not nodes"


def test_known_condition_leaves_its_branch() -> None:
    graph = after(
        PASS,
        """g (float[2] x) => (float[2] y, float[2] z) <bool c = {1}> {
            [if1] y = If (c) <
                then_branch = then () => (float[2] o) { [a1] t = Neg(x) [a2] o = Abs(t) },
                else_branch = other () => (float[2] e) { [a3] e = Identity(x) }
            >
            [if2] z = If (c) <
                then_branch = then () => (float[2] o) {
                    [b1] t = Exp(y)
                    [b2] s = If (c) <
                        then_branch = then () => (float[2] q) { [c1] q = Add(t, y) },
                        else_branch = other () => (float[2] q2) { [c2] q2 = Identity(t) }
                    >
                    [b3] o = Abs(s)
                },
                else_branch = other () => (float[2] e) { [b4] e = Identity(x) }
            >
        }""",
        rtol=1e-4,
    )
    assert list(graph) == ["a1", "a2", "b1", "c1", "b3"], "nodes of a branch keep their names"
    assert graph.eliminated() == ("a3", "b2", "b4", "c2", "if1", "if2")
    values = [value.name for node in graph.nodes() for value in node.outputs]
    assert len(set(values)) == len(values), "both branches had a value t"


def test_branch_that_hands_outer_values_on() -> None:
    after(
        PASS,
        """g (float[2] x) => (float[2] y, float[2] z) <bool c = {0}, float[2] k = {5, 6}> {
            y = If (c) <
                then_branch = then () => (float[2] o) { o = Neg(x) },
                else_branch = other () => (float[2] e) { e = Identity(x) }
            >
            z = If (c) <
                then_branch = then () => (float[2] o) { o = Neg(x) },
                else_branch = other () => (float[2] e) { e = Identity(k) }
            >
        }""",
    )


def test_in_bodies() -> None:
    graph = after(
        PASS,
        """g (float[2] x, bool c) => (float[2] y) <float[2] k = {1, 2}> {
            [if] y = If (c) <
                then_branch = then () => (float[2] o) { [t1] u = Add(k, k) [t2] o = Mul(u, x) },
                else_branch = other () => (float[2] e) { [e1] u = Sub(k, k) [e2] w = Mul(u, k) [e3] e = Add(w, x) }
            >
        }""",
    )
    assert inside(graph, "if") == {"t2": "Mul", "e3": "Add"}
    assert graph.eliminated() == ("e1", "e2", "t1")


def test_both_branches_run_when_their_outputs_are_constants() -> None:
    text = """g (bool c) => (float[2] y) <float[2] k = {1, 2}> {
        y = If (c) <
            then_branch = then () => (float[2] o) { u = Add(k, k) o = Mul(u, u) },
            else_branch = other () => (float[2] e) { e = Identity(k) }
        >
    }"""
    graph = after(PASS, text)
    for condition in (True, False):
        feeds = {"c": np.array(condition)}
        assert_same_outputs(run_cpu(extract(graph), feeds, optimize=False), run_cpu(model_from_text(text), feeds))


def test_in_bodies_of_loops() -> None:
    graph = after(
        PASS,
        """g (float[2] x, int64 n) => (float[2] y) <bool c = {1}, float[2] k = {1, 1}> {
            [loop] y = Loop (n, c, x) <body = body (int64 i, bool before, float[2] a) => (bool again, float[2] b)
                { again = Identity(before) [k2] u = Add(k, k) [add] b = Add(a, u) }>
        }""",
    )
    assert inside(graph, "loop") == {"again": "Identity", "add": "Add"}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("g (float[2] x) => (float[2] y) <float[2] k = {1, 2}> { y = Add(x, k) }", id="an input"),
        pytest.param(
            """g (float[2] x) => (float[2] y) <uint8[2] k = {1, 2}, float s = {0.1}, uint8 z = {0}>
            { w = DequantizeLinear(k, s, z) y = Add(x, w) }""",
            id="3: DequantizeLinear",
        ),
        *(
            pytest.param(
                f"g (float[2] x) => (float[2] y) <float[2] k = {{0.5, 0.5}}> {{ r = {op} y = Add(x, r) }}", id=op
            )
            for op in ("RandomNormalLike(k)", "RandomUniformLike(k)", "Bernoulli(k)", "RandomNormal <shape = [2]> ()")
        ),
        pytest.param(
            """g (float[2] x) => (float[2] y) <float[2] k = {1, 2}, float ratio = {0.5}, bool training = {1}>
            { r = Dropout(k, ratio, training) y = Add(x, r) }""",
            id="3: Dropout that trains",
        ),
        pytest.param(
            '<ir_version: 8, opset_import: ["": 17, "custom": 1]>'
            "g (float[2] x) => (float[2] y) <float[2] k = {1, 2}> { u = custom.Neg(k) y = Add(x, u) }",
            id="3: other domain",
        ),
        pytest.param(
            """g (float[2] x, bool c) => (float[2] y) {
                y = If (c) <
                    then_branch = then () => (float[2] t) { t = Neg(x) },
                    else_branch = other () => (float[2] e) { e = Exp(x) }
                >
            }""",
            id="3: condition is not known",
        ),
        pytest.param(
            "g (float[1,1,2,2] x) => (float[1,1,1,1] y) <float[1,1,2,2] k = {1, 2, 3, 4}>"
            "{ u = MaxPool <kernel_shape = [2, 2]> (k) v = MaxPool <kernel_shape = [2, 2]> (x) y = Add(u, v) }",
            id="4: windows",
        ),
        pytest.param(
            "g (float[2] x) => (float[1] y) <float[2] k = {1, 2}, int64 one = {1}>"
            "{ s = SplitToSequence(k, one) u = ConcatFromSequence <axis = 0> (s) y = Add(x, u) }",
            id="4: sequence",
        ),
        pytest.param("g (float[2] x) => (float[2] y) <float[2] k = {1, 2}> { y = Identity(k) }", id="5: delivers"),
    ],
)
def test_near_misses(text: str) -> None:
    assert leaves_alone(PASS, text)


def test_budget_holds_over_runs() -> None:
    """Each result is charged 32 MiB: eight fit, in however many runs."""
    sums = " ".join(f"[a{i}] u{i} = Expand(k{i}, shape) v{i} = Neg(u{i}) o{i} = Mul(x, v{i})" for i in range(12))
    constants = ", ".join(f"float k{i} = {{{i}}}" for i in range(12))
    outputs = ", ".join(f"float[2048,2048] o{i}" for i in range(12))
    constants += ", int64[2] shape = {2048, 2048}"
    graph = graph_of(f"g (float[2048,2048] x) => ({outputs}) <{constants}> {{ {sums} }}")
    assert PASS.run(graph)
    left = operators(graph).count("Expand")
    assert left >= 4
    assert not PASS.run(graph)
    assert operators(graph).count("Expand") == left


def test_nothing_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    """What the library can't evaluate stays as it is, without a word on standard error."""
    constants = "float[2] k = {1, 2}, int64[1] outside = {7}, float[1] u = {1}"
    text = f"g (float[2] x) => (float[2] y) <{constants}> {{ s = ScatterElements(k, outside, u) y = Add(x, s) }}"
    assert leaves_alone(PASS, text)
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def test_strings_stay() -> None:
    model = model_from_text("g (string[2] x) => (bool[2] y) { u = Concat <axis = 0> (s, s) y = Equal(x, u) }", 19)
    model.graph.initializer.add(name="s", data_type=8, dims=[1], string_data=[b"a"])
    graph = load_model(model)
    assert not PASS.run(graph)
    feeds = {"x": np.array(["a", "b"], dtype=object)}
    np.testing.assert_array_equal(run_cpu(extract(graph), feeds)["y"], [True, False])


def test_names_of_folded_values_do_not_pile_up() -> None:
    """The library writes all ancestors' names on every value: quadratic in a chain."""
    steps = " ".join(f"v{i + 1} = Add(v{i}, v0)" for i in range(50))
    graph = after(PASS, f"g (float[2] x) => (float[2] y) <float[2] v0 = {{1, 2}}> {{ {steps} y = Add(x, v50) }}")
    assert not any(value.metadata_props or value.meta.get("folded_from") for value in graph.initializers.values())
