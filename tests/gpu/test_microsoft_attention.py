"""Attention in ONNX Runtime's forms, against ONNX Runtime on the CPU."""

from typing import Any

import numpy as np
import pytest

RANDOM = np.random.default_rng(3)
BATCH, QUERIES, HEADS, SIZE = 2, 4, 3, 16
WIDTH = HEADS * SIZE


def floats(*shape: int) -> Any:
    return RANDOM.standard_normal(shape).astype(np.float32)


def ints(values: Any) -> Any:
    return np.array(values, dtype=np.int32)


MASKS = {
    "none": None,
    "lengths": ints([4, 2]),
    "ends and starts": ints([4, 3, 0, 1]),
    "keys": ints([[1, 1, 1, 1], [1, 0, 1, 0]]),
    "queries and keys": ints(RANDOM.integers(0, 2, (BATCH, QUERIES, QUERIES)) | np.eye(QUERIES, dtype=np.int64)),
}


@pytest.mark.parametrize("causal", [0, 1])
@pytest.mark.parametrize("mask", MASKS)
def test_attention_with_each_form_of_mask(mask: str, causal: int, assert_like_onnxruntime: Any) -> None:
    inputs = [floats(BATCH, QUERIES, 16), floats(16, 3 * WIDTH), floats(3 * WIDTH), MASKS[mask]]
    assert_like_onnxruntime(
        "Attention", inputs, domain="com.microsoft", num_heads=HEADS, unidirectional=causal, mask_filter_value=-5000.0
    )


def test_attention_with_a_past_a_bias_and_values_of_another_width(assert_like_onnxruntime: Any) -> None:
    common = {"domain": "com.microsoft", "num_heads": HEADS}
    inputs = [floats(BATCH, QUERIES, 16), floats(16, 3 * WIDTH), floats(3 * WIDTH), None]
    past, bias = floats(2, BATCH, HEADS, 5, SIZE), floats(BATCH, HEADS, QUERIES, QUERIES)
    assert_like_onnxruntime("Attention", [*inputs, past], outputs=2, unidirectional=1, **common)
    assert_like_onnxruntime("Attention", [*inputs, None, bias], **common)
    narrow = [floats(BATCH, QUERIES, 16), floats(16, 2 * WIDTH + 12), floats(2 * WIDTH + 12)]
    assert_like_onnxruntime("Attention", narrow, qkv_hidden_sizes=[WIDTH, WIDTH, 12], scale=0.3, **common)


FORMS = {
    "three tensors": [floats(BATCH, QUERIES, WIDTH), floats(BATCH, 6, WIDTH), floats(BATCH, 6, WIDTH)],
    "values of another width": [floats(BATCH, QUERIES, WIDTH), floats(BATCH, 6, WIDTH), floats(BATCH, 6, 12)],
    "keys in heads": [floats(BATCH, QUERIES, WIDTH), floats(BATCH, HEADS, 6, SIZE), floats(BATCH, HEADS, 6, SIZE)],
}


@pytest.mark.parametrize("form", FORMS)
def test_multi_head_attention_of_each_form(form: str, assert_like_onnxruntime: Any) -> None:
    assert_like_onnxruntime("MultiHeadAttention", FORMS[form], domain="com.microsoft", num_heads=HEADS)


def test_multi_head_attention_takes_packed_tensors_that_onnxruntime_has_on_cards_only(on_torch: Any) -> None:
    query, key, value = (floats(BATCH, QUERIES, HEADS, SIZE) for _ in range(3))
    common = {"domain": "com.microsoft", "num_heads": HEADS}
    flat = [each.reshape(BATCH, QUERIES, WIDTH) for each in (query, key, value)]
    (wanted,) = on_torch("MultiHeadAttention", flat, **common)
    (whole,) = on_torch("MultiHeadAttention", [np.stack([query, key, value], 3), None, None], **common)
    (two,) = on_torch("MultiHeadAttention", [flat[0], np.stack([key, value], 3), None], **common)
    np.testing.assert_allclose(whole, wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(two, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("causal", [0, 1])
def test_multi_head_attention_with_bias_mask_and_past(causal: int, assert_like_onnxruntime: Any) -> None:
    new = [floats(BATCH, QUERIES, WIDTH) for _ in range(3)]
    past = [floats(BATCH, HEADS, 5, SIZE) for _ in range(2)]
    mask, bias = ints([[1] * 9, [0] * 3 + [1] * 6]), floats(1, HEADS, QUERIES, 9)
    common = {"domain": "com.microsoft", "num_heads": HEADS, "unidirectional": causal}
    assert_like_onnxruntime("MultiHeadAttention", [*new, floats(3 * WIDTH), mask, bias, *past], outputs=3, **common)


def _cached(total: int, queries: int, room: int, lengths: Any, packed: bool, rotary: bool) -> list[Any]:
    new = [floats(BATCH, queries, 4 * SIZE), floats(BATCH, queries, 2 * SIZE), floats(BATCH, queries, 2 * SIZE)]
    new = [np.concatenate(new, 2), None, None] if packed else new
    past = [floats(BATCH, 2, room, SIZE) for _ in range(2)]
    for batch, length in enumerate(lengths):
        for cache in past:
            cache[batch, :, length:] = 0  # ONNX Runtime writes nothing there but zeros
    turns = [floats(16, SIZE // 2), floats(16, SIZE // 2)] if rotary else []
    return [*new, *past, ints(lengths), ints([total]).reshape(1), *turns]


@pytest.mark.parametrize(
    "options", [{}, {"softcap": 2.0}, {"local_window_size": 3}, {"scale": 0.2}, {"do_rotary": 1},
                {"do_rotary": 1, "rotary_interleaved": 1}]
)  # fmt: skip
@pytest.mark.parametrize("packed", [False, True])
def test_group_query_attention_of_a_next_token(
    packed: bool, options: dict[str, Any], assert_like_onnxruntime: Any
) -> None:
    inputs = _cached(8, 1, 7, [7, 4], packed, bool(options.get("do_rotary")))
    assert_like_onnxruntime(
        "GroupQueryAttention", inputs, outputs=3, domain="com.microsoft", num_heads=4, kv_num_heads=2, **options
    )


@pytest.mark.parametrize("options", [{}, {"softcap": 2.0}, {"local_window_size": 3}, {"do_rotary": 1}])
def test_group_query_attention_of_a_prompt(options: dict[str, Any], assert_like_onnxruntime: Any) -> None:
    inputs = _cached(5, 5, 0, [4, 4], False, bool(options.get("do_rotary")))
    assert_like_onnxruntime(
        "GroupQueryAttention", inputs, outputs=3, domain="com.microsoft", num_heads=4, kv_num_heads=2, **options
    )


@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("places", [[3], [[0, 1, 2, 3], [4, 5, 6, 7]]])
@pytest.mark.parametrize("shape", [(BATCH, QUERIES, WIDTH), (BATCH, HEADS, QUERIES, SIZE)])
def test_rotary_embedding(shape: tuple[int, ...], places: Any, interleaved: int, assert_like_onnxruntime: Any) -> None:
    inputs = [floats(*shape), np.array(places, dtype=np.int64), floats(16, SIZE // 2), floats(16, SIZE // 2)]
    assert_like_onnxruntime("RotaryEmbedding", inputs, domain="com.microsoft", interleaved=interleaved)


def test_rotary_embedding_of_a_part_of_each_head(assert_like_onnxruntime: Any) -> None:
    inputs = [floats(BATCH, QUERIES, WIDTH), np.array([0]), floats(16, 2), floats(16, 2)]
    assert_like_onnxruntime("RotaryEmbedding", inputs, domain="com.microsoft", num_heads=HEADS, rotary_embedding_dim=4)
