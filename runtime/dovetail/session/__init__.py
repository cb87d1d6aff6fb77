"""A drop-in for `onnxruntime.InferenceSession` that runs plans, and compiles models on first use."""

from dovetail.session.binding import IOBinding
from dovetail.session.inference import InferenceSession
from dovetail.session.node_arg import NodeArg

__all__ = ["IOBinding", "InferenceSession", "NodeArg"]
