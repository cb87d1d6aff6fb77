"""Inputs to try a model on: made up from what the model says of them, or from a file."""

from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest

from dovetail.compiler.feeding import Array, samples_for
from dovetail.ir import Graph, load_model
from dovetail.plan.errors import RunError

MANY = 40
"""Samples: enough to see where a range ends."""
QUANTIZED = "g (float[64] x) => ({kind}[64] y) <float s = {{0.5}}, {kind} z = {{{zero}}}> "
QUANTIZE = "y = QuantizeLinear({name}, s, z)"


def graph(body: str, opset: int = 21) -> Graph:
    return load_model(
        onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": {opset}, "com.microsoft": 1]> {body}')
    )


def values(body: str, name: str = "x", opset: int = 21) -> Array:
    return np.stack([sample[name] for sample in samples_for(graph(body, opset), None, MANY)])


def assert_covers(found: Array, low: float, high: float) -> None:
    """All of a range and nothing else: at most a tenth of it is left free at either end."""
    free = (high - low) / 10
    assert low <= found.min() <= low + free
    assert high - free <= found.max() <= high


@pytest.mark.parametrize(
    ("kind", "zero", "low", "high"),
    [("uint8", 0, 0, 127.5), ("uint8", 128, -64, 63.5), ("int8", 0, -64, 63.5), ("int8", -128, 0, 127.5)],
)
def test_a_quantized_input_covers_what_its_scale_holds(kind: str, zero: int, low: float, high: float) -> None:
    text = QUANTIZED.format(kind=kind, zero=zero) + "{ " + QUANTIZE.format(name="x") + " }"
    found = values(text)
    assert found.dtype == np.float32
    assert_covers(found, low, high)


def test_a_scale_may_be_a_list_of_one() -> None:
    text = """g (float[1, 64] x) => (uint8[1, 64] y) <float[1] s = {0.5}, uint8[1] z = {28}>
        { y = QuantizeLinear<axis: int = 0>(x, s, z) }"""
    assert_covers(values(text), -14, 113.5)


def test_without_a_zero_point_it_is_unsigned() -> None:
    assert_covers(values("g (float[64] x) => (uint8[64] y) <float s = {0.5}> { y = QuantizeLinear(x, s) }"), 0, 127.5)


def test_what_says_only_its_type_covers_that() -> None:
    text = "g (float[64] x) => (int8[64] y) <float s = {0.5}> { y = QuantizeLinear<output_dtype: int = 3>(x, s) }"
    assert_covers(values(text), -64, 63.5)


def test_the_quantization_of_onnxruntimes_own_domain_counts() -> None:
    text = QUANTIZED.format(kind="uint8", zero=0) + "{ y = com.microsoft.QuantizeLinear(x, s, z) }"
    assert_covers(values(text), 0, 127.5)


@pytest.mark.parametrize(
    "move",
    [
        "m = Reshape(x, shape)",
        "m = Transpose<perm = [0]>(x)",
        "m = Flatten<axis = 0>(x)",
        "m = Unsqueeze(x, axes)",
        "m = Tile(x, times)",
        "m = Expand(x, times)",
        "m = Cast<to: int = 1>(x)",
        "n = Identity(x)  n2 = Unsqueeze(n, axes)  m = Squeeze(n2, axes)",
    ],
)
def test_a_range_is_found_behind_what_moves_values(move: str) -> None:
    constants = "int64[1] shape = {-1}, int64[1] axes = {0}, int64[1] times = {1}"
    text = f"""g (float[64] x) => (uint8[N, M] y) <float s = {{0.5}}, uint8 z = {{0}}, {constants}>
        {{ {move}  y = QuantizeLinear(m, s, z) }}"""
    if move.startswith(("m = Reshape", "m = Transpose", "m = Tile", "m = Expand", "m = Cast", "n = ")):
        text = text.replace("[N, M]", "[N]")
    assert_covers(values(text), 0, 127.5)


def test_integers_that_are_cast_and_quantized_are_drawn_as_integers() -> None:
    found = values(
        "g (int32[64] x) => (uint8[64] y) <float s = {0.5}, uint8 z = {0}> "
        "{ m = Cast<to: int = 1>(x)  y = QuantizeLinear(m, s, z) }"
    )
    assert found.dtype == np.int32
    assert_covers(found, 0, 127)


@pytest.mark.parametrize("kind", ["int32", "int64"])
@pytest.mark.parametrize(("axis", "rows"), [(0, 30), (1, 20), (-1, 20)])
def test_an_index_covers_the_table_that_it_is_looked_up_in(kind: str, axis: int, rows: int) -> None:
    numbers = ", ".join(str(each) for each in range(600))
    text = f"""g ({kind}[16] x) => (float[N, M] y) <float[30, 20] table = {{{numbers}}}>
        {{ y = Gather<axis: int = {axis}>(table, x) }}"""
    found = values(text)
    assert found.dtype == np.dtype(kind)
    assert (found.min(), found.max()) == (0, rows - 1)


def test_a_range_is_found_behind_two_readers_of_which_one_tells_nothing() -> None:
    found = values(
        "g (int64[16] x) => (float[16] y, int64[16] other) <float[3] table = {1, 2, 3}> "
        "{ other = Neg(x)  y = Gather(table, x) }"
    )
    assert (found.min(), found.max()) == (0, 2)


def test_what_is_looked_up_in_is_not_what_is_looked_up() -> None:
    assert values("g (float[8] x, int64[2] i) => (float[2] y) { y = Gather(x, i) }").min() < 0


def test_how_values_are_moved_is_not_what_is_moved() -> None:
    found = values(
        "g (float[1] x, int64[1] times) => (uint8[N] y) <float s = {0.5}, uint8 z = {0}> "
        "{ m = Expand(x, times)  y = QuantizeLinear(m, s, z) }",
        name="times",
    )
    assert found.max() == 1


def test_one_hot_has_as_many_values_as_its_depth() -> None:
    found = values(
        "g (int64[16] x) => (float[16, 7] y) <int64[1] depth = {7}, float[2] ends = {0, 1}> "
        "{ y = OneHot(x, depth, ends) }"
    )
    assert (found.min(), found.max()) == (0, 6)


@pytest.mark.parametrize("order", ["x, known", "known, x"])
def test_a_list_of_all_values_is_their_range(order: str) -> None:
    found = values(f"g (int64[1] x) => (bool[5] y) <int64[5] known = {{20, 11, 13, 12, 14}}> {{ y = Equal({order}) }}")
    assert (found.min(), found.max()) == (11, 20)


def test_a_few_values_are_no_list_of_all() -> None:
    found = values("g (int64[8] x) => (bool[8] y) <int64[1] known = {50}> { y = Equal(x, known) }")
    assert (found.min(), found.max()) == (0, 1)


def test_text_has_no_range() -> None:
    found = values('g (string[1] x) => (bool[4] y) <string[4] known = {"p", "q", "r", "s"}> { y = Equal(x, known) }')
    assert set(found.ravel()) == {"a", "b"}


@pytest.mark.parametrize(
    "text",
    [
        "g (float[64] x, float s) => (uint8[64] y) <uint8 z = {0}> { y = QuantizeLinear(x, s, z) }",
        "g (float[64] x) => (uint16[64] y) <float s = {0.5}, uint16 z = {0}> { y = QuantizeLinear(x, s, z) }",
        "g (float[2, 32] x) => (int8[2, 32] y) <float[2] s = {0.5, 1}, int8[2] z = {0, 0}> "
        "{ y = QuantizeLinear<axis = 0>(x, s, z) }",
        "g (float[64] x) => (uint8[64] y) <float s = {0.5}, uint8 z = {0}> "
        "{ m = Relu(x)  y = QuantizeLinear(m, s, z) }",
    ],
    ids=["computed scale", "another type", "a scale per channel", "behind what computes"],
)
def test_where_nothing_tells_floats_are_normal(text: str) -> None:
    found = values(text)
    assert abs(float(found.mean())) < 0.1
    assert 0.9 < float(found.std()) < 1.1


def test_samples_differ_and_are_the_same_each_time() -> None:
    made = graph("g (float[8] x, int64[4] i) => (float[8] y, int64[4] j) { y = Relu(x)  j = Neg(i) }")
    first, again = samples_for(made, None, 3), samples_for(made, None, 3)
    assert [list(sample) for sample in first] == [["x", "i"]] * 3
    for sample, other in zip(first, again, strict=True):
        np.testing.assert_equal(sample, other)
    assert not np.array_equal(first[0]["x"], first[1]["x"])


TWO = "g (float[2] x, string[2] t) => (float[2] y, string[2] u) { y = Relu(x)  u = Identity(t) }"


def test_a_file_is_one_sample_of_the_inputs_alone(tmp_path: Path) -> None:
    given = {"extra": np.zeros(3), "t": np.array(["a", "bc"]), "x": np.array([1, 2], np.float32)}
    np.savez(tmp_path / "in.npz", allow_pickle=False, **given)
    (sample,) = samples_for(graph(TWO), tmp_path / "in.npz", 7)
    assert list(sample) == ["x", "t"]
    assert sample["x"].tolist() == [1, 2]
    assert sample["t"].tolist() == ["a", "bc"]
    assert sample["t"].dtype == object  # what ONNX Runtime takes


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "file '.*': does not exist; check the path"),
        (b"", "is no NumPy file"),
        (b"text", "is no NumPy file"),
        (b"PK\x03\x04 and nothing behind", "is no NumPy file"),
    ],
)
def test_a_file_that_is_none_is_an_error(content: bytes | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "in.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunError, match=rf"^--verify-inputs: .*{words}"):
        samples_for(graph(TWO), path, 1)


def test_a_file_of_one_array_is_an_error(tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.zeros(2, np.float32))
    with pytest.raises(RunError, match=r"holds one array without a name; save with numpy.savez"):
        samples_for(graph(TWO), tmp_path / "in.npy", 1)


def test_a_damaged_array_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "in.npz"
    np.savez(path, allow_pickle=False, x=np.zeros(1000, np.float32), t=np.array(["a", "b"]))
    data = bytearray(path.read_bytes())
    data[2000] ^= 1
    path.write_bytes(data)
    with pytest.raises(RunError, match="is no NumPy file"):
        samples_for(graph(TWO), path, 1)


@pytest.mark.parametrize(("given", "has"), [({}, "nothing"), ({"y": 1, "x": 1}, "'y', 'x'")])
def test_a_missing_input_is_named_with_what_is_there(given: dict[str, int], has: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", allow_pickle=False, **{name: np.array(each) for name, each in given.items()})
    missing = "t" if given else "x"
    with pytest.raises(RunError, match=rf"has no array for input '{missing}', it has {has}; add one"):
        samples_for(graph(TWO), tmp_path / "in.npz", 1)


def test_what_can_not_be_made_up_is_an_error() -> None:
    with pytest.raises(RunError, match=r"input 'x': its rank is unknown"):
        samples_for(graph("g (float[] x) => (float[] y) { y = Relu(x) }"), None, 1)
