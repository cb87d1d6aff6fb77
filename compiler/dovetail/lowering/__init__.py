"""Partitions as files for device backends, and the unsplit model as the reference."""

from dovetail.lowering.payload import FOLDER, WEIGHTS, Piece, write_payloads
from dovetail.lowering.reference import run_reference

__all__ = ["FOLDER", "WEIGHTS", "Piece", "run_reference", "write_payloads"]
