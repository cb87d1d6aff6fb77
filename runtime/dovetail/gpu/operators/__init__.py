"""Families of operators; see `dovetail.gpu.registry`."""
