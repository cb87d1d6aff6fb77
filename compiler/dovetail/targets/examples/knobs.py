"""What an expression reads, as things to set, with values worth trying: those it names, and their neighbours."""

import ast
from collections.abc import Iterable, Mapping
from typing import Any, Final

from dovetail.ir.vocabulary import OpWords
from dovetail.targets.examples.draft import Fill, Knob, Place, Quant
from dovetail.targets.facts import MissingFactError, bytes_of
from dovetail.targets.values import TENSOR_FIELDS

Choices = dict[Knob, list[Any]]
"""Knob -> values to try; the first are the likeliest."""

_TYPES: Final = ("float32", "int8", "uint8", "float16", "int32", "int64", "bool", "int16")
_SIZES: Final = (1, 2, 3, 4, 8, 16, 64, 512, 4096)
_ENDS: Final[tuple[Place, ...]] = (("input", 0), ("output", 0))
_PAIR: Final[tuple[Place, ...]] = (("input", 0), ("input", 1))
_RANKS: Final = (4, 3, 2, 5, 1, 0)


def place_of(name: str, words: OpWords) -> Place | None:
    """Return the tensor that a formal name, `input[1]` or `output[0]` stands for."""
    for group, formal in (("input", words.inputs), ("output", words.outputs)):
        if name in formal:
            return group, formal.index(name)  # type: ignore[return-value]
        if name.startswith(f"{group}["):
            return group, int(name.removeprefix(f"{group}[").removesuffix("]"))  # type: ignore[return-value]
    return None


def places_of(references: Iterable[str], words: OpWords) -> list[Place]:
    """Return the tensors that a rule's references stand for; a variadic input counts twice."""
    inputs: list[Place] = [("input", i) for i in range(max(1, len(words.inputs)) + words.variadic)]
    outputs: list[Place] = [("output", i) for i in range(max(1, len(words.outputs)))]
    groups = {"*": inputs + outputs, "inputs": inputs, "activations": inputs, "outputs": outputs}
    found: dict[Place, None] = {}
    for reference in references:
        single = place_of(reference, words)
        found |= dict.fromkeys(groups.get(reference, [single] if single is not None else []))
    return list(found)


def choices_of(texts: Iterable[str], words: OpWords, properties: Mapping[str, object]) -> Choices:
    """Return what to set, and to what, to make expressions true or false."""
    trees = [ast.parse(text.strip(), mode="eval") for text in texts]
    literals = _Literals(node for tree in trees for node in ast.walk(tree))
    found: Choices = {}
    for tree in trees:
        own = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        for node in ast.walk(tree):
            for knob, values in _of_node(node, words, literals, own, properties):
                found.setdefault(knob, list(dict.fromkeys(values)))
    return found


class _Literals:
    """The values that expressions name, and their neighbours."""

    def __init__(self, nodes: Iterable[ast.AST]) -> None:
        self.texts: list[str] = []
        self.numbers: list[int | float] = []
        self.tuples: list[tuple[Any, ...]] = []
        for node in nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                self.texts.append(node.value)
            elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
                self.numbers += [node.value, node.value + 1, node.value - 1]
            elif isinstance(node, ast.Tuple | ast.List):
                self._add_tuple(node)
        negative = [-number for number in self.numbers]
        self.signed = [*self.numbers, *negative, 0, 1, 2, 3]
        self.sizes = [n for n in [*self.numbers, *_SIZES] if isinstance(n, int) and n >= 0]
        self.types = [text for text in self.texts if _is_type(text)] + list(_TYPES)

    def _add_tuple(self, node: ast.Tuple | ast.List) -> None:
        try:
            value = ast.literal_eval(node)
        except ValueError:
            return
        if all(isinstance(item, int | float | str) for item in value):
            self.tuples.append(tuple(value))


def _is_type(text: str) -> bool:
    try:
        bytes_of(text)
    except MissingFactError:
        return text == "string"
    return True


_Found = Iterable[tuple[Knob, list[Any]]]


def _of_node(
    node: ast.AST, words: OpWords, literals: _Literals, own: set[str], properties: Mapping[str, object]
) -> _Found:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        yield from _of_call(node.func.id, node.args, words, literals)
    if isinstance(node, ast.Attribute):
        place = place_of(node.value.id, words) if isinstance(node.value, ast.Name) else None
        places = (
            [place]
            if place is not None
            else []
            if isinstance(node.value, ast.Name) and node.value.id not in own
            else places_of(["inputs"], words)
        )
        for each in places:
            yield from _of_field(node.attr, each, literals)
    if isinstance(node, ast.Name) and node.id not in own and isinstance(node.ctx, ast.Load):
        yield from _of_name(node.id, words, literals, properties)


def _of_name(name: str, words: OpWords, literals: _Literals, properties: Mapping[str, object]) -> _Found:
    if name in words.attributes:
        yield ("attr", name), [*attribute_values(words.attributes[name], literals), None]
    place = place_of(name, words)
    if place is not None:  # newer versions take as an input what older ones have as an attribute
        yield ("given", place), [True, False]
    if name in properties:
        yield ("property", name), [properties[name], *literals.numbers, *literals.texts]


def attribute_values(kind: str, literals: _Literals) -> list[Any]:
    """Return values of an attribute of one of ONNX's types."""
    numbers = literals.signed
    whole = [number for number in numbers if isinstance(number, int)]
    if kind == "STRING":
        return [*literals.texts, "other"]
    if kind == "STRINGS":
        return [*literals.tuples, *((text,) for text in [*literals.texts, "other"])]
    if kind in ("INT", "FLOAT"):
        return whole if kind == "INT" else [float(number) for number in numbers]
    pairs = [(n,) * count for n in whole for count in (2, 4, 1, 3)]
    mixed = [(0, 2, 3, 1), (0, 1, 2, 3), (1, 0, 2, 3), (3, 2, 1, 0), (0, 1), (1, 0), (2, 3), (1, 2)]
    mixed += [(1, number) for number in whole] + [(number, 1) for number in whole]
    return [None, *literals.tuples, *pairs, *mixed]


def _constants(literals: _Literals) -> list[Any]:
    numbers = literals.signed
    lists: list[Any] = [(n,) * count for n in numbers for count in (1, 2, 4, 8)]
    scales = [(1.0, 1.0, float(n), float(n)) for n in numbers if n > 0] + [(1.0, 2.0, 2.0, 2.0), (1.0, 1.0, 1.5, 1.5)]
    return [None, Fill(1.0), *literals.tuples, *numbers, *scales, *lists, (0, 1), (2, 3), (1, 2), (0, 1, 2), (1, 1, 2)]


def _of_call(function: str, arguments: list[ast.expr], words: OpWords, literals: _Literals) -> _Found:
    named = [place_of(argument.id, words) for argument in arguments if isinstance(argument, ast.Name)]
    places = [place for place in named if place is not None]
    if function == "param" and isinstance(arguments[0], ast.Constant):
        yield from _of_parameter(str(arguments[0].value), words, literals)
    elif function in ("axes", "scales_of"):
        yield from _of_parameter("axes" if function == "axes" else "scales", words, literals)
        for end in _ENDS:
            yield from _of_field("shape", end, literals)
    elif function == "axis_index":
        yield ("attr", "axis"), [1, -1, 0, 2, 3]
        yield ("rank", ("input", 0)), list(_RANKS)
    elif function == "quantized":
        yield ("quantized",), [False, True]
        yield from ((("quant", place), [None, Quant()]) for place in places)
    elif function in ("is_const", "max_abs_sum"):
        for place in places:
            yield ("const", place), [None, *(Fill(float(n)) for n in [1, *literals.numbers, *literals.sizes])]
            yield ("shape", place), [(1, 1, 1, 1), (4, 4, 3, 3), (1, 1)]
    else:
        yield from _of_surroundings(function, words, literals)


def _of_surroundings(function: str, words: OpWords, literals: _Literals) -> _Found:
    """Yield what functions read that look at all tensors, or at the operators around."""
    if function in ("producers", "consumers"):
        singles = [(text,) for text in [*literals.texts, "Other"]]
        yield (function,), [*singles, (), *((*single, "Other") for single in singles)]
    elif function in ("any_dtype", "has_float"):
        yield from ((("dtype", place), literals.types) for place in places_of(["*"], words))
    elif function == "scales_are_powers_of_two":
        scales = [Quant(), Quant(scale=0.3), None]
        yield from ((("quant", place), scales) for place in places_of(["*"], words))
    elif function == "inputs":
        yield ("inputs",), [2, 1, 3]
        for place in _PAIR:
            yield from _of_field("shape", place, literals)
            yield ("dtype", place), literals.types
            yield ("const", place), [None, Fill(1.0)]


def _of_parameter(name: str, words: OpWords, literals: _Literals) -> _Found:
    place = place_of(name, words)
    if place is not None:
        yield ("const", place), _constants(literals)
        yield ("given", place), [True, False]
    if name in words.attributes:
        yield ("attr", name), attribute_values(words.attributes[name], literals)


def _of_field(field: str, place: Place, literals: _Literals) -> _Found:
    if field in ("dtype", "bytes"):
        yield ("dtype", place), literals.types
    elif field == "value":
        yield ("const", place), _constants(literals)
    elif field in TENSOR_FIELDS:
        yield ("rank", place), [*_RANKS, *(size for size in literals.sizes if size < 9)]
        if field == "rank":
            return
        for index in range(5):
            yield ("dim", place, index), literals.sizes
