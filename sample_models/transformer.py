"""A BERT-shaped encoder of two blocks over 64 embedded tokens; random weights."""

import math

import numpy as np
from builder import LINEAR_GAIN, GraphBuilder, serialize

SEQUENCE, WIDTH, HEADS, BLOCKS = 64, 96, 4, 2
HEAD_WIDTH = WIDTH // HEADS
FEED_FORWARD = 4 * WIDTH


def model() -> bytes:
    g = GraphBuilder("transformer")
    x = g.input("embeddings", (1, SEQUENCE, WIDTH))
    position = g.weight("embeddings.position.weight", (1, SEQUENCE, WIDTH), 0.5)
    x = _layer_norm(g, g.node("Add", [x, position], "embeddings.position.add"), "embeddings.layer_norm")
    for block in range(BLOCKS):
        x = _block(g, x, f"encoder.layer.{block}")
    first = g.constant("pooler.first_token.index", np.int64(0))
    pooled = g.node("Gather", [x, first], "pooler.first_token", axis=1)
    pooled = g.node("Tanh", [g.linear(pooled, "pooler.dense", (WIDTH, WIDTH))], "pooler.tanh")
    g.output(x, "last_hidden_state", (1, SEQUENCE, WIDTH))
    g.output(pooled, "pooler_output", (1, WIDTH))
    return serialize(
        g.model("Transformer encoder, post-norm, Gelu by Erf", {"weights": "random, seeded by tensor name"})
    )


def _block(g: GraphBuilder, x: str, name: str) -> str:
    attended = _attention(g, x, f"{name}.attention")
    x = g.node("Add", [attended, x], f"{name}.attention.residual")
    x = _layer_norm(g, x, f"{name}.attention.layer_norm")
    y = _dense(g, x, f"{name}.intermediate.dense", (WIDTH, FEED_FORWARD))
    y = _dense(g, _gelu(g, y, f"{name}.intermediate.gelu"), f"{name}.output.dense", (FEED_FORWARD, WIDTH))
    return _layer_norm(g, g.node("Add", [y, x], f"{name}.output.residual"), f"{name}.output.layer_norm")


def _attention(g: GraphBuilder, x: str, name: str) -> str:
    query = _heads(g, x, f"{name}.query", (0, 2, 1, 3))
    key = _heads(g, x, f"{name}.key", (0, 2, 3, 1))
    value = _heads(g, x, f"{name}.value", (0, 2, 1, 3))
    scores = g.node("MatMul", [query, key], f"{name}.scores")
    scale = g.constant("attention.scale", np.float32(math.sqrt(HEAD_WIDTH)))
    weights = g.node("Softmax", [g.node("Div", [scores, scale], f"{name}.scale")], f"{name}.softmax", axis=-1)
    context = g.node("MatMul", [weights, value], f"{name}.context")
    merged = g.node("Transpose", [context], f"{name}.merge.transpose", perm=(0, 2, 1, 3))
    shape = g.constant("attention.merged_shape", np.array([1, SEQUENCE, WIDTH]))
    return _dense(g, g.node("Reshape", [merged, shape], f"{name}.merge.reshape"), f"{name}.output", (WIDTH, WIDTH))


def _heads(g: GraphBuilder, x: str, name: str, order: tuple[int, ...]) -> str:
    projected = _dense(g, x, name, (WIDTH, WIDTH))
    shape = g.constant("attention.heads_shape", np.array([1, SEQUENCE, HEADS, HEAD_WIDTH]))
    return g.node(
        "Transpose", [g.node("Reshape", [projected, shape], f"{name}.split")], f"{name}.transpose", perm=order
    )


def _dense(g: GraphBuilder, x: str, name: str, features: tuple[int, int]) -> str:
    """MatMul and Add: a Gemm accepts no tensor of rank 3."""
    weight = g.weight(f"{name}.weight", features, LINEAR_GAIN / math.sqrt(features[0]))
    product = g.node("MatMul", [x, weight], f"{name}.matmul")
    return g.node("Add", [product, g.weight(f"{name}.bias", features[1:], 0.1)], f"{name}.add")


def _gelu(g: GraphBuilder, x: str, name: str) -> str:
    """x / 2 * (1 + erf(x / sqrt 2)), spelled out as exporters of opset 17 do."""
    root, one, half = (
        g.constant(f"gelu.{k}", np.float32(v)) for k, v in (("sqrt2", 2**0.5), ("one", 1), ("half", 0.5))
    )
    erf = g.node("Erf", [g.node("Div", [x, root], f"{name}.div")], f"{name}.erf")
    product = g.node("Mul", [x, g.node("Add", [erf, one], f"{name}.add")], f"{name}.mul")
    return g.node("Mul", [product, half], f"{name}.half")


def _layer_norm(g: GraphBuilder, x: str, name: str) -> str:
    scale = g.constant(f"{name}.weight", np.ones(WIDTH, np.float32))
    return g.node(
        "LayerNormalization", [x, scale, g.weight(f"{name}.bias", (WIDTH,), 0.1)], name, axis=-1, epsilon=1e-5
    )
