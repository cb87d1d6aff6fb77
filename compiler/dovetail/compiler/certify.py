"""From a model to a verified plan, with its certificate."""

import hashlib
import importlib.metadata
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from dovetail.compiler.closeness import LIMIT_DB, Array, Numerics, as_check, compare
from dovetail.compiler.driver import (
    Compilation,
    compile_batches,
    compile_graph,
    join_batches,
    load_described,
    prefix_of,
)
from dovetail.compiler.feeding import samples_for
from dovetail.compiler.learning import learnt_overlay, merged
from dovetail.compiler.options import CompileOptions
from dovetail.compiler.quantizing import with_quantization
from dovetail.compiler.verifying import Verifier, pieces_of
from dovetail.ir import Bindings, bound_arrays
from dovetail.lowering.reference import run_reference
from dovetail.lowering.reference_values import ReferenceValues
from dovetail.lowering.trial import run_plan
from dovetail.lowering.vendor import COMPILE_LIMIT_S, VendorCompiler, why_not_compiled
from dovetail.plan.codes import remedy
from dovetail.plan.errors import LoweringError
from dovetail.plan.schema import Certificate, TensorCheck
from dovetail.targets.overlay import OverlayPart

_VERSIONS: Final = ("onnxruntime", "onnx", "numpy")


_FEW: Final = 3
_DEFAULTS: Final = CompileOptions()


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """How a plan is verified."""

    inputs: Path | None = None
    """An .npz with an array for every input; None to make them up."""
    samples: int = 2
    """How many are made up."""
    snr_db: float | None = None
    """Signal to noise that every tensor must reach; None for what the device's numerics allow."""
    limit_s: float = COMPILE_LIMIT_S
    """Seconds that a vendor's compiler may take for one partition."""


@dataclass(frozen=True, slots=True, eq=False)
class Verified:
    """A verified compilation, and what was learnt on the way."""

    compilation: Compilation
    learnt: tuple[OverlayPart, ...]
    """Refusals that hold whatever is around an operator, one overlay a device; for other models."""


def compile_verified(
    model: str | Path,
    target: str,
    options: CompileOptions = _DEFAULTS,
    verify: VerifyOptions | None = None,
) -> Verified:
    """Compile a model for a target, let the devices' compilers compile the partitions, and compare with the model.

    Where a device's compiler is not installed, the plan comes without a certificate, and a note says why.

    Raises:
        ModelError, TargetError, PartitionError: as `compile_model`.
        RunError: the inputs can't be used.
        LoweringError: the verified plan can't be run here.
    """
    verify = VerifyOptions() if verify is None else verify
    compiled = compile_batches(model, load_described(target, options), options)
    done = [(batch, _verified(Path(model), each, options, verify, prefix_of(batch))) for batch, each in compiled]
    if not options.batches:
        return done[0][1]
    joined = join_batches([(batch, each.compilation) for batch, each in done])
    return Verified(joined, merged([part for _, each in done for part in each.learnt]))


def _verified(model: Path, first: Compilation, options: CompileOptions, verify: VerifyOptions, prefix: str) -> Verified:
    graph, target = first.graph, first.target
    reasons = _why_not(first)
    if reasons:
        notes = (*first.plan.notes, *(f"not verified: {reason}" for reason in reasons))
        return Verified(replace(first, plan=replace(first.plan, notes=notes)), ())
    samples = samples_for(graph, verify.inputs, verify.samples)
    with ExitStack() as stack:
        compilers: dict[str, VendorCompiler] = {
            device.id: stack.enter_context(VendorCompiler(device.backend, device.kind, limit_s=verify.limit_s))
            for device in target.devices
            if device.kind != "cpu" and device.backend is not None and not why_not_compiled(device.backend)
        }
        verifier = Verifier(graph, compilers, ReferenceValues(graph, samples), verify.snr_db)

        def again() -> Compilation:
            made = compile_graph(graph, target, options, prefix, verifier.refused)
            return replace(made, plan=with_quantization(made.plan, first.plan.quantization))

        compilation = first
        while True:
            while verifier.find(compilation):
                compilation = again()
            compilation = _with_compiled(compilation, verifier)
            certificate = _certificate(model, compilation, verifier, samples)
            if certificate.holds or not verifier.find_amplified(compilation):
                break
            compilation = again()
    plan = replace(compilation.plan, certificate=certificate, notes=(*compilation.plan.notes, *_repairs(verifier)))
    return Verified(replace(compilation, plan=plan), learnt_overlay(graph, target, verifier))


def _why_not(compilation: Compilation) -> list[str]:
    """Why partitions of a compilation can't be compiled and run here."""
    used = {device.id: device for _, device in pieces_of(compilation) if device.kind != "cpu"}
    found = ((name, why_not_compiled(device.backend)) for name, device in used.items())
    return [f"device '{name}': {why}" for name, why in found if why]


def _with_compiled(compilation: Compilation, verifier: Verifier) -> Compilation:
    """The compilation with what the compilers made of its partitions."""
    pieces, partitions = [], []
    rows = zip(pieces_of(compilation), compilation.plan.partitions, strict=True)
    for (piece, device), partition in rows:
        folder = verifier.compiled(piece.nodes, device).folder if device.id in verifier.compilers else None
        pieces.append(replace(piece, compiled=folder))
        partitions.append(replace(partition, compiled_file=piece.compiled_file if folder is not None else None))
    plan = replace(compilation.plan, partitions=tuple(partitions))
    return replace(compilation, plan=plan, pieces=tuple(pieces))


def _certificate(
    model: Path,
    compilation: Compilation,
    verifier: Verifier,
    samples: Sequence[Mapping[str, Array]],
) -> Certificate:
    checks = [
        check
        for piece, device in pieces_of(compilation)
        if device.id in verifier.compilers
        for check in verifier.checks(piece, device)
    ]
    checks += _whole(model, compilation, verifier, samples)
    return Certificate(
        holds=all(check.holds for check in checks),
        tools=tuple(dict.fromkeys(compiler.tool for compiler in verifier.compilers.values())),
        versions={name: importlib.metadata.version(name) for name in _VERSIONS},
        samples=len(samples),
        inputs_sha256=_digest(samples),
        compiles=sum(compiler.compiles for compiler in verifier.compilers.values()),
        checks=tuple(checks),
    )


def _whole(
    model: Path, compilation: Compilation, verifier: Verifier, samples: Sequence[Mapping[str, Array]]
) -> list[TensorCheck]:
    """The outputs of the plan, run as its users will run it, against those of the model file."""
    names = [spec.name for spec in compilation.plan.outputs]
    with tempfile.TemporaryDirectory(prefix="dovetail-verify-") as folder:
        plan = compilation.save(Path(folder, "trial.plan"))
        got, placement = run_plan(plan, samples, names)
    for partition in compilation.plan.partitions:
        if placement[partition.id].split(" ")[0] != partition.device:
            raise LoweringError(
                f"plan: partition '{partition.id}' compiles for '{partition.device}', but ran on "
                f"'{placement[partition.id]}'; see 'dovetail run'"
            )
    wanted = _reference(model, compilation, verifier, samples, names)
    used = {verifier.numerics(piece.nodes, device) for piece, device in pieces_of(compilation) if device.kind != "cpu"}
    numerics: Numerics = min(used, key=LIMIT_DB.__getitem__, default="fp32")
    choice = compilation.plan.quantization
    limit = verifier.limit(numerics)
    if choice is not None and choice.taken and verifier.snr_db is None:
        limit = choice.min_snr_db  # what quantization may lose stands in the model's place
    return [as_check("", name, compare(got[name], wanted[name]), limit, numerics) for name in names]


def _reference(
    model: Path,
    compilation: Compilation,
    verifier: Verifier,
    samples: Sequence[Mapping[str, Array]],
    names: Sequence[str],
) -> dict[str, list[Array]]:
    """The outputs of the model file.

    Of its quantized form, where that was taken: what int8 loses is in its record. Of the graph before it was cut, where
    a batch size was asked for: the file may have another one.
    """
    quantization, options = compilation.plan.quantization, _options(compilation)
    if (quantization is not None and quantization.taken) or "batch" in options:
        return verifier.values.of(names)
    bound = bound_arrays(model, Bindings.from_text(options))
    runs = [run_reference(model, sample, bound, names) for sample in samples]
    return {name: [run[name] for run in runs] for name in names}


def _options(compilation: Compilation) -> dict[str, str]:
    return {option.removeprefix("--"): value for option, value in compilation.plan.model.bindings.items()}


def _digest(samples: Sequence[Mapping[str, Array]]) -> str:
    digest = hashlib.sha256()
    for sample in samples:
        for name, array in sample.items():
            data = repr(array.tolist()).encode() if array.dtype.hasobject else array.tobytes()
            digest.update(f"{name} {array.dtype} {array.shape} {len(data)}:".encode() + data)
    return digest.hexdigest()


def _repairs(verifier: Verifier) -> list[str]:
    """One note for each reason for which verification has moved units."""
    moved: dict[tuple[str, str], list[str]] = {}
    for (device, name), reason in verifier.refused.items():
        told = f"{reason.message}; {remedy(reason.code, reason.fix)}"
        moved.setdefault((device, told), []).append(name)
    notes = []
    for (device, told), names in moved.items():
        more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
        notes.append(f"verified: {', '.join(map(repr, names[:_FEW]))}{more} can't be on {device}: {told}")
    return notes
