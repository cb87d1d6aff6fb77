"""A float model with Q/DQ pairs, by onnxruntime.quantization: ranges from samples, and the loss on others.

The user's model is run and rewritten by native code here, so that happens in a child process.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx

from dovetail.lowering.child import run_child
from dovetail.plan.errors import ModelError, RunError
from dovetail.targets.schema import QuantizationPart

TIME_LIMIT_S: Final = 1800.0
"""Seconds for calibration and all trials."""
_MAX_BYTES: Final = 2**31 - (1 << 20)
_EVERY: Final = 4
"""One sample in so many is held out."""
_MOST_HELD_OUT: Final = 64
"""Enough for a signal to noise ratio; each trial runs all of them."""
_CHILD: Final = Path(__file__).with_name("quantize_child.py")

Array = npt.NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Quantized:
    """A quantized model, and what it loses on the samples held out. All ratios are in dB, 200 where nothing differs."""

    model: bytes | None
    """None where no mixture of integers and floats is close enough."""
    snr_db: Mapping[str, float]
    """Tensor by which the model is judged -> its signal to noise; with all in integers, where there is no model."""
    operators_db: Mapping[str, float]
    """Operator -> the same of its outputs, with all that was lost before it."""
    kept_float: tuple[str, ...]
    """Operators that lose too much, with the activations behind them."""
    quantizable: int
    """Operators that there are integers for."""
    ranges: Mapping[str, tuple[float, ...]]
    """Input -> its smallest and largest value among the samples."""
    samples: int
    """How many the ranges come from."""
    held_out: int
    trials: int


def quantize(
    model: onnx.ModelProto,
    name: str,
    samples: Iterable[Mapping[str, Array]],
    scheme: QuantizationPart,
    min_snr_db: float,
) -> Quantized:
    """Quantize a model statically; operators that lose too much stay in float, as few as are needed.

    Args:
        model: in floats, every node named.
        name: what the user calls it.
        samples: an array for each input; every fourth is held out, and calibrates nothing.
        scheme: the integers that the device takes.
        min_snr_db: signal to noise that every output must reach on the samples held out.

    Raises:
        ModelError: it is too large, or onnxruntime.quantization can't quantize it, crashed, or took too long.
        RunError: there are fewer than two samples, or one can't be used.
    """
    if model.ByteSize() > _MAX_BYTES:
        raise ModelError(f"model '{name}': only models below 2 GB can be quantized, it is larger; leave out --quantize")
    inputs = [value.name for value in model.graph.input]
    with tempfile.TemporaryDirectory(prefix="dovetail-quantize-") as path:
        folder = Path(path)
        calibrate, held_out = _parted(_stored(samples, inputs, folder))
        onnx.save_model(model, folder / "model.onnx")
        job = {
            "model": str(folder / "model.onnx"),
            "inputs": inputs,
            "calibrate": list(map(str, calibrate)),
            "held_out": list(map(str, held_out)),
            **scheme.model_dump(include={"activations", "symmetric", "weights", "per_channel"}),
            "min_snr_db": min_snr_db,
            "result": str(folder / "quantized.onnx"),
            "answer": str(folder / "answer.json"),
        }
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        _run(folder / "job.json", name)
        answer: dict[str, Any] = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
        return Quantized(
            model=(folder / "quantized.onnx").read_bytes() if answer["good"] else None,
            snr_db=answer["snr_db"],
            operators_db=answer["operators_db"],
            kept_float=tuple(answer["kept_float"]),
            quantizable=answer["quantizable"],
            ranges={input_name: tuple(bounds) for input_name, bounds in answer["ranges"].items()},
            samples=len(calibrate),
            held_out=len(held_out),
            trials=answer["trials"],
        )


def _stored(samples: Iterable[Mapping[str, Array]], inputs: Sequence[str], folder: Path) -> list[Path]:
    """Each sample in a file of its own: there may be more of them than memory."""
    files = []
    for number, sample in enumerate(samples):
        file = folder / f"sample{number}.npz"
        # numbered, since an input's name may be a word that np.savez knows
        np.savez(file, allow_pickle=False, **{f"f{index}": sample[name] for index, name in enumerate(inputs)})
        files.append(file)
    return files


def _parted(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    if len(files) < 2:
        raise RunError(
            "calibration: at least 2 samples are needed, one for the ranges and one to measure the loss on, got "
            f"{len(files)}; give more, some hundred are usual"
        )
    held_out = list(files[_EVERY - 1 :: _EVERY]) or [files[-1]]
    return [file for file in files if file not in held_out], held_out[:_MOST_HELD_OUT]


def _run(job: Path, name: str) -> None:
    command = [sys.executable, "-P", str(_CHILD), str(job)]
    try:
        done = run_child(command, seconds=TIME_LIMIT_S, stderr=subprocess.PIPE)
    except subprocess.TimeoutExpired:
        raise ModelError(
            f"model '{name}': quantizing it took over {TIME_LIMIT_S:g} s and was stopped; give fewer samples"
        ) from None
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {done.returncode}"]
        raise ModelError(
            f"model '{name}': onnxruntime.quantization can't quantize it: {words[-1][:300]}; leave out --quantize"
        )
