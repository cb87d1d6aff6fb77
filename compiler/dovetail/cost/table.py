"""What every choice of a placement costs, as flat arrays: made once a compilation, read by solvers and verifiers."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class CostTable:
    """Latency in microseconds and energy in microjoules of all that a placement can be made of.

    Units, tensors and devices are the indices of the placement problem that the table belongs to. The serial cost of
    a placement is the sum of its units, of one transfer for each tensor and destination device, and of one launch for
    each partition; energies hold the static power of the whole machine over that time, so they add up in the same way.
    """

    unit_latency: Array
    """[units, devices]. Finite everywhere; what a device does not allow is never read."""
    unit_energy: Array
    transfer_latency: Array
    """[tensors, devices, devices], from the first device to the second: link, layout and element type conversion.
    Zero on the diagonal. Inputs of the model come from the last device, the CPU, and outputs return to it."""
    transfer_energy: Array
    launch_latency: Array
    """[devices], for each partition."""
    launch_energy: Array
    memory: Array
    """[units, devices]: bytes of constants that the device must hold for the unit."""
    capacity: Array
    """[devices]: bytes that a device can hold; infinity where it has no limit of its own."""
    static_power: float = 0.0
    """Watts that the machine draws whatever runs; part of all energies above, as microjoules a microsecond."""
    source: str = "modelled"
    """`modelled`, `vendor estimate` or `measured`."""
