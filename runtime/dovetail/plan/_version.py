"""The one place where Dovetail's version stands."""

__version__ = "0.1.0"
