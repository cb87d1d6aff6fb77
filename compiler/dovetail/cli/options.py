"""Options that several commands have, and how their values are read."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from dovetail.compiler import CompileOptions

Command = TypeVar("Command", bound=Callable[..., Any])


class FilePath(click.Path):
    """A path as `pathlib.Path`. Whether it can be used is told by whoever opens it."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse an empty text, which pathlib takes for the current folder."""
        if value == "":
            self.fail("it is empty.", param, ctx)
        return super().convert(value, param, ctx)


class FiniteNumber(click.FloatRange):
    """A number that is one: nothing is ever above infinity, and NaN is neither above nor below anything."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read a number of the command line or of a file."""
        try:
            number = super().convert(value, param, ctx)
        except OverflowError:  # a whole number of a file, beyond all floats
            number = math.inf
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


_POSITIVE = FiniteNumber(min=0, min_open=True)


class TargetRef(click.types.StringParamType):
    """A target as it is given, or several between commas; only a shell asks which there are."""

    name = "target"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        """Complete shipped names, their variants, and files."""
        from dovetail.cli.completion import target_items  # for the press of a Tab alone

        return target_items(incomplete)


def loading_options(function: Command) -> Command:
    """Add `--shape`, `--dim` and `--bind`, which every command that takes a model has."""
    for option in reversed(_LOADING):
        function = option(function)
    return function


def target_option(required: bool) -> Callable[[Command], Command]:
    """Return the decorator that adds `--target`."""
    return click.option(
        "-t",
        "--target",
        metavar="TARGET[:VARIANT]",
        type=TargetRef(),
        required=required,
        help="The machine to compile for: a name of `dovetail targets`, or a YAML file.",
    )


def overlay_option(function: Command) -> Command:
    """Add `--overlay`."""
    return click.option(
        "--overlay",
        type=FilePath(),
        multiple=True,
        help="What `dovetail targets probe` found out, to go before the target's own rules. Repeatable.",
    )(function)


def verify_options(function: Command) -> Command:
    """Add `--verify` and how it is done."""
    for option in reversed(_VERIFYING):
        function = option(function)
    return function


def quantize_options(function: Command) -> Command:
    """Add `--quantize` and what it needs."""
    for option in reversed(_QUANTIZING):
        function = option(function)
    return function


def emulate_option(function: Command) -> Command:
    """Add `--emulate`."""
    return click.option("--emulate", is_flag=True, help="Compute NPU partitions on the CPU, with the NPU's numerics.")(
        function
    )


def parse_shapes(
    context: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> dict[str, tuple[int, ...]]:
    """Read `NAME=1,3,224,224`."""
    return {
        name: tuple(_size(part, value) for part in sizes.split(","))
        for value, name, sizes in _named(values, "NAME=1,3,224,224")
    }


def parse_dims(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, int]:
    """Read `batch=1`."""
    return {name: _size(size, value) for value, name, size in _named(values, "NAME=SIZE")}


def parse_binds(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    """Read `sr=16000`; what the value means depends on the input's type."""
    return {name: text for _, name, text in _named(values, "NAME=VALUE")}


def parse_places(
    context: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    """Read `GLOB=DEVICE`; the order is kept, for later ones overrule."""
    return tuple((glob, device) for _, glob, device in _split(values, "GLOB=DEVICE"))


def parse_files(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, Path]:
    """Read `NAME=FILE.npy`."""
    return {name: Path(file) for _, name, file in _named(values, "NAME=FILE.npy")}


def placing_options(function: Command) -> Command:
    """Add what a placement can be asked for: the objective, bounds, pins, and how hard the solver tries."""
    for option in reversed(_PLACING):
        function = option(function)
    return function


def parse_batches(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...]:
    """Read `1,8,64`."""
    if value is None:
        return ()
    sizes = tuple(_size(part, value) for part in value.split(","))
    if len(set(sizes)) != len(sizes):
        raise click.BadParameter(f"'{value}' names a size twice; give each once")
    return sizes


def compile_options(
    shape: dict[str, tuple[int, ...]],
    dim: dict[str, int],
    bind: dict[str, str],
    overlay: tuple[Path, ...] = (),
    batch: tuple[int, ...] = (),
    quantize: Literal["int8"] | None = None,
    calibration: Path | None = None,
    min_snr_db: float | None = None,
    **placing: Any,
) -> "CompileOptions":
    """Make the compiler's options of the command line's."""
    from dovetail.compiler import CompileOptions, QuantizeOptions  # loads ONNX

    made = None
    if quantize is not None:
        if calibration is None:
            raise click.UsageError(
                "--quantize needs samples of the inputs to find ranges; add --calibration with an .npz, or a folder of "
                ".npy files"
            )
        bound = {} if min_snr_db is None else {"min_snr_db": min_snr_db}
        made = QuantizeOptions(calibration, precision=quantize, **bound)
    elif calibration is not None or min_snr_db is not None:
        raise click.UsageError("--calibration and --min-snr-db belong to --quantize int8; add it")
    return CompileOptions(shapes=shape, dims=dim, binds=bind, overlays=overlay, batches=batch, quantize=made, **placing)


def _named(values: Sequence[str], form: str) -> list[tuple[str, str, str]]:
    """Return (value, name, text) of every value; a name may stand once."""
    triples = _split(values, form)
    seen: set[str] = set()
    for value, name, _ in triples:
        if name in seen:
            raise click.BadParameter(f"'{value}': '{name}' is given twice; give it once")
        seen.add(name)
    return triples


def _split(values: Sequence[str], form: str) -> list[tuple[str, str, str]]:
    triples = []
    for value in values:
        # a tensor's name may hold a '=', what stands behind it hardly ever
        name, sign, text = value.rpartition("=")
        if not (sign and name and text):
            raise click.BadParameter(f"'{value}' must have the form {form}")
        triples.append((value, name, text))
    return triples


def _size(text: str, value: str) -> int:
    # isdecimal() also takes digits that are not ASCII, and int() reads them; both are harmless
    if not text.strip().isdecimal() or len(text) > 18 or int(text) < 1:
        raise click.BadParameter(f"'{value}': a size must be a whole number of at least 1, got '{text}'")
    return int(text)


_LOADING: Sequence[Callable[[Any], Any]] = (
    click.option(
        "--shape",
        metavar="NAME=1,3,224,224",
        multiple=True,
        callback=parse_shapes,
        help="Fix the shape of an input. Repeatable.",
    ),
    click.option(
        "--dim",
        metavar="NAME=SIZE",
        multiple=True,
        callback=parse_dims,
        help="Fix a symbolic dimension. Repeatable.",
    ),
    click.option(
        "--bind",
        metavar="NAME=VALUE",
        multiple=True,
        callback=parse_binds,
        help="Fix an input to a constant. Repeatable.",
    ),
)
_PLACING: Sequence[Callable[[Any], Any]] = (
    click.option(
        "--objective",
        type=click.Choice(["latency", "energy", "edp", "throughput"]),
        default="latency",
        show_default=True,
        help="What is made smallest: time of a request, energy, their product, time between requests in a pipeline.",
    ),
    click.option(
        "--costs",
        type=FilePath(),
        multiple=True,
        help="Fitted costs of a device, from `dovetail calibrate`, to go before the target's. Repeatable.",
    ),
    click.option("--max-latency-ms", type=_POSITIVE, metavar="F", help="Most milliseconds of a request."),
    click.option("--max-energy-mj", type=_POSITIVE, metavar="F", help="Most millijoules of a request."),
    click.option(
        "--place",
        metavar="GLOB=DEVICE",
        multiple=True,
        callback=parse_places,
        help="Put the operators whose name matches on a device. Repeatable.",
    ),
    click.option(
        "--batch",
        metavar="1,8,64",
        callback=parse_batches,
        help="Place for each of these batch sizes; `compile` has them in one plan.",
    ),
    click.option(
        "--solver",
        type=click.Choice(["auto", "exact", "fast", "greedy"]),
        default="auto",
        show_default=True,
        help="greedy: each operator on the first device that takes it, as other tools do.",
    ),
    click.option(
        "--gap",
        type=_POSITIVE,
        metavar="F",
        default=1e-4,
        show_default=True,
        help="Relative gap to the optimum that is good enough.",
    ),
    click.option(
        "--time-limit",
        "time_limit_s",
        type=_POSITIVE,
        metavar="S",
        default=20.0,
        show_default=True,
        help="Seconds that the solver may take.",
    ),
)
_VERIFYING: Sequence[Callable[[Any], Any]] = (
    click.option(
        "--verify",
        is_flag=True,
        help="Let the devices' own compilers compile every partition, move what they refuse or compute wrongly, and "
        "prove the result against the unsplit model.",
    ),
    click.option(
        "--verify-inputs", type=FilePath(), metavar="FILE.npz", help="Inputs to prove it on. [default: made up]"
    ),
    click.option(
        "--verify-snr-db",
        type=FiniteNumber(min=0),
        metavar="F",
        help="Signal to noise that every tensor must reach. [default: by the device's numerics]",
    ),
    click.option(
        "--verify-limit-s",
        type=_POSITIVE,
        default=120.0,
        show_default=True,
        metavar="F",
        help="Seconds that a vendor's compiler may take for a partition.",
    ),
    click.option(
        "--learn",
        type=FilePath(),
        metavar="FILE",
        help="Write the operators that a compiler refused, as an overlay for other models.",
    ),
)
_QUANTIZING: Sequence[Callable[[Any], Any]] = (
    click.option(
        "--quantize",
        type=click.Choice(["int8"]),
        help="Quantize the float model for the target's first device, if that is predicted to pay and loses little.",
    ),
    click.option(
        "--calibration",
        type=FilePath(),
        metavar="PATH",
        help="Samples for --quantize: an .npz with an array for each input, samples along the first dimension, or a "
        "folder of .npy files, one a sample.",
    ),
    click.option(
        "--min-snr-db",
        type=FiniteNumber(min=0),
        metavar="F",
        help="Signal to noise that int8 must reach at every output; operators that lose too much stay in float. "
        "[default: 20]",
    ),
)
