"""What tests of several packages share: models written as text, ONNX Runtime as the judge, and real models."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx.parser
import onnxruntime
import pytest

ROOT = Path(__file__).resolve().parents[1]
SAMPLE_MODELS = sorted((ROOT / "sample_models").glob("*.onnx"))

Array = npt.NDArray[Any]
Feeds = Mapping[str, Array]


def model_from_text(text: str, opset: int = 17) -> onnx.ModelProto:
    """A model in ONNX's text form; the header may be left out."""
    header = "" if text.lstrip().startswith("<") else f'<ir_version: 8, opset_import: ["": {opset}]>\n'
    return onnx.parser.parse_model(header + text)


def run_cpu(model: onnx.ModelProto, feeds: Feeds, optimize: bool = True) -> dict[str, Array]:
    """The outputs of a model by name, computed by ONNX Runtime; `optimize=False` takes it as it is."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    wanted = {value.name for value in session.get_inputs()}
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, {k: v for k, v in feeds.items() if k in wanted}), strict=True))


def random_feeds(model: onnx.ModelProto, seed: int = 0) -> dict[str, Array]:
    """Values for every input that is not a constant: normal floats, integers from 0 to 3; unknown dimensions are 2."""
    rng = np.random.default_rng(seed)
    constants = {tensor.name for tensor in model.graph.initializer}
    feeds: dict[str, Array] = {}
    for value in model.graph.input:
        if value.name in constants:
            continue
        tensor = value.type.tensor_type
        shape = [dim.dim_value if dim.HasField("dim_value") else 2 for dim in tensor.shape.dim]
        dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
        numbers = rng.integers(0, 4, shape) if dtype.kind in "iub" else rng.standard_normal(shape)
        feeds[value.name] = np.asarray(numbers).astype(dtype)
    return feeds


def assert_same_outputs(got: Feeds, wanted: Feeds, rtol: float = 1e-5, atol: float = 1e-6) -> None:
    """The same names in the same order, of the same types and shapes, with the same values up to the tolerances."""
    assert list(got) == list(wanted)
    for name, value in wanted.items():
        assert got[name].dtype == value.dtype, name
        np.testing.assert_allclose(got[name], value, rtol=rtol, atol=atol, err_msg=name)


@pytest.fixture(scope="session")
def shared_models() -> Callable[[str], Path]:
    """Real trained models by file name; they are not part of the repository."""
    folder = Path(os.environ.get("DOVETAIL_MODELS", ROOT.parent / "shared" / "models"))

    def find(name: str) -> Path:
        if not (folder / name).is_file():
            pytest.skip(f"{name} is not here; set DOVETAIL_MODELS to the folder that holds it")
        return folder / name

    return find
