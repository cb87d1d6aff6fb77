"""A digit classifier trained on scikit-learn's digits, in fp32 and quantized, and one picture to feed it."""

import importlib
import io
import json
from pathlib import Path

import digits_data
import numpy as np
import onnx
import onnxruntime
from builder import GraphBuilder, finish, serialize
from quantization import quantize

CALIBRATION_PICTURES = 256
DEMO_PICTURE = 7  # position among those held out


def float_model() -> bytes:
    """Trains and writes the network; takes about a minute."""
    trained = importlib.import_module("digits_training").train()  # torch is needed for nothing else
    g = GraphBuilder("digits")
    for name, tensor in trained.items():
        g.constant(name, tensor)
    x = g.input("image", (1, 1, 8, 8))
    x = g.relu(g.conv(x, "conv1", (1, 128)), "relu1")
    x = g.relu(g.conv(x, "conv2", (128, 192)), "relu2")
    x = g.pool("MaxPool", x, "pool2", 2, 2)
    x = g.relu(g.conv(x, "conv3", (192, 64)), "relu3")
    x = g.node("Flatten", [g.pool("MaxPool", x, "pool3", 2, 2)], "flatten")
    x = g.relu(g.linear(x, "fc1", (256, 64)), "relu4")
    g.output(g.linear(x, "fc2", (64, 10)), "logits", (1, 10))
    model = g.model("Handwritten digits, 8x8 pictures in [0, 1]", {})
    return serialize(finish(model, model.doc_string, _facts(model)))


def quantized_model() -> bytes:
    return _quantized_model("uint8 activations", symmetric=False)


def symmetric_model() -> bytes:
    return _quantized_model("int8 activations around zero", symmetric=True)


def _quantized_model(activations: str, symmetric: bool) -> bytes:
    """Quantizes the committed fp32 model, so that it needs no training."""
    source = onnx.load(Path(__file__).with_name("digits_fp32.onnx"))
    pictures, _ = digits_data.load(held_out=False)
    samples = [{"image": picture[None]} for picture in pictures[:CALIBRATION_PICTURES]]
    model = quantize(source, samples, symmetric=symmetric)
    facts = {**_facts(model), "calibration": f"{CALIBRATION_PICTURES} training pictures"}
    return serialize(finish(model, f"digits_fp32 quantized: {activations}, int8 weights per channel", facts))


def demo_picture() -> bytes:
    """A held-out picture, 1x1x8x8, as an .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, digits_data.load(held_out=True)[0][DEMO_PICTURE][None])
    return buffer.getvalue()


def demo_label() -> bytes:
    label = int(digits_data.load(held_out=True)[1][DEMO_PICTURE])
    source = f"scikit-learn load_digits(), picture {DEMO_PICTURE - digits_data.HELD_OUT} (held out)"
    return (json.dumps({"label": label, "source": source}) + "\n").encode()


def _facts(model: onnx.ModelProto) -> dict[str, str]:
    """What the model is worth on the pictures it has never seen."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    pictures, labels = digits_data.load(held_out=True)
    guesses = [int(session.run(None, {"image": picture[None]})[0].argmax()) for picture in pictures]
    return {
        "accuracy": f"{np.mean(guesses == labels):.4f}",
        "evaluated_on": f"{len(labels)} held-out pictures of scikit-learn's digits (the last ones)",
        "weights": "trained",
    }
