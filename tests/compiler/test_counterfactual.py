"""Counterfactuals: what they predict is what solving apart gives, and what going through all placements gives."""

import itertools
from pathlib import Path

import pytest
from tests.conftest import model_from_text

from dovetail.compiler import Compilation, CompileOptions, compile_model
from dovetail.compiler.counterfactual import MOST_GROUPS, MOST_PINNED, MOST_UNITS, pin_values, suggest
from dovetail.compiler.granting import what_if
from dovetail.compiler.placing import make_problem
from dovetail.partition import OBJECTIVES, Objective, Placement, evaluate, phases
from dovetail.plan import PartitionError

FAST = CompileOptions(solver="fast")
LONG_S = 60.0
"""Enough to try every change on a machine that has other work."""
TARGET = """
schema: 1
name: small
vendor: nobody
devices:
- id: npu
  kind: npu
  name: an NPU
  numerics: fp16
  data_quality: low
  figures: {peak_fp16_tflops: {value: 2, unit: TFLOPS, source: made up}}
  ops: {TAKEN}
- id: cpu
  kind: cpu
  name: a CPU
  backend: {provider: CPUExecutionProvider}
  data_quality: low
  any_operator: {domains: [''], refusal: custom operator}
links:
- between: [npu, cpu]
  figures: {latency_us: {value: 20, unit: us, source: made up}}
"""
LAYERS = """
g (float[256, 512] x, float[512, 512] w, float[512] scale) => (float[256, 512] y)
{
    [m1] a = MatMul(x, w)
    [norm1] b = LayerNormalization(a, scale)
    [m2] c = MatMul(b, w)
    [norm2] d = LayerNormalization(c, scale)
    [sin] e = Sin(d)
    [m3] y = MatMul(e, w)
}
"""
"""Three products with two LayerNormalization and a Sin between them."""


def model(text: str = LAYERS) -> bytes:
    data: bytes = model_from_text(text).SerializeToString()
    return data


def chain(op_types: list[str]) -> bytes:
    """Operators with one input each, one behind the other."""
    names = ["x", *(f"t{number}" for number in range(1, len(op_types))), "y"]
    rows = zip(op_types, names, names[1:], strict=False)
    nodes = "\n".join(f"{after} = {op_type}({before})" for op_type, before, after in rows)
    return model(f"g (float[512, 512] x) => (float[512, 512] y)\n{{\n{nodes}\n}}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("targets")


def target(folder: Path, *ops: str) -> str:
    """A target whose NPU takes some types of operators."""
    path = folder / f"{'-'.join(ops)}.yaml"
    path.write_text(TARGET.replace("TAKEN", ", ".join(f"{op}: " for op in ops)))
    return str(path)


def value(compiled: Compilation) -> float:
    assert compiled.plan.predicted.value is not None
    return compiled.plan.predicted.value


def best_latency(compiled: Compilation, also: frozenset[str] = frozenset()) -> float:
    """Milliseconds of the best placement of all, where the NPU takes the operators `also` too."""
    problem = make_problem(compiled.graph, compiled.target, ())
    choices = [
        [device for device in (0, 1) if row[device] or (device == 0 and name in also)]
        for name, row in zip(problem.names, problem.allowed, strict=True)
    ]
    placements = (Placement(devices) for devices in itertools.product(*choices))
    return min(evaluate(problem, phases.partition(problem, each)).latency for each in placements) / 1e3


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_suggested_gain_is_the_difference_of_two_placements_solved_apart(folder: Path, objective: Objective) -> None:
    options = CompileOptions(solver="fast", objective=objective)
    compiled = compile_model(model(), target(folder, "MatMul"), options)
    found = suggest(compiled, options, LONG_S)
    assert found is not None
    assert found.best
    for each in found.best:
        taking = compile_model(model(), target(folder, "MatMul", each.op_type), options)
        assert each.before == pytest.approx(value(compiled), rel=1e-6)
        assert each.after == pytest.approx(value(taking), rel=1e-6)
        assert each.gain == pytest.approx(value(compiled) - value(taking), rel=1e-6)


def test_a_suggested_gain_is_that_of_the_best_of_all_placements(folder: Path) -> None:
    compiled = compile_model(model(), target(folder, "MatMul"), FAST)
    found = suggest(compiled, FAST, LONG_S)
    assert found is not None
    (first, *_) = found.best
    assert (first.op_type, first.operators, first.device, first.rule) == ("LayerNormalization", 2, "npu", "op_list")
    with_them = best_latency(compiled, frozenset({"norm1", "norm2"}))
    assert first.gain == pytest.approx(best_latency(compiled) - with_them, rel=1e-6)
    assert first.partitions[1] < first.partitions[0]


def test_the_best_change_comes_first_and_those_without_gain_are_left_out(folder: Path) -> None:
    compiled = compile_model(chain(["Relu", "Sin", "Relu", "Cos", "Cos", "Relu"]), target(folder, "Relu"), FAST)
    found = suggest(compiled, FAST, LONG_S)
    assert found is not None
    assert (found.tried, found.untried) == (2, 0)
    gains = [each.gain for each in found.best]
    assert gains == sorted(gains, reverse=True)
    assert all(gain > 0 for gain in gains)


def test_nothing_is_suggested_where_the_device_has_everything(folder: Path) -> None:
    taken = target(folder, "MatMul", "LayerNormalization", "Sin")
    assert suggest(compile_model(model(), taken, FAST), FAST) is None


def test_what_was_not_tried_is_counted(folder: Path) -> None:
    many = ["Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Exp", "Log", "Abs"]
    found = suggest(compile_model(chain([*many, "Relu"]), target(folder, "Relu"), FAST), FAST, LONG_S)
    assert found is not None
    assert (found.tried, found.untried) == (MOST_GROUPS, len(many) - MOST_GROUPS)


def test_a_large_model_is_left_alone(folder: Path) -> None:
    found = suggest(compile_model(chain(["Sin", "Relu"] * (MOST_UNITS // 2 + 1)), target(folder, "Relu"), FAST), FAST)
    assert found is not None
    assert (found.best, found.tried, found.untried) == ((), 0, 1)


def test_what_there_is_no_time_for_is_not_guessed(folder: Path) -> None:
    found = suggest(compile_model(model(), target(folder, "MatMul"), FAST), FAST, 1e-6)
    assert found is not None
    assert (found.best, found.tried, found.untried) == ((), 0, 2)


def test_suggesting_leaves_the_compilation_as_it_is(folder: Path) -> None:
    compiled = compile_model(model(), target(folder, "MatMul"), FAST)
    assert suggest(compiled, FAST, LONG_S) == suggest(compiled, FAST, LONG_S)


@pytest.mark.parametrize("solver", ["auto", "fast"])
def test_what_if_predicts_what_a_device_that_takes_the_operators_would_give(folder: Path, solver: str) -> None:
    options = CompileOptions(solver="auto" if solver == "auto" else "fast")
    found = what_if(model(), target(folder, "MatMul"), options, [("op:LayerNormalization", "npu"), ("sin", "npu")])
    before = compile_model(model(), target(folder, "MatMul"), options)
    after = compile_model(model(), target(folder, "MatMul", "LayerNormalization", "Sin"), options)
    assert found.before.value == pytest.approx(value(before), rel=1e-6)
    assert found.after.value == pytest.approx(value(after), rel=1e-6)
    assert found.after.latency_ms == pytest.approx(after.plan.predicted.latency_ms, rel=1e-6)
    assert found.after.energy_mj == pytest.approx(after.plan.predicted.energy_mj, rel=1e-6)
    assert (found.after.partitions, found.after.transfers) == (1, len(after.plan.transfers))
    assert found.after.operators == (("npu", 6), ("cpu", 0))
    assert [(each.operators, each.new) for each in found.grants] == [(2, 2), (1, 1)]


def test_what_a_device_takes_already_changes_nothing(folder: Path) -> None:
    found = what_if(model(), target(folder, "MatMul"), FAST, [("op:MatMul", "npu")])
    assert found.before == found.after
    assert [(each.operators, each.new) for each in found.grants] == [(3, 0)]


def test_a_size_that_is_not_known_is_told(folder: Path) -> None:
    text = "g (float[n] x) => (float[n] y) { [sin] a = Sin(x)  [relu] y = Relu(a) }"
    (grant,) = what_if(model(text), target(folder, "Relu"), FAST, [("sin", "npu")]).grants
    assert grant.assumed == 1
    (known,) = what_if(model(), target(folder, "MatMul"), FAST, [("sin", "npu")]).grants
    assert known.assumed == 0


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("sin", "dla"), "no such device; choose one of 'npu', 'cpu'"),
        (("cos", "npu"), "no operator of the compiled model"),
    ],
)
def test_a_change_that_means_nothing_is_refused(folder: Path, asked: tuple[str, str], words: str) -> None:
    with pytest.raises(PartitionError, match=words):
        what_if(model(), target(folder, "MatMul"), FAST, [asked])


def test_a_pin_costs_what_the_model_pinned_by_the_user_costs(folder: Path) -> None:
    options = CompileOptions()
    taken = target(folder, "MatMul", "LayerNormalization")
    compiled = compile_model(model(), taken, options)
    units = {operator.name: operator.unit for operator in compiled.plan.operators}
    home = {operator.name: operator.device for operator in compiled.plan.operators}
    pins = pin_values(compiled, options, tuple(units.values()))
    for name in ("m1", "norm1", "m3"):
        (pin,) = pins[units[name]]
        assert pin.device != home[name]
        pinned = compile_model(model(), taken, CompileOptions(place=((name, pin.device),)))
        assert pin.value == pytest.approx(value(pinned), rel=1e-6)


def test_a_refused_operator_is_told_what_the_model_would_cost_if_the_device_took_it(folder: Path) -> None:
    options = CompileOptions()
    compiled = compile_model(model(), target(folder, "MatMul", "LayerNormalization"), options)
    unit = next(each.unit for each in compiled.plan.operators if each.name == "sin")
    (pin,) = pin_values(compiled, options, (unit,))[unit]
    taking = compile_model(model(), target(folder, "MatMul", "LayerNormalization", "Sin"), options)
    assert (pin.device, pin.granted) == ("npu", True)
    assert pin.value == pytest.approx(value(taking), rel=1e-6)
    assert value(taking) < value(compiled)


def test_a_pin_that_keeps_no_bound_says_so(folder: Path) -> None:
    taken = target(folder, "MatMul", "LayerNormalization", "Sin")
    free = compile_model(model(), taken)
    options = CompileOptions(max_latency_ms=1.01 * value(free))
    compiled = compile_model(model(), taken, options)
    operator = next(each for each in compiled.plan.operators if each.name == "m2")
    (pin,) = pin_values(compiled, options, (operator.unit,))[operator.unit]
    assert pin.value is None
    assert "latency must be at most" in pin.refusal


def test_many_units_are_not_all_pinned(folder: Path) -> None:
    compiled = compile_model(chain(["Relu"] * (MOST_PINNED + 2)), target(folder, "Relu"), FAST)
    assert len(pin_values(compiled, FAST, tuple(range(MOST_PINNED + 2)))) == MOST_PINNED
