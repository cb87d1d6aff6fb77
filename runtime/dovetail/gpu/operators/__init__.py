"""One module for each family of operators; to import one enters it in the table."""

from dovetail.gpu.operators import (
    attention,
    conv_pool,
    elementwise,
    experts,
    indexing,
    linear,
    normalise,
    quantize,
    random_numbers,
    recurrent,
    reduce,
    regions,
    resize,
    shapes,
    transformers,
)

__all__ = [
    "attention",
    "conv_pool",
    "elementwise",
    "experts",
    "indexing",
    "linear",
    "normalise",
    "quantize",
    "random_numbers",
    "recurrent",
    "reduce",
    "regions",
    "resize",
    "shapes",
    "transformers",
]
