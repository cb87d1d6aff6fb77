"""The colours of devices, the same wherever Dovetail draws: on terminals, in notebooks, pages and other tools."""

from collections.abc import Mapping
from typing import Final

from dovetail.plan.schema import DeviceKind

KIND_COLORS: Final[Mapping[DeviceKind, str]] = {"npu": "#009e73", "gpu": "#56b4e9", "cpu": "#e69f00"}
"""Of Okabe and Ito's palette, for every kind of colour vision; a letter or the device's id always stands beside it."""
