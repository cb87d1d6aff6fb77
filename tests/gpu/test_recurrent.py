"""Recurrent layers, against ONNX Runtime on the CPU."""

from typing import Any

import numpy as np
import pytest

RANDOM = np.random.default_rng(7)
TIME, BATCH, WIDTH, HIDDEN = 5, 3, 4, 6
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def floats(*shape: int) -> Any:
    return RANDOM.standard_normal(shape).astype(np.float32)


def _inputs(kind: str, directions: int, lengths: Any = None, states: bool = False, peeps: bool = False) -> list[Any]:
    gates = GATES[kind]
    weights = [floats(directions, gates * HIDDEN, size) for size in (WIDTH, HIDDEN)]
    inputs = [floats(TIME, BATCH, WIDTH), *weights, floats(directions, 2 * gates * HIDDEN)]
    count = 2 if kind == "LSTM" else 1
    inputs += [None if lengths is None else np.array(lengths, dtype=np.int32)]
    inputs += [floats(directions, BATCH, HIDDEN) if states else None for _ in range(count)]
    return inputs + [floats(directions, 3 * HIDDEN)] * peeps


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("lengths", [None, [5, 2, 3]])
def test_directions_and_lengths(kind: str, direction: str, lengths: Any, assert_like_onnxruntime: Any) -> None:
    inputs = _inputs(kind, 2 if direction == "bidirectional" else 1, lengths, states=True)
    outputs = 3 if kind == "LSTM" else 2
    assert_like_onnxruntime(kind, inputs, outputs, hidden_size=HIDDEN, direction=direction)


@pytest.mark.parametrize("late", [0, 1])
def test_where_gru_applies_the_reset(late: int, assert_like_onnxruntime: Any) -> None:
    assert_like_onnxruntime("GRU", _inputs("GRU", 1), 2, hidden_size=HIDDEN, linear_before_reset=late)


@pytest.mark.parametrize("coupled", [0, 1])
def test_lstm_whose_gates_see_the_cell(coupled: int, assert_like_onnxruntime: Any) -> None:
    inputs = _inputs("LSTM", 1, states=True, peeps=True)
    assert_like_onnxruntime("LSTM", inputs, 3, hidden_size=HIDDEN, input_forget=coupled)


@pytest.mark.parametrize("kind", GATES)
def test_clipped_gates(kind: str, assert_like_onnxruntime: Any) -> None:
    assert_like_onnxruntime(kind, _inputs(kind, 1), 2, hidden_size=HIDDEN, clip=0.7)


@pytest.mark.parametrize("names", [["Relu"], ["Softsign"], ["Sigmoid"], ["Softplus"]])
def test_activations(names: list[str], assert_like_onnxruntime: Any) -> None:
    inputs = [each if each is None else each / 4 for each in _inputs("RNN", 1)]  # some of them grow without bound
    assert_like_onnxruntime("RNN", inputs, 2, hidden_size=HIDDEN, activations=names)


@pytest.mark.parametrize(
    ("name", "numbers"),
    [("LeakyRelu", {"activation_alpha": [0.2]}), ("Elu", {"activation_alpha": [0.7]}),
     ("Affine", {"activation_alpha": [0.5], "activation_beta": [0.1]}),
     ("HardSigmoid", {"activation_alpha": [0.3], "activation_beta": [0.4]}),
     ("ScaledTanh", {"activation_alpha": [1.2], "activation_beta": [0.4]}),
     ("ThresholdedRelu", {"activation_alpha": [0.5]})],
)  # fmt: skip
def test_activations_with_numbers(name: str, numbers: dict[str, Any], assert_like_onnxruntime: Any) -> None:
    assert_like_onnxruntime("RNN", _inputs("RNN", 1), 2, hidden_size=HIDDEN, activations=[name], **numbers)


def test_lstm_with_other_activations_in_each_direction(assert_like_onnxruntime: Any) -> None:
    names = ["Sigmoid", "Tanh", "Relu", "HardSigmoid", "Softsign", "Tanh"]
    assert_like_onnxruntime(
        "LSTM", _inputs("LSTM", 2), 3, hidden_size=HIDDEN, direction="bidirectional", activations=names,
        activation_alpha=[0.3], activation_beta=[0.4],
    )  # fmt: skip


@pytest.mark.parametrize("kind", GATES)
def test_batches_first(kind: str, on_torch: Any) -> None:
    inputs, outputs = _inputs(kind, 2, states=True), 3 if kind == "LSTM" else 2
    common = {"hidden_size": HIDDEN, "direction": "bidirectional"}
    wanted = on_torch(kind, inputs, outputs, **common)
    swapped = [each.swapaxes(0, 1) if index in (0, 5, 6) and each is not None else each
               for index, each in enumerate(inputs)]  # fmt: skip
    found = on_torch(kind, swapped, outputs, layout=1, **common)
    np.testing.assert_allclose(found[0], wanted[0].transpose(2, 0, 1, 3), rtol=1e-5)
    for each, other in zip(found[1:], wanted[1:], strict=True):
        np.testing.assert_allclose(each, other.swapaxes(0, 1), rtol=1e-5)
