"""The child of `quantize`: quantizes a float model by onnxruntime.quantization, and measures what that loses.

Run as a script, with nothing of Dovetail imported. Its argument is a JSON file:

    model, inputs        the float model, and the names of its inputs
    calibrate, held_out  .npz files with arrays f0, f1, ... for those inputs
    activations, symmetric, weights, per_channel, min_snr_db
    result, answer       where the quantized model and what is said of it go

Operators stay in float, those that lose most first, until the outputs are close enough on the samples held out: how
many is found by bisection, and then which of them need not. It dies by the limits that the parent sets, and prints its
last word on standard error.
"""

import json
import logging
import math
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.version_converter
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QDQQuantizer, QuantType, create_calibrator
from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

MIN_OPSET = 13  # scales per channel
FAR_DB = 200.0
RETURNS = 16  # trials in which operators are made integers again
FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16, onnx.TensorProto.DOUBLE)
TYPES = {"int8": QuantType.QInt8, "uint8": QuantType.QUInt8}
OP_TYPES = sorted({*QLinearOpsRegistry, *QDQRegistry})
ACTIVATIONS = ("Relu", "Clip")

Job = dict[str, Any]
Feeds = dict[str, np.ndarray]
Losses = Mapping[str, float]
"""Tensor -> noise over signal."""
Group = tuple[str, ...]
"""An operator, with the activation behind it."""


@dataclass(frozen=True)
class Attempt:
    """What comes of it if some operators stay in float."""

    kept: list[str]
    made: onnx.ModelProto
    losses: Losses
    reached: dict[str, float]
    good: bool


class Samples(CalibrationDataReader):  # type: ignore[misc]
    """Reads files one by one."""

    def __init__(self, files: Sequence[str], names: Sequence[str]) -> None:
        self.files = files
        self.names = names
        self.waiting = iter(self)

    def __iter__(self) -> Iterator[Feeds]:
        for file in self.files:
            with np.load(file, allow_pickle=False) as loaded:
                yield {name: loaded[f"f{index}"] for index, name in enumerate(self.names)}

    def get_next(self) -> Feeds | None:
        return next(self.waiting, None)


class Model:
    """A float model, and its tensors on the samples held out."""

    def __init__(self, job: Job, folder: str) -> None:
        self.job = job
        self.float = at_opset(onnx.load(job["model"]))
        names = job["inputs"]
        self.held_out = Samples(job["held_out"], names)
        path = Path(folder, "float.onnx")
        onnx.save_model(self.float, path)
        calibrator = create_calibrator(path, OP_TYPES, str(Path(folder, "augmented.onnx")))
        calibrator.collect_data(Samples(job["calibrate"], names))
        self.ranges = calibrator.compute_data()
        graph = onnx.shape_inference.infer_shapes(self.float).graph
        declared = (*graph.input, *graph.value_info, *graph.output)
        self.types = {value.name: value.type.tensor_type.elem_type for value in declared}
        self.made = [name for node in self.float.graph.node for name in node.output if self.types.get(name) in FLOATS]
        self.judged = judged(self.float.graph, self.types)
        self.captured = {name for node in self.float.graph.node for body in bodies(node) for name in read_in(body)}

    def quantized(self, excluded: Iterable[str]) -> onnx.ModelProto:
        """A copy with Q/DQ pairs around every operator that is not excluded."""
        copy = onnx.ModelProto()
        copy.CopyFrom(self.float)
        job = self.job
        options = {
            "ActivationSymmetric": job["symmetric"],
            "MinimumRealRange": 1e-4,  # QNN divides by smaller scales in vain
            "QDQKeepRemovableActivations": True,  # every operator keeps its name
        }
        quantizer = QDQQuantizer(
            copy,
            job["per_channel"],
            False,
            TYPES[job["weights"]],
            TYPES[job["activations"]],
            self.ranges,
            [],
            list(excluded),
            OP_TYPES,
            options,
        )
        quantizer.quantize_model()
        quantizer.model.topological_sort()
        made: onnx.ModelProto = quantizer.model.model
        join_activations(made.graph)
        # the quantizer takes away what nothing reads, and does not look into bodies
        there = {each.name for each in made.graph.initializer}
        made.graph.initializer.extend(
            each for each in self.float.graph.initializer if each.name in self.captured and each.name not in there
        )
        return made

    def losses(self, model: onnx.ModelProto) -> Losses:
        """Tensor of the float model -> noise over signal of what the quantized one has in its place."""
        there = {name for node in model.graph.node for name in node.output}
        place = {name: f"{name}_DequantizeLinear_Output" for name in (*self.job["inputs"], *self.made)}
        place = {name: found if found in there else name for name, found in place.items()}
        place = {name: found for name, found in place.items() if found in there}
        wanted, got = session(self.float, place), session(model, place.values())
        real = [name for name in place if name not in self.job["inputs"]]
        signal, noise = dict.fromkeys(place, 0.0), dict.fromkeys(place, 0.0)
        for feeds in self.held_out:
            right = {**feeds, **dict(zip(real, wanted.run(real, feeds), strict=True))}
            for name, array in zip(place, got.run(list(place.values()), feeds), strict=True):
                reference = right[name].astype(np.float64)
                signal[name] += float((reference**2).sum())
                far = array.shape != reference.shape
                noise[name] += math.inf if far else float(((array - reference) ** 2).sum())
        return {name: over(noise[name], signal[name]) for name in place}


def over(noise: float, signal: float) -> float:
    if noise == 0.0 or math.isnan(noise):
        return 0.0 if noise == 0.0 else math.inf
    return noise / signal if signal else math.inf


def decibels(loss: float) -> float:
    return FAR_DB if loss == 0.0 else max(-FAR_DB, min(FAR_DB, -10 * math.log10(loss))) if loss < math.inf else -FAR_DB


def session(model: onnx.ModelProto, outputs: Iterable[str]) -> onnxruntime.InferenceSession:
    """Run as it is written: fused into integer operators, sums could overflow on some CPUs."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    there = {value.name for value in copy.graph.output}
    made = {name for node in copy.graph.node for name in node.output}
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(outputs) if name in made - there)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(copy.SerializeToString(), options, providers=["CPUExecutionProvider"])


def at_opset(model: onnx.ModelProto) -> onnx.ModelProto:
    version = next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), MIN_OPSET)
    return model if version >= MIN_OPSET else onnx.version_converter.convert_version(model, MIN_OPSET)


def bodies(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """The graphs in an If, Loop or Scan."""
    return [body for attribute in node.attribute for body in (attribute.g, *attribute.graphs) if body.node]


def read_in(body: onnx.GraphProto) -> set[str]:
    """What the nodes of a body read, at any depth."""
    inner = {name for node in body.node for deeper in bodies(node) for name in read_in(deeper)}
    return inner.union(*(node.input for node in body.node))


def judged(graph: onnx.GraphProto, types: Mapping[str, int]) -> list[str]:
    """The tensors by which the model is judged.

    They are its outputs, or, where the least error can flip one, the floats that it is made of: a class, an index, and
    all that is picked by one.
    """
    producer = {name: node for node in graph.node for name in node.output}
    flips = flipping(graph, types)
    found: dict[str, None] = {}
    seen: set[str] = set()
    waiting = [value.name for value in graph.output]
    while waiting:
        name = waiting.pop(0)
        if name in seen or name not in producer:
            continue
        seen.add(name)
        if types.get(name) in FLOATS and name not in flips:
            found[name] = None
        else:
            waiting.extend(producer[name].input)
    return list(found)


def flipping(graph: onnx.GraphProto, types: Mapping[str, int]) -> set[str]:
    """What is made of floats and is none, and what depends on such tensors."""
    constants = {each.name for each in graph.initializer}
    found: set[str] = set()
    for node in graph.node:
        compares = node.op_type not in ("Shape", "Size") and any(
            types.get(name) in FLOATS for name in node.input if name not in constants
        )
        picks = not found.isdisjoint(node.input)
        found.update(name for name in node.output if picks or (compares and types.get(name) not in FLOATS))
    return found


def join_activations(graph: onnx.GraphProto) -> None:
    """Take out the Q/DQ pair between an operator and its activation: NPUs run both as one operator, in one pair."""
    producer = {name: node for node in graph.node for name in node.output}
    for node in [node for node in graph.node if node.op_type in ACTIVATIONS]:
        dequantize = producer.get(node.input[0])
        if dequantize is None or dequantize.op_type != "DequantizeLinear":
            continue
        quantize = producer.get(dequantize.input[0])
        if quantize is None or sum(dequantize.output[0] in other.input for other in graph.node) != 1:
            continue
        before = producer.get(quantize.input[0])
        if before is not None and sum(quantize.input[0] in other.input for other in graph.node) == 1:
            node.input[0] = quantize.input[0]
            for each in (quantize, dequantize):
                graph.node.remove(each)
    read = {name for node in graph.node for name in node.input}
    for initializer in [each for each in graph.initializer if each.name not in read]:
        graph.initializer.remove(initializer)


def ranked(model: Model, losses: Losses) -> list[Group]:
    """The operators that are quantized, each with its activation, those that add most noise first."""
    nodes = [node for node in model.float.graph.node if node.op_type in OP_TYPES]
    readers: dict[str, int] = {}
    maker: dict[str, onnx.NodeProto] = {}
    for node in model.float.graph.node:
        maker.update(dict.fromkeys(node.output, node))
        for name in node.input:
            readers[name] = readers.get(name, 0) + 1
    added: dict[Group, float] = {}
    groups: dict[str, list[onnx.NodeProto]] = {}
    for node in nodes:
        source = maker.get(node.input[0])
        joined = node.op_type in ACTIVATIONS and source is not None and readers[node.input[0]] == 1
        group = groups.get(source.name, []) if source is not None and joined else []
        group.append(node)
        groups[node.name] = group
    for group in {id(group): group for group in groups.values()}.values():
        after = max((losses[name] for name in group[-1].output if name in losses), default=0.0)
        before = max((losses.get(name, 0.0) for name in group[0].input), default=0.0)
        added[tuple(node.name for node in group)] = after - before if before < math.inf else 0.0
    return sorted(added, key=lambda names: -added[names])


def is_quantized(model: onnx.ModelProto) -> bool:
    """Whether anything in it is in integers."""
    return any(node.op_type == "QuantizeLinear" for node in model.graph.node)


class Search:
    """Which operators must stay in float."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.trials = 0
        self.integers = self.tried([])
        self.order = ranked(model, self.integers.losses)

    def tried(self, groups: Iterable[Group]) -> Attempt:
        """What comes of it if these groups of operators stay in float."""
        self.trials += 1
        kept = [name for group in groups for name in group]
        made = self.model.quantized(kept)
        losses = self.model.losses(made)
        # a tensor that is not there has no Q/DQ pair behind it and is float all along
        reached = {name: decibels(losses.get(name, 0.0)) for name in self.model.judged}
        holds = min(reached.values(), default=FAR_DB) >= self.model.job["min_snr_db"]
        return Attempt(kept, made, losses, reached, holds and is_quantized(made))

    def best(self) -> Attempt:
        """The attempt that is good with few operators in float; that in integers alone where none is."""
        best, low, high = self.integers, 1, len(self.order)
        while low < high and not self.integers.good:
            middle = 1 if self.trials == 1 else (low + high) // 2  # often it is one that spoils the rest
            attempt = self.tried(self.order[:middle])
            if attempt.good:
                best, high = attempt, middle
            else:
                low = middle + 1
        return self.returned(self.order[:high], best) if best.kept else best

    def returned(self, kept: list[Group], best: Attempt) -> Attempt:
        """An attempt with fewer of them: halves, quarters, ... are made integers again, where that is good."""
        size, left = len(kept) // 2, RETURNS
        while size and left:
            for start in range(len(kept) - size, -1, -size)[:left]:
                left -= 1
                fewer = kept[:start] + kept[start + size :]
                attempt = self.tried(fewer)
                if attempt.good:
                    best, kept = attempt, fewer
            size //= 2
        return best


def quantize(job: Job, folder: str) -> dict[str, Any]:
    """Search, write the model and return what is said of it."""
    model = Model(job, folder)
    search = Search(model)
    best = search.best()
    if best.good:
        Path(job["result"]).write_bytes(best.made.SerializeToString())
    losses, known = best.losses, model.ranges.data
    nodes = {node.name: [losses[name] for name in node.output if name in losses] for node in model.float.graph.node}
    ranges = {name: model.ranges[name].range_value for name in job["inputs"] if name in known}
    return {
        "good": best.good,
        "kept_float": best.kept,
        "quantizable": sum(map(len, search.order)) if is_quantized(search.integers.made) else 0,
        "trials": search.trials,
        "snr_db": best.reached,
        "operators_db": {name: decibels(max(found)) for name, found in nodes.items() if found},
        "ranges": {name: [float(np.min(bound)) for bound in found] for name, found in ranges.items()},
    }


def main() -> int:
    """Quantize; on failure say why in one line on standard error."""
    logging.getLogger().setLevel(logging.ERROR)
    try:
        job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
        with tempfile.TemporaryDirectory(prefix="dovetail-quantize-") as folder:
            answer = quantize(job, folder)
        Path(job["answer"]).write_text(json.dumps(answer), encoding="utf-8")
    except Exception as error:
        print(f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
