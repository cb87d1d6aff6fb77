"""What tensors inside a model are, on the CPU and unsplit: what partitions are compared with."""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx

from dovetail.ir import Graph, extract
from dovetail.lowering.reference import run_reference

Array = npt.NDArray[np.generic]


class ReferenceValues:
    """The values of a graph's tensors for some samples, computed when they are first asked for and kept."""

    def __init__(self, graph: Graph, samples: Sequence[Mapping[str, Array]]) -> None:
        """Compute nothing yet.

        Args:
            graph: as it was cut.
            samples: an array for every input of the graph, sample by sample.
        """
        self._graph = graph
        self._samples = samples
        self._known: dict[str, list[Array]] = {
            value.name or "": [sample[value.name or ""] for sample in samples] for value in graph.inputs
        }

    def of(self, names: Iterable[str]) -> dict[str, list[Array]]:
        """Tensor -> its value in each sample.

        Raises:
            ModelError: the CPU can't run the graph.
        """
        wanted = list(dict.fromkeys(names))
        missing = [name for name in wanted if name not in self._known]
        if missing:
            for name, values in self._compute(missing).items():
                self._known[name] = values
        return {name: self._known[name] for name in wanted}

    def _compute(self, names: Sequence[str]) -> dict[str, list[Array]]:
        model = extract(self._graph)
        there = {value.name for value in model.graph.output}
        types = {value.name: value for value in model.graph.value_info}
        for name in names:
            if name not in there:
                model.graph.output.append(types.get(name) or onnx.ValueInfoProto(name=name))
        runs = _run(model, self._samples, names)
        return {name: [run[name] for run in runs] for name in names}


def run_piece(graph: Graph, nodes: Sequence[str], samples: Sequence[Sequence[Array]]) -> list[list[Array]]:
    """Run some nodes of a graph on the CPU.

    Args:
        graph: the whole.
        nodes: a convex set.
        samples: an array per input of the set, in its order, sample by sample.

    Returns:
        An array per sample for each output.

    Raises:
        ModelError: the CPU can't run it.
    """
    model = extract(graph, nodes)
    inputs, outputs = ([value.name for value in side] for side in (model.graph.input, model.graph.output))
    runs = _run(model, [dict(zip(inputs, sample, strict=True)) for sample in samples], outputs)
    return [[run[name] for run in runs] for name in outputs]


def _run(
    model: onnx.ModelProto, samples: Sequence[Mapping[str, Array]], outputs: Sequence[str]
) -> list[dict[str, Array]]:
    with tempfile.TemporaryDirectory(prefix="dovetail-reference-") as folder:
        path = Path(folder, "model.onnx")
        onnx.save_model(model, path, save_as_external_data=True, location="weights.bin", size_threshold=1 << 20)
        return [run_reference(path, sample, {}, outputs) for sample in samples]
