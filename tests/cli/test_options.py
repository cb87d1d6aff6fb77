"""How the loading options are read."""

import contextlib
from collections.abc import Mapping

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from dovetail.cli.options import loading_options, parse_dims, parse_places, parse_shapes

CONTEXT = click.Context(click.Command("test"))
OPTION = click.Option(["--test"])


@loading_options
def show(shape: Mapping[str, object], dim: Mapping[str, object], bind: Mapping[str, object]) -> None:
    click.echo(f"{shape} {dim} {bind}")


SHOW = click.command("show")(show)


def test_all_three() -> None:
    arguments = ["--shape", "x=1,3,224,224", "--shape", "y=4", "--dim", "batch=1", "--bind", "sr=16000"]

    result = CliRunner().invoke(SHOW, arguments)

    assert result.output == "{'x': (1, 3, 224, 224), 'y': (4,)} {'batch': 1} {'sr': '16000'}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--shape x", "'x' must have the form NAME=1,3,224,224"),
        ("--shape =1", "'=1' must have the form"),
        ("--shape x=", "'x=' must have the form"),
        ("--shape x=1,,2", "'x=1,,2': a size must be a whole number of at least 1, got ''"),
        ("--shape x=1,batch", "got 'batch'"),
        ("--shape x=-1", "got '-1'"),
        ("--dim batch=0", "got '0'"),
        ("--dim batch=1.5", "got '1.5'"),
        ("--dim batch=1 --dim batch=2", "'batch' is given twice"),
        ("--bind sr", "'sr' must have the form NAME=VALUE"),
    ],
)
def test_errors_name_the_option_the_value_and_the_rule(arguments: str, message: str) -> None:
    words = arguments.split()

    result = CliRunner().invoke(SHOW, words)

    assert result.exit_code == 2
    assert message in result.output
    assert words[0] in result.output


@given(st.dictionaries(st.text(min_size=1), st.lists(st.integers(1, 10**9), min_size=1).map(tuple), max_size=3))
def test_any_tensor_name_works(shapes: dict[str, tuple[int, ...]]) -> None:
    written = [f"{name}={','.join(map(str, sizes))}" for name, sizes in shapes.items()]

    assert parse_shapes(CONTEXT, OPTION, written) == shapes


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_shapes, parse_dims, parse_places):
        with contextlib.suppress(click.BadParameter):
            assert len(parse(CONTEXT, OPTION, [text])) == 1


def test_places_keep_their_order_and_may_repeat() -> None:
    values = ["conv*=npu", "a=b=cpu", "conv*=cpu"]

    assert parse_places(CONTEXT, OPTION, values) == (("conv*", "npu"), ("a=b", "cpu"), ("conv*", "cpu"))
