"""The levels of the graph: everything is in each of them, once."""

from collections.abc import Mapping
from typing import Any

import pytest
from tests.report.page.visiting import SAMPLES

from dovetail.compiler import Compilation, compile_model
from dovetail.compiler.wiring import wire
from dovetail.report.page.rows import Tensors
from dovetail.report.page.scenes import Kind, scenes
from dovetail.report.page.texts import Texts

Scene = Mapping[str, Any]
PAIRS = [
    ("transformer", "huawei-ascend-310"),
    ("mobilenet_v2", "qualcomm-hexagon-htp"),
    ("control_flow", "qualcomm-hexagon-htp"),
    ("digits_qdq", "arm-ethos-u85"),
]


@pytest.fixture(scope="module", params=PAIRS, ids=lambda pair: pair[0])
def compiled(request: pytest.FixtureRequest) -> Compilation:
    model, target = request.param
    return compile_model(SAMPLES / f"{model}.onnx", target)


def drawn(compilation: Compilation) -> Scene:
    plan, graph = compilation.plan, wire(compilation)
    return scenes(plan, graph, Tensors(Texts(), plan, graph))


def boxes(scene: Scene) -> list[tuple[int, ...]]:
    flat = scene["boxes"]
    return [tuple(flat[place : place + 6]) for place in range(0, len(flat), 6)]


def members(scene: Scene) -> list[int]:
    """The operators of a drawing, those of its blocks too."""
    found = [ref for kind, ref, *_ in boxes(scene) if kind == Kind.OPERATOR]
    for kind, ref, *_ in boxes(scene):
        found += scene["blocks"][ref][1] if kind == Kind.BLOCK else []
    return sorted(found)


def test_the_first_level_has_every_partition_input_and_output(compiled: Compilation) -> None:
    plan, top = compiled.plan, drawn(compiled)["top"]
    kinds = [kind for kind, *_ in boxes(top)]
    assert kinds.count(Kind.PARTITION) == len(plan.partitions)
    assert kinds.count(Kind.INPUT) == len(plan.inputs)
    assert kinds.count(Kind.OUTPUT) == len(plan.outputs)


def test_every_operator_is_once_in_its_partition_whole_and_folded(compiled: Compilation) -> None:
    plan, made = compiled.plan, drawn(compiled)
    for place, partition in enumerate(plan.partitions):
        wanted = [
            number
            for number, operator in enumerate(plan.operators)
            if operator.partition == partition.id and not operator.inside
        ]
        assert members(made["whole"][place]) == wanted
        if made["folded"][place] is not None:
            assert members(made["folded"][place]) == wanted
            assert 2 * len(boxes(made["folded"][place])) <= 2 * len(boxes(made["whole"][place]))


def test_edges_are_those_of_the_graph(compiled: Compilation) -> None:
    plan, graph, made = compiled.plan, compiled.graph, drawn(compiled)
    home = {operator.name: operator.partition for operator in plan.operators}
    wanted = {(a, b) for a, b in graph.nx.edges() if home[a] == home[b]}
    found = set()
    for scene in made["whole"]:
        refs = [(kind, ref) for kind, ref, *_ in boxes(scene)]
        for source, destination, *_ in scene["edges"]:
            if refs[source][0] == refs[destination][0] == Kind.OPERATOR:
                found.add((plan.operators[refs[source][1]].name, plan.operators[refs[destination][1]].name))
    assert found == wanted


def test_boxes_lie_inside_the_drawing_and_apart(compiled: Compilation) -> None:
    made = drawn(compiled)
    for scene in (made["top"], *made["whole"]):
        placed = boxes(scene)
        for _, _, x, y, width, height in placed:
            assert 0 <= x <= x + width <= scene["width"] + 1
            assert 0 <= y <= y + height <= scene["height"] + 1
        for number, (_, _, x, y, width, height) in enumerate(placed):
            for _, _, other_x, other_y, other_width, other_height in placed[number + 1 :]:
                beside = x + width <= other_x or other_x + other_width <= x
                assert beside or y + height <= other_y or other_y + other_height <= y


def test_repeated_blocks_are_one_box() -> None:
    compilation = compile_model(SAMPLES / "mobilenet_v2.onnx", "qualcomm-hexagon-htp")
    folded = drawn(compilation)["folded"][0]
    assert any(copies > 1 for _, _, copies in folded["blocks"])
    assert len(boxes(folded)) < len(compilation.plan.operators) / 2
