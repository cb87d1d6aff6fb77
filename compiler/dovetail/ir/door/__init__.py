"""The door for model files: nothing in a file is believed before it is checked."""

from dovetail.ir.door.external import attach_base_dir, external_tensors
from dovetail.ir.door.source import DoorResult, open_model

__all__ = ["DoorResult", "attach_base_dir", "external_tensors", "open_model"]
