"""Single operators as TensorFlow Lite models, for compilers that take nothing else."""

from dovetail.lowering.tflite.convert import lite_form
from dovetail.lowering.tflite.form import Form, LiteOperator, LiteTensor, NoFormError, as_json

__all__ = ["Form", "LiteOperator", "LiteTensor", "NoFormError", "as_json", "lite_form"]
