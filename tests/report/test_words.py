"""Names, counts and sizes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.plan import TensorSpec
from dovetail.report.words import counted, digits, printable, shape_text, size_text, tensor_bytes


@given(st.text())
def test_printable_text_can_not_steer_a_terminal(text: str) -> None:
    assert printable(text).isprintable()


def test_printable_keeps_ordinary_text() -> None:
    assert printable("Schrödinger/层_1") == "Schrödinger/层_1"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (3_100_000, "3.1 MB"),
        (2_000_000_000, "2.0 GB"),
        (7_500_000_000_000, "7.5 TB"),
        (None, "?"),
    ],
)
def test_size_text(size: int | None, text: str) -> None:
    assert size_text(size) == text


@given(
    st.sampled_from(["bool", "int8", "uint16", "float16", "int32", "float64", "complex64"]),
    st.lists(st.integers(0, 5), max_size=4),
)
def test_tensor_bytes_are_numpys(dtype: str, shape: list[int]) -> None:
    assert tensor_bytes(TensorSpec("x", dtype, tuple(shape))) == np.zeros(shape, dtype).nbytes


@pytest.mark.parametrize(
    ("spec", "size"),
    [
        (TensorSpec("x", "int4", (3,)), 2),
        (TensorSpec("x", "float32", ("batch", 4)), None),
        (TensorSpec("x", "float32", (None,)), None),
        (TensorSpec("x", "float32", None), None),
        (TensorSpec("x", "string", (4,)), None),
    ],
)
def test_tensor_bytes_of_packed_and_unknown_sizes(spec: TensorSpec, size: int | None) -> None:
    assert tensor_bytes(spec) == size


def test_shape_text() -> None:
    assert shape_text((1, "batch", None)) == "1xbatchx?"
    assert shape_text(()) == "scalar"
    assert shape_text(None) == "?"


def test_counted() -> None:
    assert (counted(1, "node"), counted(2, "node")) == ("1 node", "2 nodes")


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.0123, "0.0123"), (999.4, "999"), (999.7, "1000"), (12345.6, "12346")]
)
def test_digits_have_no_exponent_where_figures_are_large(value: float, text: str) -> None:
    assert digits(value) == text
