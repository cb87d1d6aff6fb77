"""Limits on what a model file may ask for; beyond one of them the model is refused with a named error."""

MAX_MODEL_BYTES = 2**31 - 1
"""Size of the model file: protobuf's own limit for one message."""

MAX_NODES = 1_000_000
"""Nodes in the file, bodies and functions included."""

MAX_INLINED_NODES = 1_000_000
"""Nodes after all function calls are inlined. Counted before anything is inlined: a file of a few KB can ask
for 2**60."""

MAX_CALL_DEPTH = 100
"""Functions that call functions; onnx stops at the same depth, onnxruntime overflows its stack later."""

MAX_SUBGRAPH_DEPTH = 32
"""Bodies of If, Loop and Scan inside each other; protobuf itself stops at 33."""

MAX_RANK = 64
"""Dimensions of a tensor: NumPy's limit."""

MAX_DIM = 2**31 - 1
"""Size of one dimension. Kernels and vendors' compilers count in 32 bits."""

MAX_TENSOR_BYTES = 2**63 - 1
"""Size of one declared tensor, zero sizes counted as one: beyond it 64-bit arithmetic wraps."""

MAX_NAME_LENGTH = 4096
"""Characters in the name of a value, node, dimension, attribute, function or domain."""

MAX_ATTRIBUTE_BYTES = 256 * 2**20
"""Size of the text or the numbers of one attribute (tensors have their own checks)."""

MAX_STRING_ELEMENTS = 10_000_000
"""Elements of one string tensor: an empty string takes 2 bytes in the file and 60 in memory."""

MAX_DENSE_BYTES = 64 * 2**20
"""Size of all sparse tensors of a model together after they are made dense."""

MAX_CARRIED_ELEMENTS = 2**21
"""Elements that shape inference carries along in Concats of constants; it takes a second for these."""

MAX_PAD = 2**20
"""Padding of a convolution or a pool on one side."""

MAX_SPLIT_OUTPUTS = 65_536
"""`num_outputs` of a Split: shape inference makes that many shapes."""
