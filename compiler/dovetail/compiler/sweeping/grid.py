"""`sweep`: every model with every batch size on every target."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from dovetail.compiler.driver import load_overlaid
from dovetail.compiler.options import CompileOptions
from dovetail.compiler.sweeping.job import SweepJob
from dovetail.compiler.sweeping.loading import options_for_each
from dovetail.compiler.sweeping.local import LocalEngine
from dovetail.compiler.sweeping.record import SweepRecord, recommend
from dovetail.cost.costs_file import read_costs
from dovetail.plan import DovetailError, ModelError, TargetError, meant_path, shown
from dovetail.targets import Target, load_target
from dovetail.targets.overlay import read_overlay

_DEFAULTS = CompileOptions()
_LOCAL = LocalEngine()


class Engine(Protocol):
    """What makes rows: `LocalEngine`, `RayEngine`."""

    def run(self, jobs: Sequence[SweepJob]) -> Iterator[tuple[int, SweepRecord]]:
        """Yield the number and the record of each job, in any order; nothing is raised for a single one."""


def sweep(
    models: Sequence[str | Path],
    targets: Sequence[str],
    batches: Sequence[int] = (),
    options: CompileOptions = _DEFAULTS,
    engine: Engine = _LOCAL,
    on_row: Callable[[SweepRecord], None] = lambda record: None,
) -> tuple[SweepRecord, ...]:
    """Compile every model with every batch size for every target; nothing is written.

    Args:
        models: paths of ONNX models.
        targets: as `compile_model` takes them.
        batches: sizes of the first dimension of the inputs; empty: the models as they are.
        options: for all of them. An overlay or a cost file goes to the target that it was made for, what fixes an
            input or a dimension to the models that have it.
        engine: what the rows are made by.
        on_row: called with each row when it is done, in any order, before one is recommended.

    Returns:
        A row for each, in the order of models, then batch sizes, then targets. One that failed says why.

    Raises:
        ModelError: no model, a path where no file is, or one that is given twice; something fixed that no model has.
        TargetError: no target, none that can be compiled for, or one that there is not or that is given twice; an
            overlay or a cost file of none of them.
        DovetailError: options that a sweep does not take, or an engine that is not there.
    """
    if options.quantize is not None or options.batch is not None or options.batches:
        raise DovetailError("sweep: takes models as they are, and batch sizes of its own; leave out of the options")
    paths = _checked_paths(models)
    described = _described(targets, options)
    if len(set(batches)) < len(batches):
        raise ModelError(f"batch sizes {', '.join(map(str, batches))}: one is given twice; give each once")
    jobs = [
        SweepJob(name, path, batch, target, own)
        for path, name, own in zip(paths, model_names(paths), options_for_each(paths, options), strict=True)
        for batch in batches or (None,)
        for target in described
    ]
    rows: dict[int, SweepRecord] = {}
    for number, row in engine.run(jobs):
        rows[number] = row
        on_row(row)
    return recommend([rows[number] for number in range(len(jobs))], options.objective)


def model_names(paths: Sequence[Path]) -> list[str]:
    """The names of files without their endings; those that are equal with as many folders as tell them apart."""
    names = [path.stem for path in paths]
    parts = [Path(path).absolute().parts for path in paths]
    depth = 1
    while len(set(names)) < len(names):
        equal = {name for name in names if names.count(name) > 1}
        names = ["/".join(own[-depth:]) if name in equal else name for name, own in zip(names, parts, strict=True)]
        depth += 1
    return names


def _checked_paths(models: Sequence[str | Path]) -> list[Path]:
    if not models:
        raise ModelError("sweep: needs at least one model; name its .onnx file")
    paths = [Path(model) for model in models]
    for path in paths:
        if path.is_dir():
            raise ModelError(f"model {shown(str(path))}: is a folder; name .onnx files")
        if not path.exists():
            raise ModelError(f"model {shown(str(path))}: does not exist; {meant_path(path)}")
    places = [path.absolute() for path in paths]
    for path, place in zip(paths, places, strict=True):
        if places.count(place) > 1:
            raise ModelError(f"model {shown(str(path))}: is given twice; give each once")
    return paths


def _described(refs: Sequence[str], options: CompileOptions) -> list[Target]:
    """The targets, each with the overlays and costs that were made for it."""
    if not refs:
        raise TargetError("sweep: needs at least one target; choose one of 'dovetail targets'")
    named: dict[str, str] = {}
    for ref in refs:
        name = load_target(ref).ref
        if name in named:
            raise TargetError(f"target {name!r}: is given twice, as {named[name]!r} and {ref!r}; give each once")
        named[name] = ref
    overlays = {path: read_overlay(path).target for path in options.overlays}
    costs = {path: read_costs(path).target for path in options.costs}
    for path, name in (overlays | costs).items():
        if name not in named:
            raise TargetError(f"{shown(str(path))}: is for {name}, none of the targets; add it, or leave out the file")
    described = [
        load_overlaid(ref, replace(options, overlays=_made_for(name, overlays), costs=_made_for(name, costs)))
        for name, ref in named.items()
    ]
    _require_one(described)
    return described


def _require_one(targets: Sequence[Target]) -> None:
    """Refuse targets of which none can be compiled for. One that others stand beside fails in its own rows."""
    refused = []
    for target in targets:
        try:
            target.require_operators()
        except TargetError as error:
            refused.append(error)
    if len(refused) == len(targets):
        raise refused[0]


def _made_for(name: str, files: dict[Path, str]) -> tuple[Path, ...]:
    return tuple(path for path, target in files.items() if target == name)
